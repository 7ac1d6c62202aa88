"""The model as the harness sees it: which Bunny a checkpoint is, and where its tower lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.engine.checkpoint_model import ReleasedModel, of_features
from harness.engine.checkpoints import Checkpoint
from harness.engine.loading import after_load, is_placed, load_arguments
from harness.models import Runtime
from harness.models.devices import resolve_device

from harness_bunny.options import OPTIONS
from harness_bunny.towers import find_tower

if TYPE_CHECKING:
    from harness_bunny.model import BunnyModel


class Bunny(ReleasedModel):
    """A Bunny checkpoint that is known but not loaded."""

    id = "bunny"
    descriptor_options = OPTIONS
    example = "v1.1-llama-3-8b"
    identity_options = ("image_aspect", "context", "score_eos")

    def about(self, source: Checkpoint, memo: Path) -> dict[str, Json]:
        """Return who the tower is."""
        return {"tower": find_tower(source, self.options.get("vision_tower")).identity(memo)}

    def towers(self, source: Checkpoint) -> tuple[Checkpoint, ...]:
        """Return the tower, unless it lies in Bunny's own files."""
        tower = find_tower(source, self.options.get("vision_tower")).weights
        return () if tower is None else (tower,)

    def load_model(self, runtime: Runtime) -> BunnyModel:
        """Return the model as the engine takes it, on its device."""
        from harness_bunny import checkpoint

        device = resolve_device(runtime.device)
        source, options = self.open(), self.options
        tower = find_tower(source, options.get("vision_tower"))
        about = self.identity(runtime)
        loading = load_arguments(
            options, runtime, str(about["dtype"]), weights=self.weight_bytes(runtime, fetch=True)
        )
        model = checkpoint.load(source, tower, options, of_features(about), loading)
        model.to(device, language_model=not is_placed(options))
        model.language_model = after_load(model.language_model, options, parts=model.named_parts())
        return model
