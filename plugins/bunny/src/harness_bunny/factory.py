"""The model as the harness sees it: a light identity first, weights when something is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.engine.checkpoints import Checkpoint, open_checkpoint, require_family
from harness.engine.devices import resolve_device, resolve_dtype, torch_dtype
from harness.engine.weights import user_cache
from harness.errors import UserError
from harness.models import Runtime

from harness_bunny.towers import find_tower

if TYPE_CHECKING:
    from harness.engine.answerer import EngineAnswerer

    from harness_bunny.model import BunnyModel

_SCHEME = 1  # raised when the way answers are computed changes their numbers


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
        source = self._open()
        tower = find_tower(source, self._options.get("vision_tower"))
        dtype = torch_dtype(resolve_dtype(runtime.dtype, source.dtype))
        about = {**self.identity(runtime), "device": device.type}
        return checkpoint.load(source, tower, self._options, about, dtype).to(device)

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
