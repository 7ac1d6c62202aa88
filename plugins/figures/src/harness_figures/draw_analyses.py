"""Draw figures of analyses with matplotlib; forests and heat maps come from :mod:`.draw`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import flat
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT

from harness_figures.analyses import Arrows, Curves
from harness_figures.draw import HUES, LINE, NOTHING, forest, look
from harness_figures.shapes import Grid

BETTER, WORSE, OPEN = HUES[0], HUES[1], "#8c959f"
_ACROSS = 3
_HEAD = 0.025  # of a field's width: a change that is shorter than an arrow's head is a dot
_NAMES, _SHORT = 4, 24  # names side by side, and how long they may be for that


def curves(parts: Sequence[Curves]) -> Figure:
    """Draw a probe's value by layer: one panel per task, one line per encoder."""
    across = min(_ACROSS, len(parts))
    down = math.ceil(len(parts) / across)
    figure = Figure(figsize=(0.8 + 2.6 * across, 0.5 + 2.2 * down), layout="constrained")
    fields: Any = figure.subplots(down, across, squeeze=False)
    lines: dict[str, Any] = {}
    for axes, part in zip(fields.flat, parts, strict=False):
        for index, (name, points) in enumerate(part.curves.items()):
            hue, sign = look(index)
            layers = [int(point.label) for point in points]
            values = [math.nan if point.value is None else point.value for point in points]
            if all(point.low is not None and point.high is not None for point in points):
                axes.fill_between(
                    layers,
                    [point.low for point in points],
                    [point.high for point in points],
                    color=hue,
                    alpha=0.15,
                    linewidth=0,
                )
            (lines[flat(name)],) = axes.plot(layers, values, f"{sign}-", color=hue, markersize=3.5)
        blocks = {int(point.label) for points in part.curves.values() for point in points}
        axes.set_xticks(sorted(blocks))
        axes.set_title(flat(part.title), loc="left", fontsize="medium")
        axes.set_xlabel("block")
        axes.set_ylabel(flat(part.up))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(linewidth=0.4, alpha=0.6)
    for axes in list(fields.flat)[len(parts) :]:
        axes.set_visible(False)
    figure.legend(
        lines.values(),
        lines.keys(),
        loc="outside upper left",
        ncols=min(_NAMES, len(lines)) if max(map(len, lines)) < _SHORT else 1,
        frameon=False,
        fontsize="small",
    )
    return figure


def matrices(grids: Sequence[Grid]) -> Figure:
    """Draw heat maps of cosines side by side, white at zero, each number in its field."""
    tasks = max(len(grid.rows) for grid in grids)
    side = 1.5 + 0.55 * tasks
    figure = Figure(figsize=(0.6 + side * len(grids), side + 0.4), layout="constrained")
    fields: Any = figure.subplots(1, len(grids), squeeze=False)
    image: Any = None
    for axes, matrix in zip(fields[0], grids, strict=True):
        numbers = [[math.nan if one is None else one for one in row] for row in matrix.values]
        axes.set_facecolor(NOTHING)
        image = axes.imshow(numbers, cmap="RdBu", vmin=-1, vmax=1)
        for down, row in enumerate(numbers):
            for across, value in enumerate(row):
                if not math.isnan(value):
                    ink = "white" if abs(value) > 0.6 else "black"
                    label = f"{round(value, 2) + 0.0:.2f}"  # never -0.00
                    axes.text(across, down, label, ha="center", va="center", color=ink,
                              fontsize="small")  # fmt: skip
        axes.set_xticks(range(len(matrix.columns)), map(flat, matrix.columns), rotation=90)
        axes.set_yticks(range(len(matrix.rows)), map(flat, matrix.rows))
        axes.set_title(flat(matrix.title), loc="left", fontsize="medium")
        axes.tick_params(length=0)
    figure.colorbar(image, ax=list(fields[0]), label=grids[0].unit, shrink=0.8)
    return figure


def arrows(parts: Sequence[Arrows]) -> Figure:
    """Draw one arrow per task, from 0 to its change; grey where the interval holds 0."""
    heights = [0.5 + 0.32 * len(part.points) for part in parts]
    size = (6.4, sum(heights) + 0.5 * len(parts))
    figure = Figure(figsize=size, layout="constrained")
    fields: Any = figure.subplots(len(parts), 1, squeeze=False, height_ratios=heights)
    for axes, part in zip(fields[:, 0], parts, strict=True):
        axes.axvline(0.0, color=LINE, linewidth=0.8)
        heads: list[tuple[float, int, str]] = []
        for y, point in enumerate(part.points):
            if point.value is None:
                continue
            hue = OPEN
            if point.low is not None and point.high is not None:
                hue = BETTER if point.low > 0 else WORSE if point.high < 0 else OPEN
                axes.plot([point.low, point.high], [y + 0.22] * 2, color=hue, linewidth=1.0)
            heads.append((point.value, y, hue))
            axes.plot([0, point.value], [y] * 2, color=hue, linewidth=1.8)
        axes.set_yticks(range(len(part.points)), [flat(point.label) for point in part.points])
        axes.set_ylim(len(part.points) - 0.4, -0.6)
        axes.set_xlabel(part.across)
        axes.set_title(flat(part.title), loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", linewidth=0.4, alpha=0.6)
        low, high = axes.get_xlim()
        for value, y, hue in heads:
            short = abs(value) < _HEAD * (high - low)
            head = "o" if short else CARETRIGHT if value > 0 else CARETLEFT
            axes.plot([value], [y], marker=head, color=hue, markersize=4 if short else 8)
    return figure


DRAWN: Mapping[str, Callable[[Any], Figure]] = {
    "degradation": forest,
    "layers": curves,
    "conflict": matrices,
    "transfer": arrows,
}
"""Kind of figure to how it is drawn."""
