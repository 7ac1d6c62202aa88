"""Hashes of weight files, and a look at a safetensors header before anything is loaded.

Imports no torch, so a model's identity can use it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError, reason_of
from harness.resources import file_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER_LIMIT = 100_000_000
_MEMO = "weight_hashes.json"
_SMALL = 2**20  # bytes: hashed in less time than the memory is read
_REMEMBERED = 2000  # files, the oldest forgotten first
PACKAGE = "package:"
"""Begins the address of a folder inside an installed package: ``package:NAME/folder``."""


def package_folder(address: str) -> Path:
    """Return the folder that ``package:NAME/folder`` names; nothing of the package is imported.

    Raises:
        UserError: when the package is not installed or has no such folder.
    """
    package, _, inside = address.removeprefix(PACKAGE).partition("/")
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise UserError(
            f"the package {package!r} is not installed",
            where=address,
            fix=f"pip install social-{package.replace('_', '-')}",
        )
    path = Path(places[0]) / inside
    if not path.is_dir():
        raise UserError(f"there is no folder {address!r}", where=path)
    return path


def hash_file(path: Path, memo: Path | None = None) -> str:
    """Return the sha256 of a file, remembered by what tells that the file is another one.

    Size and modification time alone do not: copies keep the times (``cp -p``, rsync, tar), and
    adapters of one shape are of one size. The inode and its change time cannot be set by hand.

    Args:
        path: The file.
        memo: Folder of the memory, which holds large files only; ``None`` hashes anew.

    Raises:
        UserError: when the file cannot be read.
    """
    try:
        real = path.resolve(strict=True)
        stat = real.stat()
        key = f"{real}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}|{stat.st_ctime_ns}"
        memo = memo if stat.st_size > _SMALL else None
        hashes = _read_memo(memo)
        if key in hashes:
            return hashes[key]
        digest = file_hash(real)
    except OSError as error:
        raise UserError(f"cannot read the file: {reason_of(error)}", where=path) from None
    if memo is not None:
        remembered = [*_read_memo(memo).items(), (key, digest)]
        _write_memo(memo, dict(remembered[-_REMEMBERED:]))
    return digest


def hash_files(paths: Iterable[Path], memo: Path | None = None) -> str:
    """Return one sha256 of several files' names and contents, in order of name."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        digest.update(f"{path.name}\0{hash_file(path, memo)}\n".encode())
    return digest.hexdigest()


def user_cache() -> Path:
    """Return the folder for what is worth keeping between runs of any project."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "social-harness"


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """Return name to ``{dtype, shape, data_offsets}`` of a safetensors file's tensors.

    Raises:
        UserError: when the file is missing, cut short, or not safetensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, _HEADER_LIMIT):
                raise ValueError("its header is longer than the file")
            header = json.loads(stream.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is not a table")
        header.pop("__metadata__", None)
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
        if end != size - 8 - length:
            raise ValueError(f"it should hold {end} bytes of weights, it holds {size - 8 - length}")
    except FileNotFoundError:
        raise UserError("the weight file is not there", where=path) from None
    except OSError as error:
        raise UserError(f"cannot read the file: {reason_of(error)}", where=path) from None
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise UserError(
            f"not a whole safetensors file: {error}",
            where=path,
            fix="copy or download the file again",
        ) from None
    return header


def _read_memo(memo: Path | None) -> dict[str, str]:
    if memo is None:
        return {}
    try:
        hashes = json.loads((memo / _MEMO).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _write_memo(memo: Path, hashes: dict[str, str]) -> None:
    try:
        write_atomically(memo / _MEMO, json.dumps(hashes, indent=0).encode())
    except OSError:
        return  # a memory that cannot be kept costs time, never the run


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that another process sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
