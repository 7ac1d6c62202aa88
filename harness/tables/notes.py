"""The notes under a table: marks, samples, open choices, intervals, losses."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence

from harness.runs.record import EvaluationRecord
from harness.tables.caption import intervals_said
from harness.tables.ranks import UNRANKED
from harness.tables.rows import ONE_SIDED_MARK, SIGN_CHANGES
from harness.tables.table import LETTERS, TIED, TRENDS, Cell, Column, Section, TableStyle

MEANINGS = {
    "contaminated": "evaluated on samples the checkpoint was trained on",
    "demo": "drawn people or a tiny demo model; these numbers mean nothing outside the demo world",
    "errored": "some samples could not be asked or answered and are not in the number",
    "human": "each annotator against the others, averaged: what people reach by the task's metric",
    "intersected": "only the samples that all compared evaluations have in common are counted",
    "limited": "only a part of the split was asked; not a result on the benchmark",
    "machine-labelled": "labels were given by a machine, not by people",
    "one-sided": "nearly all answers are the same one; a number near 0 may come of that alone",
    "machine-labelled slices": "groups of people were labelled by a machine, not by people",
    "sign changes": "asked in other words, the number is on the other side of 0",
}

BESIDE = (
    "Some intervals lie beside their number: chance enlarges the size of a difference and an "
    "extreme, in the number and again in resampled data; a percentile interval follows this, and "
    "BCa corrects it."
)

_MOST_NAMED = 6


def notes_of(
    sections: Sequence[Sequence[EvaluationRecord]],
    columns: Sequence[Column],
    common: Collection[str],
    *,
    intervals: bool = True,
) -> tuple[str, ...]:
    """Return the notes of a table, the gravest first.

    Args:
        sections: The records shown.
        columns: The table's columns.
        common: Marks that every record carries.
        intervals: Whether intervals are shown.
    """
    records = [record for held in sections for record in held]
    return (
        *_marks(records, common),
        *_tasks(sections),
        *(_intervals(records, columns) if intervals else ()),
        *_losses(records),
        *_unequal(sections),
    )


def _marks(records: Sequence[EvaluationRecord], common: Collection[str]) -> Iterator[str]:
    for mark in sorted({mark for record in records for mark in record.marks}):
        meaning = MEANINGS.get(mark, "see the record")
        if mark in common:
            yield f"Every number is marked {mark}: {meaning}."
        else:
            letter = LETTERS.get(mark)
            yield f"({letter}) {mark}: {meaning}." if letter else f"({mark}): {meaning}."


def _tasks(sections: Sequence[Sequence[EvaluationRecord]]) -> Iterator[str]:
    """Yield for each task its number of samples and its named options."""
    noted: set[tuple[str, str]] = set()
    for records in sections:
        for task in dict.fromkeys(record.task for record in records):
            record = next(record for record in records if record.task == task)
            size = f"{record.task_title} ({task}, version {record.task_version}): {_size(record)}"
            chosen = ", ".join(
                f"{name} = {str(value).lower() if isinstance(value, bool) else value}"
                for name, value in record.task_options.items()
                if value != ""
            )
            if (size, chosen) in noted:
                continue
            choices = " as above" if (task, chosen) in noted else f": {chosen}"
            noted |= {(size, chosen), (task, chosen)}
            yield f"{size}; named options{choices}." if chosen else f"{size}."


def _size(record: EvaluationRecord) -> str:
    samples = record.counts.samples
    return f"{samples} sample{'' if samples == 1 else 's'}"


def _intervals(records: Sequence[EvaluationRecord], columns: Sequence[Column]) -> Iterator[str]:
    text = intervals_said(records, columns)
    if text:
        yield text


def _losses(records: Sequence[EvaluationRecord]) -> Iterator[str]:
    if any(record.counts.unparsed or record.counts.refusals for record in records):
        yield "Answers that could not be read, and refusals, are scored as wrong."
    cut = [(record, record.counts.cut) for record in records if record.counts.cut]
    if cut:
        yield f"Answers that their limit of tokens cut: {_counted(cut)}."
    open_ones = [
        (record, record.counts.unfinished) for record in records if record.counts.unfinished
    ]
    if open_ones:
        yield (
            "Answers that used up their tokens while reasoning, so that none was read: "
            f"{_counted(open_ones)}; more tokens: -o reasoning_tokens=N."
        )
    yield from _noted(records)


def _unequal(sections: Sequence[Sequence[EvaluationRecord]]) -> Iterator[str]:
    """Yield each task whose rows, though shown together, count different numbers of samples."""
    for records in sections:
        for task in dict.fromkeys(record.task for record in records):
            rows = [record for record in records if record.task == task]
            if len({record.counts.scored for record in rows}) > 1:
                counts = _first_few(f"{record.counts.scored:,} ({record.title})" for record in rows)
                yield (
                    f"{rows[0].task_title} ({task}): the rows count different samples: {counts}; "
                    "--intersect counts those that all of them share."
                )


def _noted(records: Sequence[EvaluationRecord]) -> Iterator[str]:
    """Yield each note of a task once: with its count, or by evaluation where these differ."""
    by_note: dict[tuple[str, str], list[tuple[EvaluationRecord, int]]] = {}
    for record in records:
        for note, times in record.counts.notes.items():
            by_note.setdefault((record.task, note), []).append((record, times))
    for (task, note), counts in by_note.items():
        asked = sum(record.task == task for record in records)
        same = len({times for _, times in counts}) == 1 and len(counts) == asked
        yield f"{counts[0][0].task_title} ({task}): {note}: " + (
            f"{counts[0][1]:,}."
            if same
            else f"{_first_few(f'{times:,} ({record.title})' for record, times in counts)}."
        )


def _counted(counts: Sequence[tuple[EvaluationRecord, int]]) -> str:
    """Return how many answers of which model and task, of the first few."""
    return _first_few(
        f"{count} of {record.counts.scored} ({record.title}, {record.task})"
        for record, count in counts
    )


def _first_few(parts: Iterable[str]) -> str:
    named = list(parts)
    more = len(named) - _MOST_NAMED
    shown = named[:_MOST_NAMED]
    return ", ".join([*shown, f"and in {more} more evaluations"] if more > 0 else shown)


def shown_notes(
    sections: Sequence[Section], columns: Sequence[Column], looks: TableStyle, tied: str
) -> tuple[str, ...]:
    """Return what signs in the cells mean, and warnings that stand beside intervals.

    Args:
        sections: As shown, ranked and compared.
        columns: The table's columns.
        looks: How intervals and differences are shown.
        tied: What the paired test is.
    """
    rows = [row for section in sections for row in section.rows]
    cells = [cell for row in rows for cell in row.cells if cell is not None]
    notes = list(warnings_of(sections, columns))
    if looks.interval == "half" and any(cell.low is not None for cell in cells):
        notes.append("± is half the width of the interval.")
    if looks.interval != "none" and any(_is_beside(cell) for cell in cells):
        notes.append(BESIDE)
    if any(cell.tied for cell in cells):
        notes.append(f"{TIED} {tied}.")
    marks = {mark for cell in cells for mark in cell.shown} & {ONE_SIDED_MARK, SIGN_CHANGES}
    notes += [f"({LETTERS[mark]}) {mark}: {MEANINGS[mark]}." for mark in sorted(marks)]
    unranked = sorted(UNRANKED & {mark for cell in cells for mark in cell.marks})
    if unranked and any(cell.rank for cell in cells):
        notes.append(f"Numbers marked {' or '.join(unranked)} are not ranked.")
    if any(not cell.supported for cell in cells):
        notes.append("n/a: the model cannot answer this kind of task.")
    return tuple(notes)


def _is_beside(cell: Cell) -> bool:
    """Whether a number lies outside its own interval."""
    ends = cell.value, cell.low, cell.high
    value, low, high = (math.nan if end is None else end for end in ends)
    return value < low or high < value


def left_out_note(
    records: Sequence[EvaluationRecord], columns: Sequence[Column], metric: str | None
) -> tuple[str, ...]:
    """Return what to say of tasks without a column."""
    shown = {column.task for column in columns}
    left = {f"{one.task_title} ({one.task})": 0 for one in records if one.task not in shown}
    return (f"Left out, for want of a metric {metric!r}: {', '.join(left)}.",) if left else ()


def compared_note(sections: Sequence[Section], looks: TableStyle, baseline: str) -> tuple[str, ...]:
    """Say what differences are to; nothing where there is none.

    Args:
        sections: As shown, compared.
        looks: How differences are shown.
        baseline: The row that all are compared with; empty where rows name others.
    """
    rows = [row for section in sections for row in section.rows]
    if not any(cell is not None and cell.delta is not None for row in rows for cell in row.cells):
        return ()
    to = baseline or "the row compared with"
    if looks.delta == "number":
        return (f"In parentheses, with its sign: the difference to {to}.",)
    return (f"Against {to}: {', '.join(f'{sign} {word}' for word, sign in TRENDS.items())}.",)


def warnings_of(sections: Sequence[Section], columns: Sequence[Column]) -> Iterator[str]:
    """Yield each warning once, with the columns it stands in."""
    by_warning: dict[str, dict[str, None]] = {}
    for section in sections:
        for row in section.rows:
            for column, cell in zip(columns, row.cells, strict=True):
                if cell is not None and cell.warning:
                    by_warning.setdefault(cell.warning, {}).setdefault(column.over)
    for warning, titles in by_warning.items():
        yield f"{', '.join(titles)}: {warning}."
