"""The journal: one line a finished block, appended and flushed; whole or not there at all.

Every session writes a segment of its own, so that a line torn by a crash is always a segment's
last. Segments merge in plan order when the evaluation is sealed; of two lines for one block the
later one counts. What a model has to say of its answers is a line of the same form.
"""

from __future__ import annotations

import errno
import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from harness.errors import UserError
from harness.runs.sample_record import SampleRecord, parse_sample

FOLDER = "journal"
_NOTE = -1  # in place of a block


class Journal:
    """Blocks of sample records on disk. Use as a context manager.

    Args:
        directory: Of the evaluation.
        sizes: Samples in each block of its plan; what is no such block is refused. Without them
            records are taken as they are.

    Attributes:
        done: Indexes of the blocks that are there.
        notes: What models said of how the answers were computed, each once.

    Raises:
        UserError: a whole line that is no block of the plan, or a file that cannot be read.
    """

    def __init__(self, directory: Path, sizes: Sequence[int] | None = None) -> None:
        self.notes: list[str] = []
        self._sizes = sizes
        self._counts: dict[int, int] = {}
        self._folder = directory / FOLDER
        self._places: dict[int, tuple[Path, int, int]] = {}
        self._segment: IO[bytes] | None = None
        self._path = self._folder  # of the segment
        for path in sorted(self._folder.glob("*.jsonl")):
            self._index(path)

    @property
    def done(self) -> frozenset[int]:
        """Indexes of finished blocks."""
        return frozenset(self._places)

    @property
    def samples(self) -> int:
        """Samples in finished blocks."""
        return sum(self._counts[block] for block in self._places)

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot be made: {error.strerror}", where=self._folder) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def append(self, block: int, records: Sequence[SampleRecord]) -> None:
        """Add a finished block.

        Raises:
            UserError: it cannot be written; what is journaled stays whole.
            TypeError, ValueError: a record holds what is no JSON.
        """
        self._places[block] = self._write(encode(block, [record.to_json() for record in records]))
        self._counts[block] = len(records)

    def note(self, text: str) -> None:
        """Add what a model has to say, before the block it concerns.

        Raises:
            UserError: it cannot be written.
        """
        if text not in self.notes:
            self._write(encode(_NOTE, [{"note": text}]))
            self.notes.append(text)

    def _write(self, line: bytes) -> tuple[Path, int, int]:
        """Append a line; return where it is: file, first byte, size."""
        try:
            if self._segment is None:
                number = len(list(self._folder.glob("*.jsonl")))
                self._path = self._folder / f"{number:04d}.jsonl"
                self._segment = self._path.open("xb")
            start = self._segment.tell()
            self._segment.write(line)
            self._segment.flush()
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            said = "the disk is full" if full else f"cannot be written: {error.strerror or error}"
            raise UserError(
                f"{said}; every finished block is kept",
                where=self._folder,
                fix="free some space, or mend the folder, and give the same command again",
            ) from None
        return self._path, start, len(line)

    def forget(self, block: int) -> None:
        """Count a block as not done; what is appended for it goes before what there was."""
        self._places.pop(block)

    def blocks(self) -> Iterator[list[SampleRecord]]:
        """Yield the records of every block, in plan order."""
        for block in sorted(self._places):
            path, start, size = self._places[block]
            with path.open("rb") as handle:
                handle.seek(start)
                found = decode(handle.read(size))
            if found is None:
                raise UserError("changed while it was read", where=path)
            yield [SampleRecord.from_json(record) for record in found[1]]

    def _index(self, path: Path) -> None:
        position = 0
        try:
            with path.open("rb") as handle:
                for number, line in enumerate(handle, 1):
                    found = self._taken(line, f"{path}:{number}")
                    if found is not None and found[0] == _NOTE:
                        self.notes += [one["note"] for one in found[1]]
                    elif found is not None:
                        self._places[found[0]] = (path, position, len(line))
                        self._counts[found[0]] = len(found[1])
                    position += len(line)
        except FileNotFoundError:
            return  # sealed by another process since the folder was listed
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", where=path) from None

    def _taken(self, line: bytes, where: str) -> tuple[int, list[dict[str, Any]]] | None:
        """Return block and records of a line, ``None`` when it is torn or damaged."""
        found = decode(line, where)
        sizes = self._sizes
        if found is None or found[0] == _NOTE or sizes is None:
            return found
        block, records = found
        if (
            block >= len(sizes)
            or len(records) != sizes[block]
            or not all(map(parse_sample, records))
        ):
            raise _refused(where)
        return found


def remove_journal(directory: Path) -> None:
    """Delete an evaluation's journal, once what it held is sealed."""
    shutil.rmtree(directory / FOLDER, ignore_errors=True)


def encode(block: int, records: list[dict[str, Any]]) -> bytes:
    """Return a block as one line: checksum, blank, JSON, newline."""
    body = json.dumps(
        [block, records], separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def decode(line: bytes, where: str = "the journal") -> tuple[int, list[dict[str, Any]]] | None:
    """Return block and records of a line, or ``None`` when it is torn or damaged.

    Raises:
        UserError: the line is whole, and was not written by a journal.
    """
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    body = line[9:-1]
    if b"%08x" % zlib.crc32(body) != line[:8]:
        return None
    try:
        block, records = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        raise _refused(where) from None
    if type(block) is not int or block < _NOTE or not isinstance(records, list):
        raise _refused(where)
    key = "note" if block == _NOTE else "id"
    if not all(isinstance(one, dict) and isinstance(one.get(key), str) for one in records):
        raise _refused(where)
    return block, records


def _refused(where: str) -> UserError:
    return UserError(
        "a line that no run of this evaluation wrote",
        where=where,
        fix="harness results rm with the evaluation's folder; the same command then begins anew",
    )
