"""Checkpoints of diffusers on disk: found, classified and hashed; no weight is loaded here.

Only safetensors are read, and no code that travels with a checkpoint is run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engine.weights import PACKAGE, package_folder
from harness.errors import UserError, error_text, one_line
from harness.jsonfiles import as_object, near_file, read_json
from harness.resources import file_hash, home_path

INDEX = "model_index.json"
XL, SD = "StableDiffusionXLPipeline", "StableDiffusionPipeline"
TEXT_TO_IMAGE = (XL, SD)
REFINERS = ("StableDiffusionXLImg2ImgPipeline",)
INSTRUCTED = (
    "StableDiffusionInstructPix2PixPipeline",
    "StableDiffusionXLInstructPix2PixPipeline",
)
_HALF = ".fp16."
_INSTALL = 'pip install "social-harness-counterfactuals[make]"'


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A diffusers folder.

    Attributes:
        name: As the user named it.
        folder: Where it lies.
        kind: Its pipeline's class.
        variant: ``fp16`` where its weights are there in that form alone.
    """

    name: str
    folder: Path
    kind: str
    variant: str | None

    def config(self, part: str) -> Mapping[str, Any]:
        """Return the ``config.json`` of a part; empty where it has none."""
        path = self.folder / part / "config.json"
        return as_object(read_json(path), path) if path.exists() else {}

    def hashes(self) -> dict[str, str]:
        """Return part to the SHA-256 of its weights; of several files, of their hashes in order."""
        hashes: dict[str, str] = {}
        for part in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            files = sorted(path for path in part.glob("*.safetensors") if self._loads(path))
            if files:
                each = [file_hash(path) for path in files]
                overall = hashlib.sha256("".join(each).encode()).hexdigest()
                hashes[part.name] = each[0] if len(each) == 1 else overall
        return hashes

    def _loads(self, path: Path) -> bool:
        return (_HALF in path.name) == (self.variant is not None)

    def tokenizers(self) -> list[Any]:
        """Return its tokenizers, the first text encoder's first.

        Raises:
            UserError: one is missing or damaged.
        """
        from transformers import AutoTokenizer

        parts = [name for name in ("tokenizer", "tokenizer_2") if (self.folder / name).is_dir()]
        if not parts:
            raise UserError("the checkpoint has no tokenizer", where=self.folder)
        try:
            return [
                AutoTokenizer.from_pretrained(self.folder / part, local_files_only=True)
                for part in parts
            ]
        except (OSError, ValueError) as error:
            raise UserError(
                f"its tokenizer cannot be read: {one_line(error_text(error))}", where=self.folder
            ) from None


def local_checkpoint(name: str) -> Path | None:
    """Return the folder that a model's name means, or ``None`` for an id of the hub.

    Raises:
        UserError: a path at which there is no diffusers folder.
    """
    path = package_folder(name) if name.startswith(PACKAGE) else home_path(name)
    if path.is_dir():
        if not (path / INDEX).is_file():
            raise UserError(
                f"is not a diffusers folder: it has no {INDEX}",
                where=path,
                fix="name the folder that holds unet, vae, text_encoder and scheduler; one file of "
                "weights is converted by the scripts of diffusers",
            )
        return path
    if path.exists():
        raise UserError(
            "is a file, and no diffusers folder",
            where=path,
            fix="convert it: diffusers' from_single_file(FILE).save_pretrained(FOLDER)",
        )
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UserError("the folder does not exist", where=name, fix=near_file(path))
    return None


def open_checkpoint(name: str, kinds: Collection[str], revision: str = "") -> Checkpoint:
    """Find a checkpoint: a folder, or one of the hub, which is brought here first.

    Raises:
        UserError: not there, no diffusers folder, of another pipeline, or without safetensors.
    """
    require_diffusers()
    folder = local_checkpoint(name) or _downloaded(name, revision)
    path = folder / INDEX
    kind = as_object(read_json(path), path).get("_class_name")
    if kind not in kinds:
        raise UserError(
            f"is a checkpoint of {kind}, and one of {' or '.join(kinds)} is needed", where=folder
        )
    weights = sorted((folder / "unet").glob("*.safetensors"))
    if not weights:
        raise UserError(
            "its unet has no .safetensors file; pickled weights are not loaded",
            where=folder / "unet",
            fix="save it anew: pipeline.save_pretrained(FOLDER, safe_serialization=True)",
        )
    half = all(_HALF in one.name for one in weights)
    return Checkpoint(name, folder, str(kind), "fp16" if half else None)


def require_diffusers() -> None:
    """Refuse to go on without what making images needs.

    Raises:
        UserError: it is not installed.
    """
    from importlib.util import find_spec

    for module in ("torch", "transformers", "diffusers", "pyarrow"):
        if find_spec(module) is None:
            raise UserError(f"making images needs {module}", fix=_INSTALL)


def _downloaded(name: str, revision: str) -> Path:
    from diffusers import DiffusionPipeline, logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)  # the error is printed below, once
    try:
        folder = DiffusionPipeline.download(
            name, revision=revision or None, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:  # noqa: BLE001  whatever the hub's client raises
        reason = one_line(error_text(error), 160)
        if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
            reason = "it is not in the local cache, and HF_HUB_OFFLINE is set"
        raise UserError(
            f"cannot be loaded from the hub: {reason}",
            where=name,
            fix="name a folder: --model FOLDER, or bring it here first: hf download",
        ) from None
    finally:
        logging.set_verbosity(level)
    return Path(folder)


def blend_positions(config: Any, side: tuple[int, int]) -> int:
    """Return the pixels of the layers whose maps a local blend sums: a sixteenth of the latents'.

    Args:
        config: The U-Net's.
        side: Height and width of the latents.
    """
    levels = [2**at for at, kind in enumerate(config["down_block_types"]) if "CrossAttn" in kind]
    level = min(levels, key=lambda one: abs(one - 4), default=1)
    return max(1, (side[0] // level) * (side[1] // level))
