"""Where weights lie and what they hash to. Light: no torch, nothing of a package is imported."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engine.weights import PACKAGE, hash_files, package_folder, read_header
from harness.errors import UserError
from harness.resources import home_path

_LOCAL, _HUB = "local-dir:", "hf-hub:"
_ENCODER_CONFIG = "open_clip_config.json"
_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True, slots=True)
class Source:
    """A part's weights as found on this machine.

    Attributes:
        name: As the configuration writes it.
        folder: Where they lie; ``None`` for an encoder that open_clip knows by name and tag.
        revision: The hub's commit or open_clip's version; empty for a folder.
        sha256: Hash over weights, configuration and tokenizer files; empty without a folder.
    """

    name: str
    folder: Path | None
    revision: str
    sha256: str


def resolve_path(name: str, base: Path | None = None) -> Path:
    """Return the folder that a path or ``package:NAME/folder`` names.

    Args:
        name: As the user or a configuration wrote it.
        base: Folder that relative paths start from; the working directory by default.

    Raises:
        UserError: when the package is not installed or there is no such folder.
    """
    if name.startswith(PACKAGE):
        return package_folder(name)
    path = (base or Path()) / home_path(name)
    if not path.is_dir():
        raise UserError(f"there is no folder {name!r}", where=path)
    return path


def find_encoder(name: str, revision: str | None, base: Path | None, memo: Path | None) -> Source:
    """Return where an open_clip encoder lies.

    Raises:
        UserError: when it is not there or not an open_clip folder with safetensors.
    """
    if name.startswith((_LOCAL, PACKAGE)):
        return _from_folder(name, resolve_path(name.removeprefix(_LOCAL), base), memo, encoder=True)
    if name.startswith(_HUB):
        return _from_hub(name, name.removeprefix(_HUB), revision, memo, encoder=True)
    model, _, tag = name.partition(":")
    if not model or not tag:
        raise UserError(
            f"the encoder {name!r} is not NAME:TAG, hf-hub:ORG/NAME or local-dir:PATH",
            fix="for example encoder=ViT-L-14-336:openai",
        )
    return Source(name, None, f"open_clip {importlib.metadata.version('open_clip_torch')}", "")


def find_language_model(
    name: str, revision: str | None, base: Path | None, memo: Path | None
) -> Source:
    """Return where a causal language model lies.

    Raises:
        UserError: when it is not there or has no safetensors.
    """
    local = name.startswith((PACKAGE, ".", "/", "~")) or ((base or Path()) / name).is_dir()
    if local:
        return _from_folder(name, resolve_path(name, base), memo, encoder=False)
    return _from_hub(name, name, revision, memo, encoder=False)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file.

    Raises:
        UserError: when it is not there or not a JSON object.
    """
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("the file does not exist", where=path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"not readable as JSON: {error}", where=path) from None
    if not isinstance(parsed, dict):
        raise UserError("not a JSON object", where=path)
    return parsed


def check_source(source: Source, recorded: Mapping[str, Any], part: str, where: Path) -> None:
    """Refuse weights that are not those a checkpoint was trained with.

    Raises:
        UserError: when the checkpoint records another hash.
    """
    expected = recorded.get("sha256") or ""
    if expected and source.sha256 and expected != source.sha256:
        raise UserError(
            f"the {part} {source.name!r} is not the one this checkpoint was trained with: "
            f"its hash is {source.sha256[:12]}, the checkpoint says {expected[:12]}",
            where=where,
            fix=f"give the {part} the checkpoint names, or train again",
        )


def _from_folder(name: str, folder: Path, memo: Path | None, *, encoder: bool) -> Source:
    config = _ENCODER_CONFIG if encoder else "config.json"
    read_json(folder / config)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserError(
            "the folder holds no .safetensors file; other formats are not read", where=folder
        )
    for path in weights:
        read_header(path)
    # An image encoder does not depend on the text tokenizer that may lie beside it.
    patterns = (_ENCODER_CONFIG, "*.safetensors") if encoder else _FILES
    files = {path for pattern in patterns for path in folder.glob(pattern)}
    files = {path for path in files if path.name != "README.txt"}
    return Source(name, folder, "", hash_files(files, memo))


def _from_hub(
    name: str, repository: str, revision: str | None, memo: Path | None, *, encoder: bool
) -> Source:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # noqa: BLE001  the hub client raises a family of its own
        first = str(error).strip().partition("\n")[0]
        raise UserError(
            f"cannot fetch {repository!r} from the hub: {first}",
            fix=f"hf download {repository}, while online, or give a folder",
        ) from None
    source = _from_folder(name, folder, memo, encoder=encoder)
    return Source(name, folder, folder.name, source.sha256)
