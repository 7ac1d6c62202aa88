"""Pages of the leaderboard: one for each metric and baseline, all of the one table model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup, escape

from harness.runs.record import EvaluationRecord
from harness.site.files import Site
from harness.tables.build import Ways, build_table
from harness.tables.formats import by_group, rank_note, reported_rows, source_of, spans
from harness.tables.latex import latex
from harness.tables.ranks import compared
from harness.tables.table import Column, Row, Table, cell_text

# A page for each baseline and metric; more rows than this are no choice but a list.
BASELINES = 25


def write_boards(
    site: Site, records: Sequence[EvaluationRecord], ways: Ways, pages: Mapping[str, str]
) -> Table:
    """Write the leaderboard's pages; return the table of headline metrics.

    Args:
        site: Where pages go.
        records: What the tables show.
        ways: How tables are made.
        pages: Fingerprint of an evaluation to its page.
    """
    metrics: list[str | None] = [None, *_metrics(records)]
    by_fingerprint = {str(record.raw.get("fingerprint")): record for record in records}
    tables = [build_table(records, metric=metric, ways=ways) for metric in metrics]
    for place, table in enumerate(tables):
        rows = list(dict.fromkeys(row.model for row in table.rows))[:BASELINES]
        for number, baseline in enumerate(["", *rows]):
            shown = table
            if baseline:
                held = compared(table.sections, table.columns, baseline)
                shown = replace(table, sections=held)
            site.page(
                _name(place, number),
                "board.html",
                title="Leaderboard",
                table=shown,
                sections=[
                    (section.title, _rows(shown, section.rows, pages, by_fingerprint))
                    for section in shown.sections
                ],
                reported=[
                    (panel.heading, list(reported_rows(shown.columns, panel)))
                    for panel in shown.reported
                ],
                spans=spans(shown.columns),
                notes=[
                    *(source_of(panel) for panel in shown.reported),
                    *shown.notes,
                    *rank_note(shown, "Bold:", "underlined:"),
                ],
                metrics=_metric_links(metrics, place),
                baselines=[
                    (name or "none", _name(place, other), other == number)
                    for other, name in enumerate(["", *rows])
                ],
                latex=Markup(escape(latex(shown))),  # noqa: S704  escaped; keeps its lines
            )
    return tables[0]


def _name(metric: int, baseline: int) -> str:
    return "index.html" if not metric and not baseline else f"board-{metric}-{baseline}.html"


def _metrics(records: Sequence[EvaluationRecord]) -> list[str]:
    """Return ids of metrics that several would like to see: all but those that are headlines."""
    return list(dict.fromkeys(metric.id for record in records for metric in record.metrics))


def _metric_links(metrics: Sequence[str | None], chosen: int) -> list[tuple[str, str, bool]]:
    return [
        (name or "each task's own", _name(place, 0), place == chosen)
        for place, name in enumerate(metrics)
    ]


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
    return repr(column.badness(value))
