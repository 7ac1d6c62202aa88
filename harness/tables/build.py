"""Records to table: which rows may stand together, and what must be said about them.

Pure: the same records in the same order give the same table. Nothing is averaged unless asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UserError, unknown
from harness.runs.record import EvaluationRecord
from harness.runs.superseded import current, superseded_note
from harness.tables.caption import caption_of
from harness.tables.columns import columns_of, declared_columns, reported_panels, with_readings
from harness.tables.duplicates import Rule, SeedInterval, seed_notes, settled
from harness.tables.layout import Layout
from harness.tables.notes import compared_note, left_out_note, notes_of, shown_notes
from harness.tables.ranks import Tied, compared, ranked
from harness.tables.rows import (
    ONE_SIDED,
    Key,
    Placed,
    Supports,
    doubts_of,
    names_of,
    placed,
    rows_of,
)
from harness.tables.sections import sections_of, why
from harness.tables.table import Section, Table, TableStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How a table is made beside what it shows.

    Attributes:
        baseline: Name of the row that all others are compared with; the layout's otherwise.
        duplicates: What to do when two evaluations claim one cell.
        looks: What a format may decide; the layout's otherwise.
        seed_interval: Interval of a mean over seeds.
        tied: Paired test against the best of a column; nothing is tested without it.
        supports: Tells ``n/a`` from a cell that nobody ran.
        one_sided: From this share of one answer on, numbers that are best at zero are marked;
            from 0.95 on when ``None``.
        readings: Show beside numbers that are best at zero what says how to read them.
    """

    baseline: str = ""
    duplicates: Rule = "fail"
    looks: TableStyle | None = None
    seed_interval: SeedInterval | None = None
    tied: Tied | None = None
    supports: Supports | None = None
    one_sided: float | None = None
    readings: bool = True


def build_table(
    records: Iterable[EvaluationRecord],
    *,
    tasks: Sequence[str] | None = None,
    metric: str | None = None,
    layout: Layout | None = None,
    options: TableOptions | None = None,
) -> Table:
    """Return the table of these records.

    Args:
        records: Sealed evaluations; rows and columns come in order of first appearance.
        tasks: Ids of the tasks to show, in this order; all when ``None``.
        metric: Id or heading of the metric to show instead of each task's headline metric.
        layout: Declares columns, rows and panels instead of ``tasks`` and ``metric``.
        options: Everything else.

    Raises:
        UserError: no record, a task or metric that no record has, two different evaluations for
            one place in the table, or a baseline that is no row.
    """
    options, records = options or TableOptions(), list(records)
    doubts = doubts_of(current(records)[0], options.one_sided or ONE_SIDED)
    chosen, superseded = current(_chosen(records, tasks, layout))
    placements = placed(chosen, layout, any_seed=options.duplicates == "mean")
    if not placements:
        raise UserError("no finished evaluation belongs to a row of the layout", fix="others: true")
    records = [one.record for one in placements]
    missing: tuple[str, ...] = ()
    metric_names: tuple[str, ...] = ()
    if layout is not None:
        columns, metric_names, missing = declared_columns(records, layout.columns)
    else:
        columns = columns_of(records, metric)
        missing = left_out_note(records, columns, metric)
    if options.one_sided is not None and not any(one.direction == "zero" for one in columns):
        raise UserError("no number here is a skew, best at 0", where="--one-sided",
                        fix="leave --one-sided out")  # fmt: skip
    if options.readings:
        columns, metric_names = with_readings(records, columns, metric_names)
    groups = _settled(placements, options)
    settled_records = [[one.record for one in group] for group in groups]
    names = names_of([one for group in groups for one in group])
    shown_records = [record for group in settled_records for record in group]
    common = frozenset.intersection(*(frozenset(record.marks) for record in shown_records))
    sections = tuple(
        Section(
            why(settled_records, index) if index else "",
            rows_of(group, columns, names, common, options.supports, doubts=doubts),
        )
        for index, group in enumerate(groups)
    )
    (baseline, versus), tied = _references(sections, layout, options), options.tied
    within = "section" if layout is None else layout.rank
    sections = ranked(sections, columns, within=within, tied=tied)
    if baseline or versus:
        sections = compared(sections, columns, baseline, versus)
    looks = options.looks or (layout.looks if layout is not None else TableStyle())
    shows = looks.interval != "none"
    notes = (
        *notes_of(_as_rows(groups, names), columns, common, intervals=shows),
        *seed_notes([one for group in groups for one in group]),
        *missing,
        *filter(None, [superseded_note(len(superseded))]),
        *_absent_rows(layout, placements),
        *shown_notes(sections, columns, looks, "" if tied is None else tied.note),
        *compared_note(sections, looks, "" if versus else baseline),
    )
    return Table(
        columns,
        sections,
        notes,
        title="" if layout is None else layout.title,
        caption=caption_of(
            settled_records, columns, "" if layout is None else layout.caption, intervals=shows
        ),
        reported=() if layout is None else reported_panels(columns, metric_names, layout.reported),
        looks=looks,
    )


