"""Bring evaluations of one task down to the samples they share, and count anew.

Only the choice of samples is bridged. Evaluations that differ in prompt, split, data or versions
keep their difference, and tables keep them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UserError
from harness.evaluation.summarise import summarise
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.runs.seal import check_seal
from harness.specs.resolve import read_resolved
from harness.specs.spec import fingerprint

IDS = "sample ids"
MARK = "intersected"


def intersected(records: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    """Return records in which evaluations of one task count the same samples.

    A sample counts when every evaluation that differs in nothing but its samples has it without an
    error. Values, intervals, slices and counts are computed anew from ``samples.jsonl``; a record
    that loses nothing comes back as it is.

    Raises:
        UserError: evaluations of one task share no sample, or a file cannot be read.
    """
    groups: dict[tuple[str, str], list[EvaluationRecord]] = {}
    for record in records:
        parts = {name: part for name, part in record.task_parts.items() if name != IDS}
        groups.setdefault((record.task, fingerprint(dict(parts))), []).append(record)
    changed: dict[int, EvaluationRecord] = {}
    for records_of_group in groups.values():
        same = len({record.task_fingerprint for record in records_of_group}) == 1
        if same and not any(record.counts.errors for record in records_of_group):
            continue
        if len(records_of_group) > 1:
            changed.update(zip(map(id, records_of_group), _narrowed(records_of_group), strict=True))
    return [changed.get(id(record), record) for record in records]


def _narrowed(records: Sequence[EvaluationRecord]) -> Iterator[EvaluationRecord]:
    ids = [_scored_ids(record.directory) for record in records]
    common = frozenset.intersection(*ids)
    if not common:
        places = ", ".join(str(record.directory) for record in records)
        raise UserError(
            f"evaluations of {records[0].task!r} have no sample in common: {places}",
            fix="show them without --intersect",
        )
    digest = fingerprint([*sorted(common)])
    for record in records:
        check_seal(record.directory)
        summary = summarise(read_resolved(record.directory), [_kept(record.directory, common)])
        parts = {**record.task_parts, IDS: digest}
        marks = {*record.marks, MARK} - ({"errored"} if not summary.counts.errors else set())
        yield replace(
            record,
            task_parts=parts,
            task_fingerprint=fingerprint(dict(parts)),
            images=summary.images,
            marks=tuple(sorted(marks)),
            counts=summary.counts,
            metrics=summary.metrics,
            slices=summary.slices,
            details=summary.details,
            comparisons=summary.comparisons,
        )


def _scored_ids(directory: Path) -> frozenset[str]:
    return frozenset(record.id for record in read_samples(directory) if record.error is None)


def _kept(directory: Path, common: frozenset[str]) -> list[SampleRecord]:
    return [record for record in read_samples(directory) if record.id in common]
