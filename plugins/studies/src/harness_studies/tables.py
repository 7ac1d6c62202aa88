"""A study's records as one table: a row for each recipe of each model, means over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.api.plugin_functions import function
from harness.plugins import find, plugins
from harness.runs.record import EvaluationRecord
from harness.runs.seal import write_whole
from harness.stats.intervals import over_seeds
from harness.tables.build import TableOptions, build_table
from harness.tables.layout import Layout, LayoutColumn, LayoutRows, Match, load_layout
from harness.tables.render import render
from harness.tables.table import Column, Row, Section, Table, TableStyle

from harness_studies.compare import compared_columns, parts_of
from harness_studies.study import Study, Trial

FORMATS = ("markdown", "csv", "json", "latex")
HUMAN = "human"
"""The mark of what stands for annotators."""


def study_table(
    study: Study, evaluations: Sequence[tuple[Trial, EvaluationRecord]], failed: Sequence[str]
) -> Table:
    """Return the table of what is there; what is not stands in its notes.

    Args:
        study: Says columns, rows and their order.
        evaluations: Every finished evaluation with its trial.
        failed: What could not be had.
    """
    layout = _layout(study, evaluations)
    people = any(HUMAN in record.marks for _, record in evaluations)
    options = TableOptions(
        duplicates="mean",
        looks=replace(layout.looks, label=study.id),
        seed_interval=over_seeds,
    )
    table = build_table([record for _, record in evaluations], layout=layout, options=options)
    if study.human_share and people:
        table = function("with_human_shares")(table)
    table = replace(table, sections=tuple(_titled(study, table, evaluations)))
    if not study.compare:  # gains are of one choice of options, so they need each column
        table = _merged(table)
    notes = [*table.notes, *_rows_said(study), *([study.note] if study.note else [])]
    notes += [f"Not there: {line}" for line in failed]
    if study.human_share and not people:
        notes.append("No row stands for annotators, so no share of the human ceiling is shown.")
    return replace(table, notes=tuple(notes))


def _titled(
    study: Study, table: Table, evaluations: Sequence[tuple[Trial, EvaluationRecord]]
) -> Iterator[Section]:
    """Yield sections named by the options that tell a task from itself, where those part them."""
    parts = parts_of(study, [record for _, record in evaluations])
    better = compared_columns(table.columns)
    for section in table.sections:
        cells = [cell for row in section.rows for cell in row.cells if cell is not None]
        names = {name for cell in cells for name in cell.evaluation.split(",")}
        titles = dict.fromkeys(parts[name] for name in names if parts.get(name))
        rows = tuple(_unranked(row, table.columns, better) for row in section.rows)
        yield replace(section, title="; ".join(sorted(titles)) or section.title, rows=rows)


def _merged(table: Table) -> Table:
    """Return a table with one column for a metric that sections ask with different options."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for index, column in enumerate(table.columns):
        places.setdefault((column.task, column.metric, column.name), []).append(index)

    def merged(row: Row) -> Row | None:
        cells_of = [[row.cells[at] for at in of if row.cells[at]] for of in places.values()]
        if any(len(cells) > 1 for cells in cells_of):
            return None
        return replace(row, cells=tuple(cells[0] if cells else None for cells in cells_of))

    sections = []
    for section in table.sections:
        rows = [merged(row) for row in section.rows]
        merged_rows = tuple(row for row in rows if row is not None)
        if len(merged_rows) < len(rows):
            return table
        sections.append(replace(section, rows=merged_rows))
    columns = tuple(table.columns[of[0]] for of in places.values())
    return replace(table, columns=columns, sections=tuple(sections))


def _unranked(row: Row, columns: Sequence[Column], better: Sequence[Column]) -> Row:
    """Return a row that ranks nothing in columns where no number is better than another."""
    pairs = zip(columns, row.cells, strict=True)
    cells = tuple(
        cell if cell is None or column in better else replace(cell, rank="")
        for column, cell in pairs
    )
    return replace(row, cells=cells)


def _layout(study: Study, evaluations: Sequence[tuple[Trial, EvaluationRecord]]) -> Layout:
    rows: dict[tuple[str, str], dict[str, Match]] = {}
    for trial, record in evaluations:
        match = Match(record.model, fingerprint=record.model_fingerprint)
        rows.setdefault((trial.model.label, trial.row), {})[record.model_fingerprint] = match
    entries = tuple(
        LayoutRows(tuple(matches.values()), group, row) for (group, row), matches in rows.items()
    )
    looks = TableStyle(study.interval)
    if study.layout:
        shipped = load_layout(study.layout)
        return replace(
            shipped, id=study.id, title=study.title, rows=entries, others=False, baseline="",
            looks=replace(shipped.looks, interval=study.interval),
        )  # fmt: skip
    tasks = dict.fromkeys(task.task for task in study.tasks)
    return Layout(
        id=study.id,
        title=study.title,
        columns=tuple(LayoutColumn(task) for task in tasks),
        rows=entries,
        others=False,
        rank="group",
        looks=looks,
    )


def _rows_said(study: Study) -> list[str]:
    """Return what each recipe is: id, options, data and seeds."""
    lines = []
    for recipe in study.recipes:
        parts = []
        if recipe.recipe:
            parts.append(f"recipe {_named(recipe.recipe, recipe.options)}")
            parts.append(f"trained on {', '.join(recipe.data)}")
            parts.append(f"seeds {', '.join(map(str, study.seeds))}")
        if recipe.method:
            parts.append(f"method {_named(recipe.method, recipe.method_options)}")
        if parts:
            lines.append(f"{recipe.label}: {'; '.join(parts)}.")
    return lines


def _named(name: str, options: object) -> str:
    assert isinstance(options, dict)
    options_text = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{name} ({options_text})" if options_text else name


def write_tables(table: Table, out: Path, stem: str) -> list[Path]:
    """Write a table in every format of a study; return the files."""
    files = []
    for name in FORMATS:
        form = find("format", name, plugins().formats())
        path = out / f"{stem}{form.suffix}"
        write_whole(path, [render(form, table).encode()])
        files.append(path)
    return files
