"""The model as the harness sees it: a light identity first, weights when something is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.engine.checkpoints import Checkpoint, open_checkpoint, read_json, require_family
from harness.engine.devices import resolve_device, resolve_dtype
from harness.engine.loading import is_placed, load_arguments, loading_identity
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Runtime

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer
    from harness.engine.contract import VisionLanguageModel

_SCHEME = 1  # raised when the way answers are computed changes their numbers
_NEWER_ONLY = ("min_pixels", "max_pixels")
_OF_PROMPTS = ("score_eos", "context", "prompt_format", "picture_space")


class QwenVL:
    """A Qwen vision-language checkpoint that is known but not loaded.

    Args:
        options: Parsed options of the descriptor.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = dict(options)

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        source = self._open()
        memo = runtime.cache or user_cache()
        about: dict[str, Json] = {
            "model": "qwen_vl",
            "scheme": _SCHEME,
            "checkpoint": source.identity(memo),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
            "score_eos": bool(self._options.get("score_eos", True)),
            "context": self._options.get("context"),
            **loading_identity(self._options, memo),
        }
        if _is_first(source):
            chat = self._chat(source)
            about["prompt_format"] = "chatml" if chat else "raw"
            if chat:
                about["picture_space"] = bool(self._options.get("picture_space", True))
        else:
            about.update({name: self._options.get(name) for name in _NEWER_ONLY})
        return about

    def load(self, runtime: Runtime) -> EngineAnswerer:
        """Load the weights."""
        from harness.engine.answerer import EngineAnswerer

        return EngineAnswerer(self.load_model(runtime), runtime)

    def load_model(self, runtime: Runtime) -> VisionLanguageModel:
        """Return the model as the engine takes it, on its device."""
        device = resolve_device(runtime.device)
        source = self._open()
        about = self.identity(runtime)
        seen = {name: value for name, value in about.items() if name not in _OF_PROMPTS}
        loading = load_arguments(self._options, runtime, str(about["dtype"]))
        place = None if is_placed(self._options) else device
        model: VisionLanguageModel
        if _is_first(source):
            from harness_qwen_vl.original import OriginalQwenVL

            space = bool(self._options.get("picture_space", True))
            model = OriginalQwenVL(
                source,
                chat=self._chat(source),
                picture=" " if space else "",
                score_eos=bool(about["score_eos"]),
                device=place,
                loading=loading,
                options=self._options,
                features_key=seen,
            )
        else:
            from harness_qwen_vl.newer import NewerQwenVL

            if "quantization_config" in loading:  # the vision tower keeps its number type
                loading["quantization_config"].llm_int8_skip_modules = ["visual", "lm_head"]
            model = NewerQwenVL(
                source,
                pixels=(self._options.get("min_pixels"), self._options.get("max_pixels")),
                score_eos=bool(about["score_eos"]),
                device=place,
                loading=loading,
                options=self._options,
                features_key=seen,
            )
        model.context = int(self._options.get("context") or model.context)
        return model

    def _open(self) -> Checkpoint:
        path = self._options.get("path")
        if not path:
            raise UserError(
                "qwen_vl needs a checkpoint", fix="-o path=FOLDER or HUB_ID, or -o preset=chat"
            )
        source = open_checkpoint(str(path), revision=self._options.get("revision"))
        require_family(source, "qwen_vl")
        given = {name for name in _NEWER_ONLY if self._options.get(name) is not None}
        if _is_first(source) and given:
            raise UserError(
                f"{min(given)} is for Qwen2-VL and later; the first Qwen-VL takes 448 x 448 pixels",
                fix=f"leave out {min(given)}",
            )
        if not _is_first(source) and self._options.get("prompt_format") not in {None, "auto"}:
            raise UserError(
                "prompt_format is for the first Qwen-VL; later ones bring a chat template",
                fix="leave out prompt_format",
            )
        return source

    def _chat(self, source: Checkpoint) -> bool:
        """Return whether chats are written as ChatML."""
        asked = self._options.get("prompt_format") or "auto"
        if asked != "auto":
            return bool(asked == "chatml")
        path = source.folder / "generation_config.json"
        return path.is_file() and read_json(path).get("chat_format") == "chatml"


def _is_first(source: Checkpoint) -> bool:
    return source.config.get("model_type") == "qwen"
