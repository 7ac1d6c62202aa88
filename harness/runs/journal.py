"""The journal: one line a finished block, appended and flushed; whole or not there at all.

Every session writes a segment of its own, so that a line torn by a crash is always a segment's
last. Segments merge in plan order when the evaluation is sealed; of two lines for one block the
later one counts. What a model has to say of its answers is a line of the same form.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from harness.errors import HarnessError

FOLDER = "journal"
_NOTE = -1  # in place of a block


class Journal:
    """Blocks of sample records on disk. Use as a context manager.

    Attributes:
        done: Indexes of the blocks that are there.
        notes: What models said of how the answers were computed, each once.
    """

    def __init__(self, directory: Path) -> None:
        self.notes: list[str] = []
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

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
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

    def append(self, block: int, records: list[dict[str, Any]]) -> None:
        """Add a finished block.

        Raises:
            HarnessError: when the disk is full; what is journaled stays whole.
            TypeError, ValueError: a record holds what is no JSON.
        """
        self._places[block] = self._write(encode(block, records))

    def note(self, text: str) -> None:
        """Add what a model has to say, before the block it concerns.

        Raises:
            HarnessError: when the disk is full.
        """
        if text not in self.notes:
            self._write(encode(_NOTE, [{"note": text}]))
            self.notes.append(text)

    def _write(self, line: bytes) -> tuple[Path, int, int]:
        """Append a line; return where it is: file, first byte, size."""
        if self._segment is None:
            number = len(list(self._folder.glob("*.jsonl")))
            self._path = self._folder / f"{number:04d}.jsonl"
            self._segment = self._path.open("xb")
        start = self._segment.tell()
        try:
            self._segment.write(line)
            self._segment.flush()
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise HarnessError(
                    "the disk is full; every finished block is kept",
                    where=self._folder,
                    fix="free some space and give the same command again",
                ) from None
            raise
        return self._path, start, len(line)

    def forget(self, block: int) -> None:
        """Count a block as not done; what is appended for it goes before what there was."""
        self._places.pop(block)

    def blocks(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the records of every block, in plan order."""
        for block in sorted(self._places):
            path, start, size = self._places[block]
            with path.open("rb") as handle:
                handle.seek(start)
                found = decode(handle.read(size))
            assert found is not None
            yield found[1]

    def remove(self) -> None:
        """Delete the journal, once what it held is sealed."""
        for path in self._folder.glob("*.jsonl"):
            path.unlink()
        if self._folder.is_dir():
            self._folder.rmdir()

    def _index(self, path: Path) -> None:
        position = 0
        with path.open("rb") as handle:
            for line in handle:
                found = decode(line)
                if found is not None and found[0] == _NOTE:
                    self.notes += [one["note"] for one in found[1]]
                elif found is not None:
                    self._places[found[0]] = (path, position, len(line))
                position += len(line)


def encode(block: int, records: list[dict[str, Any]]) -> bytes:
    """Return a block as one line: checksum, blank, JSON, newline."""
    body = json.dumps(
        [block, records], separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
    return b"%08x " % zlib.crc32(body) + body + b"\n"


def decode(line: bytes) -> tuple[int, list[dict[str, Any]]] | None:
    """Return block and records of a line, or ``None`` when it is torn or damaged."""
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    body = line[9:-1]
    if b"%08x" % zlib.crc32(body) != line[:8]:
        return None
    block, records = json.loads(body)
    return int(block), records


def sync(path: Path) -> None:
    """Force a file's bytes onto the disk."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
