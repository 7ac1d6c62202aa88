"""Pages of the leaderboard: one for each metric and baseline, all of the one table model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.plugins import find, plugins
from harness.runs.record import EvaluationRecord
from harness.tables.build import TableOptions, build_table
from harness.tables.formats import by_group, rank_note, reported_rows, source_of, spans
from harness.tables.layout import Layout
from harness.tables.notes import compared_note
from harness.tables.ranks import compared
from harness.tables.render import render
from harness.tables.table import Column, Row, Table, cell_text
from markupsafe import Markup, escape

from harness_site.files import Site

# A page for each baseline and table; more rows than this are no choice but a list.
BASELINES = 25


def write_boards(
    site: Site,
    records: Sequence[EvaluationRecord],
    options: TableOptions,
    pages: Mapping[str, str],
    layouts: Sequence[Layout] = (),
) -> None:
    """Write the leaderboard's pages; the first table is the site's first page.

    Args:
        site: Where pages go.
        records: What the tables show.
        options: How tables are made.
        pages: Fingerprint of an evaluation to its page.
        layouts: Tables that come before those of all tasks.

    Raises:
        UserError: nothing fits a layout, or two evaluations claim one cell.
    """
    by_fingerprint = {record.fingerprint: record for record in records}
    tables = [build_table(records, layout=layout, options=options) for layout in layouts]
    names = [f"Layout: {layout.title}" for layout in layouts]
    for metric in (None, *_metrics(records)):
        tables.append(build_table(records, metric=metric, options=options))
        names.append(metric or "Each task's own metric")
    latex = find("format", "latex", plugins().formats())
    for index, table in enumerate(tables):
        rows = list(dict.fromkeys(row.model for row in table.rows))[:BASELINES]
        for number, baseline in enumerate(["", *rows]):
            board = table
            if baseline and index < len(layouts):  # it may compare rows in its own way
                against = replace(options, baseline=baseline)
                board = build_table(records, layout=layouts[index], options=against)
            elif baseline:
                sections = compared(table.sections, table.columns, baseline)
                notes = (*table.notes, *compared_note(sections, table.looks, baseline))
                board = replace(table, sections=sections, notes=notes)
            site.page(
                _name(index, number),
                "board.html",
                title=table.title or "Leaderboard",
                table=board,
                grouped=any(row.group for row in board.rows),
                sections=[
                    (section.title, _rows(board, section.rows, pages, by_fingerprint))
                    for section in board.sections
                ],
                reported=[
                    (panel.heading, list(reported_rows(board.columns, panel)))
                    for panel in board.reported
                ],
                spans=spans(board.columns),
                notes=[
                    *(source_of(panel) for panel in board.reported),
                    *board.notes,
                    *rank_note(board, "Bold:", "underlined:"),
                    *(["A number with › leads to its evaluation."] if pages else ()),
                ],
                choices=[
                    (name, _name(other, 0), other == index) for other, name in enumerate(names)
                ],
                baselines=[
                    (name or _bare(table), _name(index, other), other == number)
                    for other, name in enumerate(["", *rows])
                ],
                latex=Markup(escape(render(latex, board))),  # noqa: S704  escaped; keeps its lines
            )


def _bare(table: Table) -> str:
    """Return the label of the page without a baseline row."""
    cells = (cell for row in table.rows for cell in row.cells)
    has_differences = any(cell is not None and cell.delta is not None for cell in cells)
    return "as the layout says" if has_differences else "none"


def _name(table: int, baseline: int) -> str:
    return "index.html" if not table and not baseline else f"board-{table}-{baseline}.html"


def _metrics(records: Sequence[EvaluationRecord]) -> list[str]:
    """Return ids of metrics that several would like to see: all but those that are headlines."""
    return list(dict.fromkeys(metric.id for record in records for metric in record.metrics))


def _rows(
    table: Table,
    rows: Sequence[Row],
    pages: Mapping[str, str],
    records: Mapping[str, EvaluationRecord],
) -> list[dict[str, Any]]:
    return [
        _row(table, row, group, pages, records) for group, held in by_group(rows) for row in held
    ]


def _row(
    table: Table,
    row: Row,
    group: str,
    pages: Mapping[str, str],
    records: Mapping[str, EvaluationRecord],
) -> dict[str, Any]:
    cells, names, marks = [], [], set()
    for column, cell in zip(table.columns, row.cells, strict=True):
        evaluation = "" if cell is None else cell.evaluation.split(",")[0]
        if evaluation in records:
            names.append(records[evaluation].model)
        marks |= set() if cell is None else set(cell.marks)
        value = None if cell is None else cell.value
        cells.append(
            {
                "text": cell_text(column, cell, table.looks),
                "sort": "" if value is None else _sort(column, value),
                "page": pages.get(evaluation, ""),
            }
        )
    return {
        "name": row.model,
        "model": names[0] if names else row.model,
        "marks": ", ".join(sorted(marks)) or "no marks",
        "group": group,
        "cells": cells,
    }


def _sort(column: Column, value: float) -> str:
    """Return what a page sorts by: smaller is better, and nothing there decides on ranks."""
    return repr(value if column.direction == "none" else column.badness(value))