def _chosen(
    records: list[EvaluationRecord], tasks: Sequence[str] | None, layout: Layout | None
) -> list[EvaluationRecord]:
    if not records:
        raise UserError("there is no finished evaluation to show", fix="harness run ... makes them")
    records = [record for record in records if not record.variant]
    if not records:
        raise UserError("the evaluations are variants of tasks only", fix="--robustness")
    present = {record.task for record in records}
    if layout is not None:
        tasks = list(dict.fromkeys(column.task for column in layout.columns))
        if not present & set(tasks):
            raise UserError(
                f"there is no finished evaluation of the layout's tasks: {', '.join(tasks)}",
                fix=f"harness run ...; evaluations here are of {', '.join(sorted(present))}",
            )
    elif tasks is None:
        return records
    else:
        for task in tasks:
            if task not in present:
                raise unknown("task among these evaluations", task, present)
    order = {task: index for index, task in reversed(list(enumerate(tasks)))}
    chosen = [record for record in records if record.task in order]
    return sorted(chosen, key=lambda record: order[record.task])


def _settled(placements: Sequence[Placed], options: TableOptions) -> list[list[Placed]]:
    """Return the sections, with one record for each row and task."""
    by_record = {id(one.record): one for one in placements}
    groups = sections_of([one.record for one in placements])
    return [
        settled(
            [by_record[id(record)] for record in group], options.duplicates, options.seed_interval
        )
        for group in groups
    ]


def _references(
    sections: tuple[Section, ...], layout: Layout | None, options: TableOptions
) -> tuple[str, dict[str, str]]:
    """Return the row that all are compared with, and the rows that a layout compares otherwise."""
    if layout is None:
        return options.baseline, {}
    baseline = options.baseline or layout.baseline
    if not options.baseline and baseline not in {
        row.model for held in sections for row in held.rows
    }:
        baseline = ""  # a layout's baseline that nobody ran is no mistake of this command
    return baseline, {row.label: row.versus for row in layout.rows if row.versus}


def _as_rows(
    groups: Sequence[Sequence[Placed]], names: Mapping[Key, str]
) -> list[list[EvaluationRecord]]:
    """Return the records called as their rows are: two rows may be of one model."""
    rows = {
        key: name if name.startswith(key.group) else f"{key.group}: {name}"
        for key, name in names.items()
    }
    return [
        [replace(one.record, model=rows[one.key], training=None, method=None, settings={})
         for one in group]
        for group in groups
    ]  # fmt: skip


def _absent_rows(layout: Layout | None, placements: Sequence[Placed]) -> tuple[str, ...]:
    if layout is None:
        return ()
    present = {one.key.label for one in placements}
    absent = [row.label for row in layout.rows if row.label and row.label not in present]
    return (f"No evaluation for the rows {', '.join(absent)}.",) if absent else ()
