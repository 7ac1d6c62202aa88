"""The model as the harness sees it: a light identity first, weights when something is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.engine.checkpoints import Checkpoint, open_checkpoint, require_family
from harness.engine.devices import resolve_device, resolve_dtype
from harness.engine.loading import after_load, is_placed, load_arguments, loading_identity
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Runtime

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer

    from harness_llava.model import LlavaModel

_SCHEME = 1  # raised when the way answers are computed changes their numbers
_NOT_QUANTISED = ("vision_tower", "multi_modal_projector", "lm_head")
_TOWERS_OWN = "unfreeze_mm_vision_tower"

_OF_FEATURES = ("model", "scheme", "checkpoint", "tower", "image_aspect", "dtype", "attention")


class Llava:
    """A LLaVA checkpoint that is known but not loaded.

    Args:
        options: Parsed options of the descriptor.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._options: dict[str, Any] = dict(options)

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change the numbers; see the model contract."""
        memo = runtime.cache or user_cache()
        source = self._open()
        about: dict[str, Json] = {
            "model": "llava",
            "scheme": _SCHEME,
            "checkpoint": source.identity(memo),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
            **loading_identity(self._options, memo),
        }
        for name in ("conversation", "image_aspect", "context", "score_eos"):
            about[name] = self._options.get(name)
        tower = self._tower(source)
        if tower is not None:
            about["tower"] = tower.identity(memo, weights=not source.config.get(_TOWERS_OWN))
        return about

    def load(self, runtime: Runtime) -> EngineAnswerer:
        """Load the weights."""
        from harness.engine.answerer import EngineAnswerer

        from harness_llava.model import OneVisionAnswerer, OneVisionModel

        model = self.load_model(runtime)
        kind = OneVisionAnswerer if isinstance(model, OneVisionModel) else EngineAnswerer
        return kind(model, runtime)

    def load_model(self, runtime: Runtime) -> LlavaModel:
        """Return the model as the engine takes it, on its device."""
        from harness_llava import original, released

        device = resolve_device(runtime.device)
        source, options = self._open(), self._options
        about = self.identity(runtime)
        seen = {name: about[name] for name in _OF_FEATURES if name in about}
        loading = load_arguments(options, runtime, str(about["dtype"]))
        if "quantization_config" in loading:
            loading["quantization_config"].llm_int8_skip_modules = list(_NOT_QUANTISED)
        tower = self._tower(source)
        if tower is None:
            model = released.load(source, options, seen, loading)
        else:
            model = original.load(source, tower, options, seen, loading)
        if not is_placed(options):
            model.to(device)
        model.language_model = after_load(model.language_model, options)
        return model

    def _open(self) -> Checkpoint:
        path = self._options.get("path")
        if not path:
            raise UserError(
                "llava needs a checkpoint", fix="-o path=FOLDER or HUB_ID, or -o preset=1.5-7b"
            )
        source = open_checkpoint(str(path), revision=self._options.get("revision"))
        require_family(source, "llava")
        found = "original" if "mm_vision_tower" in source.config else "transformers"
        asked = self._options.get("format") or "auto"
        if asked not in {"auto", found}:
            raise UserError(
                f"the checkpoint is in the {found} format, not the {asked} one",
                where=source.folder / "config.json",
                fix="leave out format",
            )
        return source

    def _tower(self, source: Checkpoint) -> Checkpoint | None:
        """Return where an original checkpoint's vision tower lies."""
        named, own = source.config.get("mm_vision_tower"), self._options.get("vision_tower")
        if named is None and own:
            raise UserError(
                "vision_tower is for the original format; this checkpoint has its tower inside",
                fix="leave out vision_tower",
            )
        if named is None:
            return None
        if self._options.get("conversation") == "template":
            raise UserError(
                "the original format has no chat template", fix="conversation=vicuna_v1 or plain"
            )
        try:
            return open_checkpoint(str(own or named), base=None if own else source.folder)
        except UserError as error:
            raise UserError(
                f"the checkpoint's vision tower cannot be had: {error.message}",
                where=error.where,
                fix="-o vision_tower=FOLDER or HUB_ID",
            ) from None
