"""Where Bunny's vision tower comes from: its sizes, its preprocessing, its weights. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.engine.checkpoints import Checkpoint, iterate_file, open_checkpoint, weight_files
from harness.engine.weights import read_header
from harness.errors import UserError
from harness.resources import home_path

OWN = "model.vision_tower.vision_tower.vision_model."
"""Before the names of the tower's tensors in Bunny's own files."""

KNOWN: Mapping[str, Mapping[str, Json]] = {
    "siglip-so400m-patch14-384": {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "patch_size": 14,
        "image_size": 384,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
    }
}
"""Sizes of the stock towers, by the last part of their name."""


@dataclass(frozen=True, slots=True)
class Tower:
    """A vision tower that is found but not loaded.

    Attributes:
        name: As the checkpoint or the user writes it.
        config: Its sizes, as ``SiglipVisionConfig`` takes them.
        folder: Where its preprocessing is described; ``None``: SigLIP's own.
        weights: Where its weights are; ``None``: in Bunny's own files.
    """

    name: str
    config: Mapping[str, Any]
    folder: Path | None
    weights: Checkpoint | None

    def identity(self, memo: Path | None) -> dict[str, Json]:
        """Return what can change the tower's numbers beside Bunny's own files."""
        about: dict[str, Json] = {"config": dict(self.config)}
        if self.weights is not None:
            about["weights"] = self.weights.identity(memo)
        elif self.folder is not None:
            checkpoint = Checkpoint(self.name, self.folder, "", self.config)
            about |= checkpoint.identity(memo, weights=False)
        return about


def find_tower(source: Checkpoint, override: str | None) -> Tower:
    """Return the tower of a checkpoint.

    A tuned tower (``unfreeze_vision_tower``) comes from Bunny's own files. A frozen one is the
    stock tower: from a folder that holds its weights; else from Bunny's files, which hold the same
    ones; else from the hub.

    Args:
        source: The Bunny checkpoint.
        override: Folder or hub id in place of what the config names.

    Raises:
        UserError: when it cannot be had.
    """
    name = str(override or source.config.get("mm_vision_tower") or "")
    if not name:
        raise UserError(
            "the config names no vision tower (mm_vision_tower)",
            where=source.folder / "config.json",
            fix="-o vision_tower=FOLDER or HUB_ID",
        )
    base = None if override else source.folder
    tuned = bool(source.config.get("unfreeze_vision_tower"))
    inside = tuned or any(tensor.startswith(OWN) for tensor in _tensor_names(source))
    known_config = KNOWN.get(Path(name).name)
    local = ((base or Path()) / home_path(name)).is_dir()
    if known_config is not None and not local and inside:
        return Tower(name, known_config, None, None)
    try:
        checkpoint = open_checkpoint(name, base=base)
    except UserError as error:
        raise UserError(
            f"the checkpoint's vision tower cannot be loaded: {error.message}",
            where=error.where,
            fix="-o vision_tower=FOLDER or HUB_ID",
        ) from None
    config = dict(checkpoint.config.get("vision_config") or checkpoint.config)
    from_bunny = tuned or (inside and not _has_weights(checkpoint))
    return Tower(
        name,
        {**(known_config or {}), **config},
        checkpoint.folder,
        None if from_bunny else checkpoint,
    )


def _tensor_names(source: Checkpoint) -> Iterator[str]:
    """Yield the names of all tensors; of safetensors, headers alone are read."""
    for path in weight_files(source):
        yield from read_header(path) if path.suffix == ".safetensors" else dict(iterate_file(path))


def _has_weights(checkpoint: Checkpoint) -> bool:
    return any(next(checkpoint.folder.glob(form), None) for form in ("*.safetensors", "*.bin"))
