"""The model as the harness sees it: which Qwen a checkpoint is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.engine.checkpoint_model import ReleasedModel, of_features
from harness.engine.checkpoints import Checkpoint, read_json
from harness.engine.loading import is_placed, load_arguments
from harness.errors import UserError
from harness.models import Runtime
from harness.models.devices import resolve_device

from harness_qwen_vl.options import OPTIONS

if TYPE_CHECKING:
    from harness.engine.contract import VisionLanguageModel

_NEWER_ONLY = ("min_pixels", "max_pixels")


class QwenVL(ReleasedModel):
    """A Qwen vision-language checkpoint that is known but not loaded."""

    id = "qwen_vl"
    descriptor_options = OPTIONS
    example = "chat"

    def about(self, source: Checkpoint, memo: Path) -> dict[str, Json]:
        """Return how prompts are written, or how large images may be."""
        del memo
        if not _is_first(source):
            return {name: self.options.get(name) for name in _NEWER_ONLY}
        if not self._chat(source):
            return {"prompt_format": "raw"}
        space = bool(self.options["picture_space"])
        return {"prompt_format": "chatml", "picture_space": space}

    def load_model(self, runtime: Runtime) -> VisionLanguageModel:
        """Return the model as the engine takes it, on its device."""
        device = resolve_device(runtime.device)
        source = self.open()
        about = self.identity(runtime)
        features_key, ends = of_features(about), bool(self.options["score_eos"])
        loading = load_arguments(
            self.options,
            runtime,
            str(about["dtype"]),
            weights=self.weight_bytes(runtime, fetch=True),
        )
        target_device = None if is_placed(self.options) else device
        model: VisionLanguageModel
        if _is_first(source):
            from harness_qwen_vl.original import OriginalQwenVL

            space = bool(self.options["picture_space"])
            model = OriginalQwenVL(
                source,
                chat=self._chat(source),
                space=" " if space else "",
                score_eos=ends,
                device=target_device,
                loading=loading,
                options=self.options,
                features_key=features_key,
            )
        else:
            from harness_qwen_vl.newer import NewerQwenVL

            if "quantization_config" in loading:  # the vision tower keeps its dtype
                loading["quantization_config"].llm_int8_skip_modules = ["visual", "lm_head"]
            model = NewerQwenVL(
                source,
                pixels=(self.options.get("min_pixels"), self.options.get("max_pixels")),
                score_eos=ends,
                device=target_device,
                loading=loading,
                options=self.options,
                features_key=features_key,
            )
        model.context = int(self.options.get("context") or model.context)
        return model

    def open(self) -> Checkpoint:
        """Return the checkpoint; see the base."""
        source = super().open()
        newer = {name for name in _NEWER_ONLY if self.options.get(name) is not None}
        if _is_first(source) and newer:
            raise UserError(
                f"{min(newer)} only applies to Qwen2-VL and later; the first Qwen-VL takes "
                f"448 x 448 pixels",
                fix=f"leave out {min(newer)}",
            )
        if not _is_first(source) and self.options.get("prompt_format") not in {None, "auto"}:
            raise UserError(
                "prompt_format only applies to the first Qwen-VL; later ones have a chat template",
                fix="leave out prompt_format",
            )
        is_chat = _is_first(source) and self._chat(source)
        if not self.options["picture_space"] and not is_chat:
            raise UserError(
                "picture_space only applies to the first Qwen-VL-Chat",
                fix="leave out picture_space",
            )
        return source

    def _chat(self, source: Checkpoint) -> bool:
        """Return whether chats are written as ChatML."""
        chosen = self.options["prompt_format"]
        if chosen != "auto":
            return bool(chosen == "chatml")
        path = source.folder / "generation_config.json"
        return path.is_file() and read_json(path).get("chat_format") == "chatml"


def _is_first(source: Checkpoint) -> bool:
    return source.config.get("model_type") == "qwen"
