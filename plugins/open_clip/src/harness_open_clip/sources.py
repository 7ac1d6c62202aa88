"""Where an encoder's files lie and what tells it from another. Light: no torch."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.descriptors import Json
from harness.engine.checkpoints import (
    Checkpoint,
    open_checkpoint,
    read_json,
    refuse_remote_code,
    require_family,
)
from harness.engine.weights import PACKAGE, hash_files, package_folder, read_header
from harness.errors import UserError
from harness.resources import home_path

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_LOCAL, _HUB = "local-dir:", "hf-hub:"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SMALL = ("*.json", "*.txt", "*.model")


@dataclass(frozen=True, slots=True)
class Encoder:
    """A dual encoder that is found but not loaded.

    Attributes:
        name: As the user wrote it, without its prefix.
        folder: Where its files are; ``None`` for one that open_clip knows by name and tag.
        revision: The hub's commit, or open_clip's version; empty for a folder of the user's.
        checkpoint: The checkpoint, when it is in transformers' format.
    """

    name: str
    folder: Path | None
    revision: str = ""
    checkpoint: Checkpoint | None = None

    @property
    def dtype(self) -> str | None:
        """The dtype that the config names."""
        return None if self.checkpoint is None else self.checkpoint.dtype

    def identity(self, memo: Path | None) -> dict[str, Json]:
        """Return what tells this encoder from another.

        Raises:
            UserError: when weights are missing or damaged.
        """
        if self.checkpoint is not None:
            return {"format": "transformers", **self.checkpoint.identity(memo)}
        if self.folder is None or self.revision:
            return {"format": "open_clip", "name": self.name, "revision": self.revision}
        files = {path for pattern in _SMALL for path in self.folder.glob(pattern)}
        hashed = {path for path in files if path.name != "README.txt"} | {self.weights()}
        return {"format": "open_clip", "sha256": hash_files(hashed, memo)}

    def weights(self) -> Path:
        """Return the weight file of a folder in open_clip's format; the hub's is fetched now.

        Raises:
            UserError: when there is none, or its header is damaged.
        """
        assert self.folder is not None
        for name in WEIGHTS:
            if self.revision and not (self.folder / name).is_file():
                fetch(self.name, self.revision, [name])
            if (self.folder / name).is_file():
                if name.endswith(".safetensors"):
                    read_header(self.folder / name)
                return self.folder / name
        raise UserError(f"the folder holds no weights ({' or '.join(WEIGHTS)})", where=self.folder)


def find_encoder(path: str, revision: str | None, form: str) -> Encoder:
    """Find an encoder and read its config; weights of the hub are fetched when first needed.

    Args:
        path: A folder, a hub id, NAME:TAG, or one of these after ``local-dir:``, ``hf-hub:``,
            ``package:``.
        revision: Branch, tag or commit on the hub.
        form: ``auto``, ``open_clip`` or ``transformers``.

    Raises:
        UserError: when it is not there, or no dual encoder.
    """
    folder = _folder(path)
    if folder is None:
        name = path.removeprefix(_HUB)
        if not _HUB_ID.fullmatch(name):
            return _by_tag(name, revision, form)
        if form != "transformers":
            folder = fetch(name, revision, _SMALL)
            if form == "open_clip" or (folder / CONFIG).is_file():
                _check(folder)
                return Encoder(name, folder, folder.name)
        return _of_transformers(name, revision)
    if revision:
        raise UserError("a local folder has no revision", where=folder, fix="leave out revision")
    if form != "transformers" and (form == "open_clip" or (folder / CONFIG).is_file()):
        _check(folder)
        return Encoder(path, folder)
    if not (folder / "config.json").is_file():
        raise UserError(
            f"this is not a dual encoder: it has neither {CONFIG} nor config.json", where=folder
        )
    return _of_transformers(str(folder), None)


def fetch(name: str, revision: str | None, patterns: Iterable[str]) -> Path:
    """Return the folder of a hub repository that holds the files of these patterns.

    Raises:
        UserError: when it cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # noqa: BLE001  the hub client raises a family of its own
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"cannot fetch {name!r} from the hub: {first}",
            fix=f"hf download {name}, while online, or give a folder",
        ) from None


def _folder(path: str) -> Path | None:
    """Return the folder that a path names; ``None`` when it can only be a hub id or a tag."""
    if path.startswith(PACKAGE):
        return package_folder(path)
    folder = home_path(path.removeprefix(_LOCAL))
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise UserError("an encoder must be a folder, and this is a file", where=folder)
    if path.startswith((_LOCAL, ".", "/", "~")):
        raise UserError("the folder does not exist", where=folder, fix="check the path")
    return None


def _by_tag(name: str, revision: str | None, form: str) -> Encoder:
    model, _, tag = name.partition(":")
    if not model or not tag or form == "transformers":
        raise UserError(
            f"there is no folder {name!r}, and it is not a hub id",
            fix="check the path, or name an open_clip model with its tag: ViT-B-32:openai",
        )
    if revision:
        raise UserError("NAME:TAG has no revision", where=name, fix="give the hub id instead")
    return Encoder(name, None, f"open_clip {importlib.metadata.version('open_clip_torch')}")


def _of_transformers(name: str, revision: str | None) -> Encoder:
    checkpoint = open_checkpoint(name, revision=revision)
    refuse_remote_code(checkpoint)
    _refuse_images_alone(checkpoint)
    require_family(checkpoint, "open_clip")
    return Encoder(name, checkpoint.folder, checkpoint.revision, checkpoint)


def _refuse_images_alone(checkpoint: Checkpoint) -> None:
    """Refuse an encoder without a text side: a ViT, or CLIP's image side by itself."""
    config = checkpoint.config
    kind = str(config.get("model_type"))
    reads_texts = any(key in config for key in ("text_config", "vocab_size"))
    if kind.endswith("_vision_model") or ("image_size" in config and not reads_texts):
        raise UserError(
            f"this encoder has no text side to compare images with: its model_type is {kind!r}",
            where=checkpoint.folder / "config.json",
            fix="give the dual encoder whole, such as openai/clip-vit-base-patch32",
        )


def _check(folder: Path) -> None:
    if not isinstance(read_json(folder / CONFIG).get("model_cfg"), dict):
        raise UserError("not an open_clip config: it has no model_cfg", where=folder / CONFIG)
