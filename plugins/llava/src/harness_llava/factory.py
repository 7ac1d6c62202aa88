"""The model as the harness sees it: which LLaVA a checkpoint is, and where its tower lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.engine.checkpoint_model import ReleasedModel, of_features
from harness.engine.checkpoints import Checkpoint, open_checkpoint
from harness.engine.loading import after_load, is_placed, load_arguments, with_features
from harness.errors import UserError
from harness.models import Runtime
from harness.models.devices import resolve_device

from harness_llava.options import OPTIONS

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer

    from harness_llava.model import LlavaModel

_NOT_QUANTISED = ("vision_tower", "multi_modal_projector", "lm_head")
_TOWERS_OWN = "unfreeze_mm_vision_tower"


class Llava(ReleasedModel):
    """A LLaVA checkpoint that is known but not loaded."""

    id = "llava"
    descriptor_options = OPTIONS
    example = "1.5-7b"
    identity_options = ("conversation", "image_aspect", "context", "score_eos")

    def about(self, source: Checkpoint, memo: Path) -> dict[str, Json]:
        """Return who the tower of an original checkpoint is."""
        tower = self._tower(source)
        if tower is None:
            return {}
        return {"tower": tower.identity(memo, weights=not source.config.get(_TOWERS_OWN))}

    def towers(self, source: Checkpoint) -> tuple[Checkpoint, ...]:
        """Return the tower of an original checkpoint, unless it was tuned and lies inside."""
        tower = None if source.config.get(_TOWERS_OWN) else self._tower(source)
        return () if tower is None else (tower,)

    def load(self, runtime: Runtime) -> EngineAnswerer:
        """Load the weights."""
        from harness.engine.answerer import EngineAnswerer

        from harness_llava.model import OneVisionAnswerer, OneVisionModel

        model = self.load_model(runtime)
        kind = OneVisionAnswerer if isinstance(model, OneVisionModel) else EngineAnswerer
        return kind(model, with_features(self.options, runtime))

    def load_model(self, runtime: Runtime) -> LlavaModel:
        """Return the model as the engine takes it, on its device."""
        from harness_llava import original, released
        from harness_llava.model import PROJECTOR

        device = resolve_device(runtime.device)
        source, options = self.open(), self.options
        about = self.identity(runtime)
        loading = load_arguments(
            options, runtime, str(about["dtype"]), weights=self.weight_bytes(runtime, fetch=True)
        )
        if "quantization_config" in loading:
            loading["quantization_config"].llm_int8_skip_modules = list(_NOT_QUANTISED)
        tower = self._tower(source)
        if tower is None:
            model = released.load(source, options, of_features(about), loading)
        else:
            model = original.load(source, tower, options, of_features(about), loading)
        if not is_placed(options):
            model.to(device)
        model.language_model = after_load(
            model.language_model, options, parts=model.named_parts(), also=PROJECTOR
        )
        return model

    def open(self) -> Checkpoint:
        """Return the checkpoint; see the base."""
        source = super().open()
        format_found = "original" if "mm_vision_tower" in source.config else "transformers"
        format_asked = self.options["format"]
        if format_asked not in {"auto", format_found}:
            raise UserError(
                f"the checkpoint is in the {format_found} format, not the {format_asked} one",
                where=source.folder / "config.json",
                fix="leave out format",
            )
        return source

    def _tower(self, source: Checkpoint) -> Checkpoint | None:
        """Return where an original checkpoint's vision tower lies."""
        named, override = source.config.get("mm_vision_tower"), self.options.get("vision_tower")
        if named is None and override:
            raise UserError(
                "vision_tower only applies to the original format; this checkpoint contains "
                "its tower",
                fix="leave out vision_tower",
            )
        if named is None:
            return None
        if self.options.get("conversation") == "template":
            raise UserError(
                "the original format has no chat template", fix="conversation=vicuna_v1 or plain"
            )
        try:
            return open_checkpoint(str(override or named), base=None if override else source.folder)
        except UserError as error:
            raise UserError(
                f"the checkpoint's vision tower cannot be loaded: {error.message}",
                where=error.where,
                fix="-o vision_tower=FOLDER or HUB_ID",
            ) from None
