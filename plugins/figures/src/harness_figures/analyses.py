"""From sealed analyses to what figures show; :mod:`harness.analysis.results` has their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis.results import Analysis, finite, scaled
from harness.descriptors import Json
from harness.errors import UserError

from harness_figures.shapes import Grid, Panel, Point, Value

Row = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Curves:
    """Numbers by layer: a name to points whose labels are whole numbers."""

    title: str
    up: str
    curves: Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True, slots=True)
class Arrows:
    """Changes from nothing, in percent, each with its interval."""

    title: str
    across: str
    points: tuple[Point, ...]


def degradation_panels(analysis: Analysis) -> tuple[Panel, ...]:
    """Return what each tower lost by task: a panel for each tower and unit; 0 is nothing.

    Raises:
        UserError: an analysis without a second tower.
    """
    panels: dict[tuple[str, str], list[Point]] = {}
    for row in _table(analysis, "degradation"):
        scale = float(row["scale"])
        lost = f"lost{', points' if scale == 100 else ''} (positive: worse than before)"
        tower = str(row.get("second", row.get("encoder")))
        point = Point(_probed(row), *scaled(row, "degradation", scale))
        panels.setdefault((tower, lost), []).append(point)
    return tuple(Panel(tower, lost, tuple(points), 0.0) for (tower, lost), points in panels.items())


def _probed(row: Row) -> str:
    layer = "" if str(row["layer"]) == "-1" else f", layer {row['layer']}"
    control = ", control" if row.get("is_control") else ""
    return f"{row['task']} ({row['metric']}{layer}{control})"


def layer_curves(analysis: Analysis) -> tuple[Curves, ...]:
    """Return a probe's value by layer: a figure's part for each task, a line for each encoder.

    Raises:
        UserError: probes of one layer only.
    """
    parts: dict[tuple[str, str], dict[str, list[Point]]] = {}
    layers = set()
    rows = _table(analysis, "probe")
    several_poolings = len({row["pooling"] for row in rows}) > 1
    for row in rows:
        layers.add(row["block"])
        named = f"{row['encoder']}, {row['pooling']}" if several_poolings else str(row["encoder"])
        if row.get("seed") is not None:
            named += f", seed {row['seed']}"
        unit = " %" if row["scale"] == 100 else ""
        part = parts.setdefault((str(row["task"]), f"{row['metric']}{unit}"), {})
        point = Point(str(row["block"]), *scaled(row, "value", float(row["scale"])))
        part.setdefault(named, []).append(point)
    if len(layers) < 2:
        raise UserError(
            "probes of one layer cannot make a curve", where=analysis.directory, fix="--layers all"
        )
    return tuple(
        Curves(task, unit, {name: tuple(points) for name, points in curves.items()})
        for (task, unit), curves in parts.items()
    )


def conflict_grids(analysis: Analysis) -> tuple[Grid, ...]:
    """Return mean cosines between tasks, a grid for each tower; the diagonal is the reference."""
    if analysis.kind == "gradients":
        rows = _table(analysis, "matrix")
        tasks = tuple(str(row["task"]) for row in rows)
        values = tuple(tuple(finite(row[task]) for task in tasks) for row in rows)
        return (Grid("", tasks, tasks, values, "cosine"),)
    grids = []
    cells: dict[str, dict[tuple[str, str], Value]] = {}
    for row in _table(analysis, "conflict"):
        first, second = str(row["first"]), str(row["second"])
        cell = cells.setdefault(str(row["tower"]), {})
        cell[first, second] = cell[second, first] = finite(row["cosine"])
    for tower, cell in cells.items():
        tasks = tuple(dict.fromkeys(first for first, second in cell if first == second))
        values = tuple(tuple(cell.get((first, second)) for second in tasks) for first in tasks)
        grids.append(Grid(f"tower: {tower}", tasks, tasks, values, "cosine"))
    return tuple(grids)


def transfer_arrows(analysis: Analysis) -> tuple[Arrows, ...]:
    """Return what joint training changed of each task, by model or by tower."""
    parts: dict[str, list[Point]] = {}
    for row in _table(analysis, "transfer"):
        named = f"tower: {row['tower']}" if "tower" in row else str(row.get("model"))
        point = Point(str(row["task"]), *scaled(row, "relative", 100.0))
        parts.setdefault(named, []).append(point)
    across = "change by joint training, % of single (positive: better)"
    return tuple(Arrows(title, across, tuple(points)) for title, points in parts.items())


Make = Callable[[Analysis], Any]
MAKERS: Mapping[str, Make] = {
    "degradation": degradation_panels,
    "layers": layer_curves,
    "conflict": conflict_grids,
    "transfer": transfer_arrows,
}
"""Kind of figure to how what it shows is made."""

_CAPTIONS = {
    "degradation": "What each tower lost by task, with 95 % intervals; positive: worse.",
    "layers": "Probe value by block of each encoder, a field for each task; bands: 95 % intervals.",
    "conflict": "Mean cosines between the tasks' gradients; the diagonal is a task with itself.",
    "transfer": "Arrows from no change to the change by joint training, by task; below each its "
    "95 % interval; grey: it holds 0, or there is none.",
}


def caption_of(kind: str, analysis: Analysis) -> str:
    """Return what a figure of an analysis shows, against what, and of how many samples or seeds."""
    return f"{_CAPTIONS[kind]}{_against(analysis, kind)}{_counted(analysis)}"


def _against(analysis: Analysis, kind: str) -> str:
    """Return what towers are compared with, where a probe compared them."""
    if (analysis.kind, kind) != ("probe", "degradation"):
        return ""
    first = analysis.table("degradation").records()[0].get("first")
    return f" Compared with {first}." if first else ""


def _counted(analysis: Analysis) -> str:
    """Return how many samples, minibatches or seeds an analysis' numbers are of."""
    records = {table.name: table.records() for table in analysis.tables}
    for table, key, noun in (
        ("degradation", "seeds", "seeds"),
        ("transfer", "seeds", "seeds"),
        ("tasks", "minibatches", "minibatches a task"),
        ("probe", "samples", "test samples a task"),
    ):
        rows = records.get(table, [])
        counts = {count for row in rows if isinstance(count := row.get(key), int)}
        if counts == {1} and key == "seeds":
            return " One seed, so without intervals."
        if counts:
            least, most = min(counts), max(counts)
            return f" {least} {noun}." if least == most else f" {least} to {most} {noun}."
    return ""


def _table(analysis: Analysis, name: str) -> list[dict[str, Any]]:
    tables = [table for table in analysis.tables if table.name == name]
    if not tables or not tables[0].rows:
        names = ", ".join(table.name for table in analysis.tables)
        raise UserError(
            f"this analysis ({analysis.kind}) has no table {name!r}",
            where=analysis.directory,
            fix=f"its tables: {names}",
        )
    return tables[0].records()
