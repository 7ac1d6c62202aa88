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

from harness_bunny.towers import find_tower

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer

    from harness_bunny.model import BunnyModel

_SCHEME = 1  # raised when the way answers are computed changes their numbers

_OF_FEATURES = ("model", "scheme", "checkpoint", "tower", "image_aspect", "dtype", "attention")


class Bunny:
    """A Bunny checkpoint that is known but not loaded.

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
            "model": "bunny",
            "scheme": _SCHEME,
            "checkpoint": source.identity(memo),
            "tower": find_tower(source, self._options.get("vision_tower")).identity(memo),
            "dtype": resolve_dtype(runtime.dtype, source.dtype),
            **loading_identity(self._options, memo),
        }
        for name in ("image_aspect", "context", "score_eos"):
            about[name] = self._options.get(name)
        return about

    def load(self, runtime: Runtime) -> EngineAnswerer:
        """Load the weights."""
        from harness.engine.answerer import EngineAnswerer

        return EngineAnswerer(self.load_model(runtime), runtime)

    def load_model(self, runtime: Runtime) -> BunnyModel:
        """Return the model as the engine takes it, on its device."""
        from harness_bunny import checkpoint

        device = resolve_device(runtime.device)
        source, options = self._open(), self._options
        tower = find_tower(source, options.get("vision_tower"))
        about = self.identity(runtime)
        seen = {name: about[name] for name in _OF_FEATURES if name in about}
        loading = load_arguments(options, runtime, str(about["dtype"]))
        model = checkpoint.load(source, tower, options, seen, loading)
        model.to(device, language_model=not is_placed(options))
        model.language_model = after_load(model.language_model, options)
        return model

    def _open(self) -> Checkpoint:
        path = self._options.get("path")
        if not path:
            raise UserError(
                "bunny needs a checkpoint",
                fix="-o path=FOLDER or HUB_ID, or -o preset=v1.1-llama-3-8b",
            )
        source = open_checkpoint(str(path), revision=self._options.get("revision"))
        require_family(source, "bunny")
        return source
