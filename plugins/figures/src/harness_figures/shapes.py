"""What figures show, as plain data: nothing here draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One number with its interval; without a value there is a row and no point."""

    label: str
    value: Value
    low: Value = None
    high: Value = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Points on one axis.

    Attributes:
        title: Over the panel, such as the task's.
        axis: Heading of the axis, such as the metric's.
        line: Where a dashed line stands: zero, or the number of everything.
    """

    title: str
    axis: str
    points: tuple[Point, ...]
    line: Value = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers both sides of zero by row and column, ``None`` where there is none."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One model on two axes."""

    label: str
    x: Point
    y: Point


@dataclass(frozen=True, slots=True)
class Scatter:
    """Models on two axes.

    Attributes:
        front: Places of the models that none beats in both, from left to right.
    """

    title: str
    across: str
    up: str
    dots: tuple[Dot, ...]
    front: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """Numbers by epoch, or by step.

    Attributes:
        places: Positions of the numbers, from left to right.
        lines: Names to numbers, as many as there are ``places``.
        marks: Marks of the training, such as ``demo``.
        parity: Where nothing is favoured, if there is such a number.
    """

    title: str
    across: str
    up: str
    places: tuple[int, ...]
    lines: Mapping[str, Sequence[Value]]
    marks: tuple[str, ...] = ()
    parity: float | None = None


@dataclass(frozen=True, slots=True)
class Spokes:
    """One outline per model; every spoke has its own scale, from its worst to its best end."""

    title: str
    spokes: tuple[str, ...]
    outlines: Mapping[str, tuple[Value, ...]]
