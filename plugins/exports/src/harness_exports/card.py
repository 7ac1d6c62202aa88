"""An evaluation card in Markdown: what was measured, on what, how sure, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.runs.exports import ExportOptions
from harness.runs.record import EvaluationRecord, MetricValue
from harness.tables.formats import escape_markdown
from harness.tables.notes import MEANINGS

from harness_exports.records import (
    by_model,
    finished,
    interval_text,
    text_of,
    version_of,
    write_text,
)


def export(records: Sequence[EvaluationRecord], out: Path, options: ExportOptions) -> list[Path]:
    """Write ``MODEL/evaluation_card.md`` for each model."""
    return [
        write_text(out / model / "evaluation_card.md", "\n".join(_card(group, options)) + "\n")
        for model, group in by_model(records)
    ]


def _card(records: Sequence[EvaluationRecord], options: ExportOptions) -> Iterator[str]:
    first = records[0]
    yield f"# Evaluation card: {escape_markdown(first.model)}"
    yield ""
    yield from _marks(records)
    yield "## Results"
    yield ""
    yield "| Task | Metric | Value | Interval | Samples | Clusters |"
    yield "| :-- | :-- | --: | :-- | --: | --: |"
    for record in records:
        for value in record.metrics:
            cells = [
                escape_markdown(record.task_title),
                escape_markdown(value.column) + (" (headline)" if value.main else ""),
                _value(value),
                escape_markdown(interval_text(value)) or "none",
                str(record.counts.scored),
                str(record.counts.clusters),
            ]
            yield f"| {' | '.join(cells)} |"
    yield ""
    yield from _completeness(records)
    yield from _provenance(first, options)
    yield from _comparability(records)
    yield from _slices(records)


def _value(value: MetricValue) -> str:
    if value.value is None:
        return escape_markdown(f"undefined: {value.undefined}")
    return f"{value.value * value.scale:.{1 if value.scale == 100 else 3}f}"


def _marks(records: Sequence[EvaluationRecord]) -> Iterator[str]:
    marks = sorted({mark for record in records for mark in record.marks})
    for mark in marks:
        tasks = [record.task for record in records if mark in record.marks]
        meaning = MEANINGS.get(mark, "see the record")
        yield f"> **{escape_markdown(mark)}** ({escape_markdown(', '.join(tasks))}): {meaning}."
        yield ""


def _completeness(records: Sequence[EvaluationRecord]) -> Iterator[str]:
    yield "## Completeness"
    yield ""
    yield "| Task | Asked | Scored | Errors | Unparsed | Refusals | Cut |"
    yield "| :-- | --: | --: | --: | --: | --: | --: |"
    for record in records:
        counts = record.counts
        numbers = (counts.samples, counts.scored, counts.errors, counts.unparsed, counts.refusals,
                   counts.cut)  # fmt: skip
        yield f"| {escape_markdown(record.task)} | {' | '.join(map(str, numbers))} |"
    yield ""
    yield "Answers that could not be read, and refusals, count as wrong. Errors are not scored."
    yield "Cut are written answers that their limit of tokens ended."
    yield ""


def _provenance(record: EvaluationRecord, options: ExportOptions) -> Iterator[str]:
    yield "## Provenance"
    yield ""
    yield f"- Evaluated by: {escape_markdown(options.organization)}"
    yield f"- Harness: social-harness {escape_markdown(version_of(record))}"
    yield f"- Model fingerprint: `{record.model_fingerprint}`"
    for name, value in record.model_options.items():
        yield f"- Model option {escape_markdown(name)}: {escape_markdown(text_of(value))}"
    for name, value in record.settings.items():
        yield f"- Setting {escape_markdown(name)}: {escape_markdown(text_of(value))}"
    for name, value in sorted(record.versions.items()):
        yield f"- Version of {escape_markdown(name)}: {escape_markdown(text_of(value))}"
    yield ""


def _comparability(records: Sequence[EvaluationRecord]) -> Iterator[str]:
    yield "## Comparability"
    yield ""
    yield "Numbers may be compared where the fingerprint of the task is the same."
    yield ""
    yield "| Task | Version | Task fingerprint | Evaluation | Ended |"
    yield "| :-- | --: | :-- | :-- | :-- |"
    for record in records:
        cells = [
            escape_markdown(record.task),
            str(record.task_version),
            f"`{record.task_fingerprint[:16]}`",
            f"`{record.fingerprint[:12]}`",
            finished(record).date().isoformat(),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    for record in records:
        for name, value in record.task_options.items():
            yield (
                f"- {escape_markdown(record.task)}: {escape_markdown(name)} = "
                f"{escape_markdown(text_of(value))} (a named option)"
            )


def _slices(records: Sequence[EvaluationRecord]) -> Iterator[str]:
    lines = [
        f"| {escape_markdown(record.task)} | {escape_markdown(part.slice)} | "
        f"{escape_markdown(part.value)} | {escape_markdown(part.source)} | {part.n} | "
        f"{_value(value)} | {escape_markdown(interval_text(value)) or 'none'} |"
        for record in records
        for part in record.slices
        for value in part.metrics
        if value.main
    ]
    if lines:
        yield ""
        yield "## Groups of people"
        yield ""
        yield "| Task | Slice | Value | Labelled by | Samples | Headline | Interval |"
        yield "| :-- | :-- | :-- | :-- | --: | --: | :-- |"
        yield from lines
