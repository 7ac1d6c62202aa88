"""The journal: one line per finished block, appended and flushed; a torn line does not count.

Every session writes a segment of its own, so that a line torn by a crash is always a segment's
last. Segments merge in plan order when the evaluation is sealed; of two lines for one block the
one in the later segment counts. What a model has to say of its answers is a line of the same form.

A segment is named by its number, or by number, worker and attempt (``0003-2-1.jsonl``) where jobs
write beside each other on other machines. No two writers ever have one name: a segment is made
only where none of its name is there.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import IO, Any, Self

from harness.descriptors import Json
from harness.errors import UserError, reason_of
from harness.jsonfiles import open_file
from harness.runs.sample_record import SampleRecord, parse_sample

FOLDER = "journal"
_NOTE, _VERDICT = -1, -2  # in place of a block
_KEYS = {_NOTE: "note", _VERDICT: "verdict"}
_parse = json.JSONDecoder().raw_decode


class Journal:
    """Blocks of sample records on disk. Use as a context manager.

    Args:
        directory: The evaluation's directory.
        sizes: Number of samples in each block of the plan; other blocks are refused. Without them
            records are taken as they are.
        name: Name of the segment to write; by default its number.
        sync: Whether each line is forced to disk, for readers on other machines.

    Attributes:
        done: Indexes of the blocks that are there.
        notes: Models' notes on how answers were computed, each once.
        verdict: What the model's check of itself found on the first block; ``None`` before.

    Raises:
        UserError: a whole line that is no block of the plan, or a file that cannot be read.
    """

    def __init__(
        self,
        directory: Path,
        sizes: Sequence[int] | None = None,
        *,
        name: str = "",
        sync: bool = False,
    ) -> None:
        self.notes: list[str] = []
        self.verdict: dict[str, Json] | None = None
        self._sizes = sizes
        self._name, self._sync = name, sync
        self._counts: dict[int, int] = {}
        self._folder = directory / FOLDER
        self._places: dict[int, tuple[Path, int, int]] = {}
        self._segment: IO[bytes] | None = None
        self._path = self._folder  # of the segment
        self._read: dict[Path, tuple[int, int]] = {}  # bytes and lines read of others' segments
        self.merge()

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
            raise UserError(f"cannot be made: {reason_of(error)}", where=self._folder) from None
        return self

    def __exit__(self, *_: object) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()

    def append(self, block: int, records: Sequence[SampleRecord]) -> None:
        """Add a finished block.

        Raises:
            UserError: it cannot be written; what is journaled stays whole.
            TypeError, ValueError: a record holds what is not JSON.
        """
        self._places[block] = self._write(encode(block, [record.to_json() for record in records]))
        self._counts[block] = len(records)

    def note(self, text: str) -> None:
        """Add a model's note, before the block that it concerns.

        Raises:
            UserError: it cannot be written.
        """
        if text not in self.notes:
            self._write(encode(_NOTE, [{"note": text}]))
            self.notes.append(text)

    def settle(self, verdict: Mapping[str, Json]) -> None:
        """Add what the model's check of itself found, before the block it was made on.

        Raises:
            UserError: it cannot be written.
        """
        self._write(encode(_VERDICT, [{"verdict": verdict}]))
        self.verdict = dict(verdict)

    def _write(self, line: bytes) -> tuple[Path, int, int]:
        """Append a line; return its file, first byte and size."""
        try:
            if self._segment is None:
                self._segment = self._new_segment()
            start = self._segment.tell()
            self._segment.write(line)
            self._segment.flush()
            if self._sync:
                os.fsync(self._segment.fileno())
        except OSError as error:
            with suppress(OSError):  # closing writes what the line left, and fails again
                self.__exit__(None, None, None)
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            cause = "the disk is full" if full else f"cannot be written: {reason_of(error)}"
            raise UserError(
                f"{cause}; every finished block is kept",
                where=self._folder,
                fix="free some space, or mend the folder, and give the same command again",
            ) from None
        return self._path, start, len(line)

    def _new_segment(self) -> IO[bytes]:
        """Make a segment of a name that nobody has, and that sorts after those that are there."""
        number = next_number(self._folder)
        while True:
            name = self._name or f"{number:04d}"
            self._path = self._folder / f"{name}.jsonl"
            try:
                return self._path.open("xb")
            except FileExistsError:  # another writer was quicker
                if self._name:
                    raise
                number += 1

    def merge(self) -> list[int]:
        """Read what other writers have added to their segments; return the blocks that are new.

        A line that is not whole yet is read the next time.

        Raises:
            UserError: a whole line that is no block of the plan, or a file that cannot be read.
        """
        before = set(self._places)
        for path in sorted(self._folder.glob("*.jsonl")):
            if path != self._path:
                self._index(path)
        return sorted(set(self._places) - before)

    def merge_notes(self) -> list[str]:
        """Read what other writers have added, as :meth:`merge`; return the notes that are new."""
        before = len(self.notes)
        self.merge()
        return self.notes[before:]

    def records(self, block: int) -> list[SampleRecord]:
        """Return the records of a finished block, which :meth:`lines` reads."""
        return [record for record, _ in self.lines(block)]

    def lines(self, block: int) -> Iterator[tuple[SampleRecord, str]]:
        """Yield each record of a finished block, and the JSON that was written of it.

        Raises:
            UserError: the segment was changed since it was read.
        """
        path, start, size = self._places[block]
        with open_file(path) as handle:
            handle.seek(start)
            body = _body(handle.read(size))
        if body is None:
            raise UserError("changed while it was read", where=path)
        text = body.decode()
        position, end = text.index("[", 1) + 1, len(text) - 2  # see encode
        while position < end:
            record, after = _parse(text, position)
            yield SampleRecord.from_json(record), text[position:after]
            position = after + 1

    def forget(self, block: int) -> None:
        """Count a block as not done; a new line for it replaces the old one."""
        self._places.pop(block)

    def blocks(self) -> Iterator[list[SampleRecord]]:
        """Yield the records of every block, in plan order."""
        for block in sorted(self._places):
            yield self.records(block)

    def _index(self, path: Path) -> None:
        """Read the lines that a segment gained since it was last read."""
        position, number = self._read.get(path, (0, 0))
        try:
            with open_file(path) as handle:
                handle.seek(position)
                for line in handle:
                    decoded = self._checked(line, f"{path}:{number + 1}")
                    if decoded is not None:
                        self._keep(*decoded, (path, position, len(line)))
                    if line.endswith(b"\n"):
                        position, number = position + len(line), number + 1
        except FileNotFoundError:
            return  # sealed by another process since the folder was listed
        except OSError as error:
            raise UserError(f"cannot be read: {reason_of(error)}", where=path) from None
        self._read[path] = position, number

    def _keep(
        self, block: int, entries: list[dict[str, Any]], position: tuple[Path, int, int]
    ) -> None:
        if block == _NOTE:
            notes = [entry["note"] for entry in entries]
            self.notes += [note for note in notes if note not in self.notes]
        elif block == _VERDICT:
            self.verdict = self.verdict or entries[0]["verdict"]
        else:
            self._places[block] = position
            self._counts[block] = len(entries)

    def _checked(self, line: bytes, where: str) -> tuple[int, list[dict[str, Any]]] | None:
        """Return block and records of a line, ``None`` when it is torn or damaged."""
        decoded = decode(line, where)
        sizes = self._sizes
        if decoded is None or decoded[0] < 0 or sizes is None:
            return decoded
        block, records = decoded
        if (
            block >= len(sizes)
            or len(records) != sizes[block]
            or not all(map(parse_sample, records))
        ):
            raise _refused(where)
        return decoded


def next_number(folder: Path) -> int:
    """Return a number for a segment that sorts after every one in a journal's folder."""
    numbers = [path.name.partition("-")[0].partition(".")[0] for path in folder.glob("*.jsonl")]
    return max((int(number) + 1 for number in numbers if number.isdecimal()), default=0)


def remove_journal(directory: Path) -> None:
    """Delete an evaluation's journal after sealing."""
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
    if (body := _body(line)) is None:
        return None
    try:
        block, records = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        raise _refused(where) from None
    if type(block) is not int or block < _VERDICT or not body.startswith(b"[%d,[" % block):
        raise _refused(where)  # other spaces would be copied into the sealed file
    key, kind = _KEYS.get(block, "id"), dict if block == _VERDICT else str
    if block == _VERDICT and len(records) != 1:
        raise _refused(where)
    if not all(isinstance(entry, dict) and isinstance(entry.get(key), kind) for entry in records):
        raise _refused(where)
    return block, records


def _body(line: bytes) -> bytes | None:
    body = line[9:-1]
    return body if line == b"%08x %b\n" % (zlib.crc32(body), body) else None


def _refused(where: str) -> UserError:
    evaluation = quote(str(Path(where).parent.parent))
    return UserError(
        "this line was not written by a run of this evaluation",
        where=where,
        fix=f"harness results rm {evaluation}; the same command then restarts",
    )
