"""Draw figures with matplotlib; each function returns a figure that belongs to nobody else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.errors import flat
from matplotlib.figure import Figure

from harness_figures.shapes import Dot, Grid, Lines, Panel, Point, Scatter, Spokes

POINT = "#0969da"
LINE = "#6e7781"
NOTHING = "#c8c8c8"
# Told apart by people who see few colours, and in grey (Okabe and Ito's order, without yellow).
HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555")
SIGNS = ("o", "s", "^", "D", "v", "P", "X")
LONGEST = 48
FEW = 20
"""Places along an axis that are all marked and named."""


def look(index: int) -> tuple[str, str]:
    """Return the colour and the sign of a row; of 49 rows no two look alike."""
    turns = index // len(HUES)
    return HUES[index % len(HUES)], SIGNS[(index + turns) % len(SIGNS)]


def _named(text: str) -> str:
    line = flat(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def forest(panels: Sequence[Panel]) -> Figure:
    """Draw points with intervals, one panel below the other, each with its own axis."""
    heights = [0.5 + 0.24 * len(panel.points) for panel in panels]
    figure = Figure(figsize=(6.4, sum(heights) + 0.45 * len(panels)), layout="constrained")
    drawn: Any = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axes, panel in zip(drawn[:, 0], panels, strict=True):
        places = range(len(panel.points))
        if panel.line is not None:
            axes.axvline(panel.line, color=LINE, linestyle="--", linewidth=0.8)
        for y, point in zip(places, panel.points, strict=True):
            if point.value is not None:
                _whisker(axes, point, y)
                axes.plot(point.value, y, "o", color=POINT, markersize=4.5)
        axes.set_yticks(places, [_named(point.label) for point in panel.points])
        axes.set_ylim(len(panel.points) - 0.4, -0.6)
        axes.set_xlabel(_named(panel.axis))
        if panel.title:
            axes.set_title(_named(panel.title), loc="left", fontsize="medium")
        _bare(axes)
        axes.grid(axis="x", linewidth=0.4, alpha=0.6)
    return figure


def _whisker(axes: Any, point: Point, y: int) -> None:
    if point.low is not None and point.high is not None:
        axes.plot([point.low, point.high], [y, y], color=POINT, linewidth=1.4)


def _bare(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def grid(matrix: Grid) -> Figure:
    """Draw a heat map that is white at zero; a field without a number is grey."""
    down, across = len(matrix.rows), len(matrix.columns)
    height = 1.9 + 0.2 * down
    figure = Figure(figsize=(3.2 + 0.3 * across, height), layout="constrained")
    axes: Any = figure.subplots()
    magnitudes = [abs(value) for row in matrix.values for value in row if value is not None]
    top = max([*magnitudes, 0.05])
    axes.set_facecolor(NOTHING)
    numbers = [[math.nan if value is None else value for value in row] for row in matrix.values]
    image = axes.imshow(numbers, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto")
    axes.set_xticks(range(across), [_named(name) for name in matrix.columns], rotation=90)
    axes.set_yticks(range(down), [_named(name) for name in matrix.rows])
    axes.set_title(_named(matrix.title), loc="left", fontsize="medium")
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label=matrix.unit, shrink=min(1.0, 4 / height))
    return figure


def scatter(plot: Scatter) -> Figure:
    """Draw one dot per model with both intervals; a legend names them."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes: Any = figure.subplots()
    for index, dot in enumerate(plot.dots):
        if dot.x.value is None or dot.y.value is None:
            continue
        colour, sign = look(index)
        axes.errorbar(
            dot.x.value,
            dot.y.value,
            xerr=_ends(dot.x),
            yerr=_ends(dot.y),
            fmt=sign,
            color=colour,
            elinewidth=0.9,
            label=_label(dot),
        )
    if len(plot.front) > 1:
        axes.plot(*zip(*plot.front, strict=True), color="0.6", linewidth=0.9, zorder=0)
    axes.set_xlabel(_named(plot.across))
    axes.set_ylabel(_named(plot.up))
    _bare(axes)
    axes.grid(linewidth=0.4, alpha=0.6)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def _label(dot: Dot) -> str:
    # A label that begins with an underscore would be left out of the legend.
    return "\N{ZERO WIDTH SPACE}" * dot.label.startswith("_") + _named(dot.label)


def _ends(point: Point) -> list[list[float]] | None:
    if point.value is None or point.low is None or point.high is None:
        return None
    return [[max(0.0, point.value - point.low)], [max(0.0, point.high - point.value)]]


def lines(plot: Lines) -> Figure:
    """Draw numbers by epoch or step, with parity as a dashed line."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes: Any = figure.subplots()
    few = len(plot.places) <= FEW
    if plot.parity is not None:
        axes.axhline(plot.parity, color=LINE, linestyle="--", linewidth=0.8)
    for index, (name, values) in enumerate(plot.lines.items()):
        heights = [math.nan if value is None else value for value in values]
        sign = SIGNS[index] if few else ""
        axes.plot(plot.places, heights, f"{sign}-", color=HUES[index], label=_named(name))
    if few:
        axes.set_xticks(plot.places)
    axes.set_xlabel(plot.across)
    axes.set_ylabel(plot.up)
    _bare(axes)
    axes.legend(frameon=False, fontsize="small")
    return figure


def radar(plot: Spokes) -> Figure:
    """Draw one outline per model; a spoke without a number breaks the outline."""
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes: Any = figure.add_subplot(projection="polar")
    angles = [2 * math.pi * index / len(plot.spokes) for index in range(len(plot.spokes))]
    for index, (name, values) in enumerate(plot.outlines.items()):
        radii = [math.nan if value is None else value for value in (*values, values[0])]
        hue, sign = look(index)
        axes.plot([*angles, angles[0]], radii, f"{sign}-", color=hue, label=_named(name))
    axes.set_xticks(angles, [_named(spoke) for spoke in plot.spokes], fontsize="small")
    axes.tick_params(axis="x", pad=24)
    axes.set_yticks([0, 0.5, 1], ["worst", "", "best"], fontsize="small")
    axes.set_ylim(0, 1.05)
    axes.set_title(plot.title, fontsize="small")
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure
