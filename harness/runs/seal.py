"""Write and seal an evaluation directory: every file whole, hashed, and only then sealed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from secrets import token_hex
from typing import Any

from harness.errors import UserError
from harness.jsonfiles import as_object, parse_json
from harness.resources import file_hash
from harness.runs.record import FORMAT

SEAL = "seal.json"
SAMPLES = "samples.jsonl"
SEALED = ("evaluation.json", SAMPLES, "metrics.json", "spec.yaml")
PART = ".part"

_ANEW = "remove the evaluation's folder; the same command evaluates anew"


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is the same bytes for the same value; whole or not at all."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_whole(path, [text.encode() + b"\n"])


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file beside its place, force it to disk, then move it there.

    Whoever else writes the same file has another name beside it; the last one there stays.

    Raises:
        UserError: it cannot be written; what stood there stands.
    """
    part = path.with_name(f".{path.name[:200]}.{token_hex(6)}{PART}")
    try:
        try:
            with part.open("xb") as handle:
                for piece in pieces:
                    handle.write(piece)
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(error, path) from None


def not_written(error: OSError, path: Path) -> UserError:
    """Return the message for a file that cannot be written."""
    fix = "free some space, or mend the permissions; the same command then continues"
    return UserError(f"cannot be written: {error.strerror or error}", where=path, fix=fix)


def tidy(directory: Path) -> None:
    """Remove what writers that were killed left of files that never came to their place."""
    for part in directory.glob(f".*{PART}"):
        part.unlink(missing_ok=True)


def seal(directory: Path) -> None:
    """Hash the files of a finished evaluation; from then on it counts."""
    hashes = {name: file_hash(directory / name) for name in SEALED}
    sizes = {name: (directory / name).stat().st_size for name in SEALED}
    tidy(directory)
    write_json(directory / SEAL, {"format": FORMAT, "sha256": hashes, "bytes": sizes})


def is_sealed(directory: Path) -> bool:
    """Whether an evaluation was sealed, without checking the hashes."""
    return (directory / SEAL).is_file()


def check_seal(directory: Path, *, samples: bool = True) -> dict[str, bytes]:
    """Compare an evaluation with its seal; return the bytes of its sealed files but the samples.

    Args:
        directory: Of the evaluation.
        samples: Whether to hash ``samples.jsonl`` too, which is most of the bytes; otherwise only
            its size is compared.

    Raises:
        UserError: unsealed, of a newer format, or changed since it was sealed.
    """
    hashes, sizes = _sealed(directory)
    contents: dict[str, bytes] = {}
    for name in SEALED:
        file = directory / name
        try:
            if name != SAMPLES:
                contents[name] = file.read_bytes()
                same = hashlib.sha256(contents[name]).hexdigest() == hashes.get(name)
            elif samples:
                same = file_hash(file) == hashes.get(name)
            else:
                same = sizes.get(name) in {None, file.stat().st_size}
        except FileNotFoundError:
            raise UserError("a sealed file is missing", where=file, fix=_ANEW) from None
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=file) from None
        if not same:
            raise UserError("changed since it was sealed", where=file, fix=_ANEW)
    return contents


def _sealed(directory: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Return the hashes and sizes that a seal holds."""
    path = directory / SEAL
    if not path.exists():
        raise UserError("this evaluation is not finished", where=directory)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path) from None
    try:
        held = as_object(parse_json(content, path), path)
    except UserError:
        held = {}
    version, hashes, sizes = held.get("format"), held.get("sha256"), held.get("bytes", {})
    if type(version) is not int or not isinstance(hashes, dict) or not isinstance(sizes, dict):
        raise UserError("the seal is damaged", where=path, fix=_ANEW)
    if version > FORMAT:
        raise UserError(
            f"written in format {version}; this harness knows up to {FORMAT}",
            where=directory,
            fix="upgrade social-harness",
        )
    return hashes, sizes
