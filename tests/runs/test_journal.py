"""The journal: whole lines or none; damage costs its own block, a full disk loses nothing."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.requests import Scores
from harness.runs.journal import Journal, decode, encode, remove_journal
from harness.runs.sample_record import SampleRecord, Written

RECORDS = [
    SampleRecord("a", "c", None, written=Written("naïve\n", "stop")),
    SampleRecord("b", "c", "yes", scores=Scores("logprob", (-1.5,))),
]
LINES = [record.to_json() for record in RECORDS]


def test_blocks_come_back_in_plan_order(tmp_path: Path) -> None:
    for block in (2, 0):
        with Journal(tmp_path) as journal:  # each session writes a segment of its own
            journal.append(block, [SampleRecord(str(block), "c", None)])
    with Journal(tmp_path) as journal:
        journal.append(1, RECORDS)
        assert [records[0].id for records in journal.blocks()] == ["0", "a", "2"]
    assert Journal(tmp_path).done == {0, 1, 2}
    assert len(list((tmp_path / "journal").iterdir())) == 3


def test_a_forgotten_block_is_appended_anew(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(0, RECORDS)
    with Journal(tmp_path) as journal:
        journal.forget(0)
        assert journal.done == frozenset()
        journal.append(0, RECORDS[1:])
    assert list(Journal(tmp_path).blocks()) == [RECORDS[1:]]


def test_notes_stand_between_blocks_each_once(tmp_path: Path) -> None:
    for block in (0, 1):
        with Journal(tmp_path) as journal:
            journal.note("sharing is off")
            journal.append(block, RECORDS)
    content = Journal(tmp_path)
    assert content.notes == ["sharing is off"]
    assert content.done == {0, 1}
    assert len(list(content.blocks())) == 2
    remove_journal(tmp_path)
    assert Journal(tmp_path).notes == []


@given(cut=st.integers(min_value=0, max_value=200))
def test_no_part_of_a_line_is_taken_for_a_block(cut: int) -> None:
    line = encode(3, LINES)
    assert decode(line) == (3, json.loads(json.dumps(LINES)))
    if cut < len(line):
        assert decode(line[:cut]) is None


@given(place=st.integers(min_value=0), value=st.integers(0, 255))
def test_a_changed_byte_is_noticed(place: int, value: int) -> None:
    line = bytearray(encode(3, LINES))
    place %= len(line)
    changed = line[place] != value
    line[place] = value
    assert (decode(bytes(line)) is None) == changed


def test_a_full_disk_keeps_what_is_there_and_says_how_to_continue(tmp_path: Path) -> None:
    class Full:
        """A file on a full disk."""

        name = "full"

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def tell(self) -> int:
            return int(self.inner.tell())

        def write(self, data: bytes) -> int:
            self.inner.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            """Write what is left, which fails again."""
            self.inner.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path) as journal:
        journal.append(0, RECORDS)
        journal._segment = Full(journal._segment)  # type: ignore[assignment]
        with pytest.raises(HarnessError, match="disk is full") as caught:
            journal.append(1, RECORDS)
    assert "the same command again" in str(caught.value)
    with Journal(tmp_path) as journal:
        assert journal.done == {0}
        journal.append(1, RECORDS)
    assert Journal(tmp_path).done == {0, 1}
