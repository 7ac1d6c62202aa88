"""The page of bias against ability: each model with both intervals, and those that none beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from harness.figures.contract import FigureRequest
from harness.figures.make import make_figure
from harness.plugins import plugins
from harness.runs.record import EvaluationRecord
from harness.tables.build import TableOptions, build_table
from harness.tables.table import Cell, CellText, Column, Table, cell_text

from harness_site.evaluation import in_both_lights
from harness_site.files import Site, slug

PAGE = "plane.html"
BIAS = "matched_max_skew"
"""Shown of a task that has it, in the place of a skew that saying yes brings to 0."""
MOST = 24


@dataclass(frozen=True, slots=True)
class Plane:
    """A number that is best at zero against one that is best high.

    Attributes:
        ability: Task whose headline is shown across.
        bias: Task whose metric is shown up.
        metric: Id of that metric.
        table: Models on the first.
        other: Models on the second.
    """

    ability: str
    bias: str
    metric: str
    table: Table
    other: Table

    def columns(self) -> tuple[Column, Column]:
        """Return the column across and the one up."""
        return _column(self.table, self.ability), _column(self.other, self.bias)

    def models(self) -> dict[str, tuple[Cell, Cell]]:
        """Return both numbers of each model that has both."""
        across, up = (
            {
                row.model: cell
                for row in table.rows
                if (cell := row.cells[table.columns.index(column)]) and cell.value is not None
            }
            for table, column in zip((self.table, self.other), self.columns(), strict=True)
        )
        return {name: (cell, up[name]) for name, cell in across.items() if name in up}

    def front(self) -> frozenset[str]:
        """Return the models that no other equals in one number and beats in the other."""
        columns, models = self.columns(), self.models()
        badness = {
            name: [
                column.badness(cell.value or 0.0)
                for column, cell in zip(columns, cells, strict=True)
            ]
            for name, cells in models.items()
        }
        return frozenset(
            name
            for name, mine in badness.items()
            if not any(
                other[0] <= mine[0] and other[1] <= mine[1] and other != mine
                for other in badness.values()
            )
        )


def planes_of(records: Sequence[EvaluationRecord], options: TableOptions) -> list[Plane]:
    """Return every pair of a bias and an ability that two models or more have both of.

    An ability is the headline of a task that is better high, where the task has no number that is
    best at zero; a task of bias shows its matched skew, or else its first number of that kind.
    """
    unperturbed = [record for record in records if not record.variant]
    firsts = {record.task: record for record in reversed(unperturbed)}
    zeros: Mapping[str, list[str]] = {
        task: [metric.id for metric in record.metrics if metric.direction == "zero"]
        for task, record in firsts.items()
    }
    order = list(dict.fromkeys(record.task for record in unperturbed))
    abilities = [
        task for task in order if not zeros[task] and firsts[task].main.direction == "higher"
    ]
    biases = [
        (task, BIAS if BIAS in zeros[task] else zeros[task][0]) for task in order if zeros[task]
    ]
    if not (abilities and biases):
        return []
    options = replace(options, readings=False, baseline="")
    table = build_table(unperturbed, options=options)
    others = {
        metric: build_table(unperturbed, metric=metric, options=options)
        for metric in dict.fromkeys(metric for _, metric in biases)
    }
    planes = [
        Plane(ability, task, metric, table, others[metric])
        for (task, metric), ability in product(biases, abilities)
    ]
    return [plane for plane in planes if len(plane.models()) > 1]


def write_planes(
    site: Site,
    planes: Sequence[Plane],
    records: Sequence[EvaluationRecord],
    options: TableOptions,
    *,
    drawn: bool,
) -> None:
    """Write the page, with a figure for each plane where figures are drawn."""
    first_planes = planes[:MOST]
    site.page(
        PAGE,
        "plane.html",
        title="Bias against ability",
        left_out=len(planes) - len(first_planes),
        pairs=[_plane(site, plane, records, options, drawn=drawn) for plane in first_planes],
    )


def _plane(
    site: Site,
    plane: Plane,
    records: Sequence[EvaluationRecord],
    options: TableOptions,
    *,
    drawn: bool,
) -> dict[str, Any]:
    columns, front, file = plane.columns(), plane.front(), ""
    figure = plugins().figures().get("plane") if drawn else None
    if figure is not None:
        request = FigureRequest(
            "plane", (), lambda *, details=False: list(records),  # noqa: ARG005
            x=plane.ability, y=f"{plane.bias}:{plane.metric}", duplicates=options.duplicates,
        )  # fmt: skip
        file = f"figures/{slug('plane', plane.bias, plane.ability)}.svg"
        site.write(file, in_both_lights(make_figure(figure, request).content(".svg", clear=True)))
    rows = []
    for name, cells in plane.models().items():
        texts = (
            _text(cell_text(column, cell, plane.table.looks))
            for column, cell in zip(columns, cells, strict=True)
        )
        rows.append((name, *texts, name in front))
    across, up = (f"{column.over}, {column.heading}" for column in columns)
    return {"name": f"{up} against {across}", "across": across, "up": up, "file": file,
            "rows": rows}  # fmt: skip


def _text(cell: CellText) -> str:
    return " ".join(filter(None, (cell.number, cell.marks, cell.interval)))


def _column(table: Table, task: str) -> Column:
    return next(column for column in table.columns if column.task == task)
