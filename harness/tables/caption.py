"""The caption: what the records say of themselves, in sentences a paper can print."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from harness.runs.record import EvaluationRecord
from harness.tables.duplicates import span
from harness.tables.table import Column

MANY = 12


def caption_of(
    sections: Sequence[Sequence[EvaluationRecord]],
    columns: Sequence[Column],
    lead: str = "",
    *,
    intervals: bool = True,
) -> str:
    """Return the caption of a table: sizes, intervals, seeds, version and run ids.

    Args:
        sections: The records shown; sizes are those of the first section.
        columns: The table's columns.
        lead: What comes first.
        intervals: Whether intervals are shown.
    """
    records = [record for held in sections for record in held]
    versions = (str(record.versions.get("social-harness", "")) for record in records)
    return " ".join(
        part
        for part in (
            lead.strip(),
            _sizes(sections[0], columns),
            intervals_said(records, columns) if intervals else "",
            _listed("Seed", sorted({_setting(record, "seed") for record in records} - {""})),
            _listed("social-harness", sorted({*versions} - {""})),
            _runs(records),
        )
        if part
    )


def _sizes(records: Sequence[EvaluationRecord], columns: Sequence[Column]) -> str:
    sizes: dict[str, str] = {}
    for column in columns:
        of_task = [record.counts.samples for record in records if record.task == column.task]
        if of_task:
            sizes.setdefault(column.task, f"{column.over} {span(of_task)}")
    return f"Samples: {', '.join(sizes.values())}." if sizes else ""


def intervals_said(records: Sequence[EvaluationRecord], columns: Sequence[Column]) -> str:
    """Say level and method of the intervals shown; empty without any."""
    shown_metrics = {(column.task, column.metric) for column in columns}
    kinds = {
        # What follows a semicolon is about one number; it stays in the record.
        f"{100 * value.interval.level:g} %, {value.interval.method.partition(';')[0]}"
        for record in records
        for value in record.metrics
        if value.interval is not None and (record.task, value.id) in shown_metrics
    }
    return f"Intervals: {'; '.join(sorted(kinds))}." if kinds else ""


def _setting(record: EvaluationRecord, name: str) -> str:
    value = record.settings.get(name)
    return "" if value is None else str(value)


def _listed(name: str, values: Sequence[str]) -> str:
    if not values:
        return ""
    return f"{name}{'s' if len(values) > 1 and name == 'Seed' else ''} {', '.join(values)}."


def _runs(records: Sequence[EvaluationRecord]) -> str:
    """Name the evaluations as their directories do; of many, their number and one hash of all."""
    names = sorted({name for one in records for name in one.fingerprint.split(",") if name})
    if len(names) <= MANY:
        return f"Evaluations: {', '.join(name[:12] for name in names)}." if names else ""
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    return f"{len(names)} evaluations; SHA-256 of their sorted fingerprints begins {digest}."
