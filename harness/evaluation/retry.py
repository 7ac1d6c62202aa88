"""Ask again what errored: a sealed evaluation becomes a journal once more, whole at any moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from harness.jsonfiles import read_object
from harness.runs.journal import Journal, remove_journal
from harness.runs.sample_record import SampleRecord, read_samples
from harness.runs.seal import SEAL, check_seal


def reopen(directory: Path, blocks: Sequence[int]) -> None:
    """Put a sealed evaluation's samples back into its journal, then take the seal off.

    Killed before the seal is off, the evaluation is still sealed; killed after, it continues.

    Args:
        directory: The evaluation's directory.
        blocks: Samples in each block of its plan.

    Raises:
        UserError: when it was changed since it was sealed.
    """
    check_seal(directory)
    remove_journal(directory)
    with Journal(directory) as journal:
        for note in read_object(directory / "evaluation.json").get("notes", ()):
            journal.note(note)
        for index, records in enumerate(_blocks(directory, blocks)):
            journal.append(index, records)
    (directory / SEAL).unlink()


def errored(journal: Journal) -> list[int]:
    """Return the journaled blocks that hold a sample error."""
    return [
        index
        for index, records in zip(sorted(journal.done), journal.blocks(), strict=True)
        if any(record.error is not None for record in records)
    ]


def _blocks(directory: Path, blocks: Sequence[int]) -> Iterator[list[SampleRecord]]:
    samples = read_samples(directory)
    for size in blocks:
        yield list(islice(samples, size))
