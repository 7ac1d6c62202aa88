"""Write and seal the directory of a result: every file whole, hashed, and only then sealed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from harness.errors import UserError, reason_of
from harness.jsonfiles import as_object, open_file, parse_json, refuse_missing
from harness.resources import file_hash
from harness.runs.record import FORMAT

SEAL = "seal.json"
SAMPLES = "samples.jsonl"
SEALED = ("evaluation.json", SAMPLES, "metrics.json", "spec.yaml")
PART = ".part"
_DEVICES = Path("/dev")


@dataclass(frozen=True, slots=True)
class Sealing:
    """How one kind of result is sealed, and what messages say of it.

    Attributes:
        file: Name of the seal. Kinds differ, so that none is taken for another.
        format: The newest format that this harness reads.
        unfinished: The message for a directory without a seal.
        anew: What to do about a damaged one.
    """

    file: str
    format: int
    unfinished: str
    anew: str


EVALUATION = Sealing(
    SEAL,
    FORMAT,
    "this evaluation is not finished",
    "remove the evaluation's folder; the same command evaluates anew",
)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; equal values give equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_whole(path, [text.encode() + b"\n"])


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file as :func:`open_whole` does.

    Raises:
        UserError: it cannot be written; the old file stays.
    """
    with open_whole(path) as handle:
        for piece in pieces:
            handle.write(piece)


@contextmanager
def open_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to be written atomically: beside its place, forced to disk, then moved there.

    Its folders are made. Concurrent writers use different temporary names; the last one wins. What
    a link leads to is replaced, not the link, and a pipe or a device is written to as it is.

    Raises:
        UserError: it cannot be written; the old file stays.
    """
    try:
        if path.parent == _DEVICES or path.is_fifo() or path.is_char_device():
            with path.open("wb") as handle:
                yield handle
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name[:200]}.{token_hex(6)}{PART}")
        try:
            with part.open("xb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(error, path) from None


def not_written(error: OSError, path: Path) -> UserError:
    """Return the message for a file that cannot be written."""
    fix = "free some space, or mend the permissions; the same command then continues"
    return UserError(f"cannot be written: {reason_of(error)}", where=path, fix=fix)


def tidy(directory: Path) -> None:
    """Remove temporary files that killed writers left."""
    for part in directory.glob(f".*{PART}"):
        part.unlink(missing_ok=True)


def seal(directory: Path) -> None:
    """Hash the files of a finished evaluation; from then on it counts."""
    tidy(directory)
    seal_files(directory, SEALED, EVALUATION)


def seal_files(directory: Path, names: Iterable[str], sealing: Sealing) -> None:
    """Write the seal of a finished result: hash and size of each of its files."""
    files = {name: directory / name for name in names}
    write_json(
        directory / sealing.file,
        {
            "format": sealing.format,
            "sha256": {name: file_hash(file) for name, file in files.items()},
            "bytes": {name: file.stat().st_size for name, file in files.items()},
        },
    )


def is_sealed(directory: Path) -> bool:
    """Whether an evaluation was sealed, without checking the hashes."""
    return (directory / SEAL).is_file()


def check_seal(directory: Path, *, samples: bool = True) -> dict[str, bytes]:
    """Compare an evaluation with its seal; return the bytes of its sealed files but the samples.

    Args:
        directory: The evaluation's directory.
        samples: Whether to hash ``samples.jsonl`` too, which is most of the bytes; otherwise only
            its size is compared.

    Raises:
        UserError: unsealed, of a newer format, or changed since it was sealed.
    """
    hashes, sizes = _read(directory, EVALUATION)
    small = {name: hashes.get(name) for name in SEALED if name != SAMPLES}
    contents = _check(directory, small, EVALUATION)
    file = directory / SAMPLES
    try:
        if samples:
            same = file_hash(file) == hashes.get(SAMPLES)
        else:
            same = sizes.get(SAMPLES) in {None, file.stat().st_size}
    except OSError as error:
        raise _unreadable(error, file, EVALUATION) from None
    if not same:
        raise UserError("changed since it was sealed", where=file, fix=EVALUATION.anew)
    return contents


def check_files(directory: Path, needed: Collection[str], sealing: Sealing) -> dict[str, bytes]:
    """Compare every file that a seal names with it; return their bytes.

    Raises:
        UserError: unsealed, of a newer format, changed since it was sealed, or a seal that names
            none of the ``needed`` files or one outside its directory.
    """
    hashes, _ = _read(directory, sealing)
    if not hashes.keys() >= set(needed) or any(Path(name).name != name for name in hashes):
        raise UserError("the seal is damaged", where=directory / sealing.file, fix=sealing.anew)
    return _check(directory, hashes, sealing)


def _check(directory: Path, hashes: Mapping[str, str | None], sealing: Sealing) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for name, expected in hashes.items():
        file = directory / name
        try:
            with open_file(file) as opened:
                contents[name] = opened.read()
        except OSError as error:
            raise _unreadable(error, file, sealing) from None
        if hashlib.sha256(contents[name]).hexdigest() != expected:
            raise UserError("changed since it was sealed", where=file, fix=sealing.anew)
    return contents


def _unreadable(error: OSError, file: Path, sealing: Sealing) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError("a sealed file is missing", where=file, fix=sealing.anew)
    return UserError(f"cannot be read: {reason_of(error)}", where=file)


def _read(directory: Path, sealing: Sealing) -> tuple[dict[str, str], dict[str, int]]:
    """Return the hashes and sizes that a seal holds; older ones of analyses hold no sizes."""
    path = directory / sealing.file
    if not path.exists():
        refuse_missing(directory)
        raise UserError(sealing.unfinished, where=directory)
    try:
        with open_file(path) as opened:
            content = opened.read()
    except OSError as error:
        raise UserError(f"cannot be read: {reason_of(error)}", where=path) from None
    try:
        body = as_object(parse_json(content, path), path)
    except UserError:
        body = {}
    version, hashes, sizes = body.get("format"), body.get("sha256"), body.get("bytes", {})
    if not (isinstance(hashes, dict) and isinstance(sizes, dict)):
        hashes, sizes, version = {}, {}, None
    if type(version) is not int or version < 1:
        raise UserError("the seal is damaged", where=path, fix=sealing.anew)
    if version > sealing.format:
        raise UserError(
            f"written in format {version}; this harness knows up to {sealing.format}",
            where=directory,
            fix="upgrade social-harness",
        )
    return hashes, sizes
