"""The one table model: what every renderer reads, with nothing left to decide but looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.descriptors import Direction, Json

ARROWS: Mapping[str, str] = {"higher": "↑", "lower": "↓", "zero": "→ 0", "none": ""}
TRENDS: Mapping[str, str] = {"better": "▲", "worse": "▼", "same": "="}
MISSING = "--"
UNSUPPORTED = "n/a"
TIED = "≈"

Rank = Literal["", "best", "second"]
Trend = Literal["", "better", "worse", "same"]

# A mark in a cell is one letter; the notes say what it stands for.
LETTERS: Mapping[str, str] = {
    "contaminated": "C",
    "demo": "D",
    "errored": "E",
    "human": "H",
    "intersected": "I",
    "limited": "L",
    "machine-labelled": "M",
    "machine-labelled slices": "S",
    "one-sided": "O",
    "sign changes": "W",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of one task.

    Attributes:
        task: Task id.
        title: The task's title.
        metric: Metric id.
        name: The metric's own heading.
        direction: Which way is better.
        scale: Factor already applied to the cells' numbers.
        group: Heading over neighbouring columns; the title when empty.
        digits: Digits after the point, where a layout says so.
        renamed: What a layout calls the column instead of ``name``.
    """

    task: str
    title: str
    metric: str
    name: str
    direction: Direction
    scale: float
    options: Mapping[str, Json] = field(default_factory=dict)
    group: str = ""
    digits: int | None = None
    renamed: str = ""

    @property
    def label(self) -> str:
        """The heading as shown."""
        return self.renamed or self.name

    @property
    def over(self) -> str:
        """The heading that stands over the metric, and over its neighbours of the same group."""
        return self.group or self.title

    @property
    def heading(self) -> str:
        """The metric with its arrow."""
        return f"{self.label} {ARROWS[self.direction]}".rstrip()

    @property
    def decimals(self) -> int:
        """Digits after the point: as declared, else one for percent, three for anything else."""
        if self.digits is not None:
            return self.digits
        return 1 if self.scale == 100 else 3

    def number(self, value: float) -> str:
        """Write a scaled value as this column writes numbers."""
        return f"{value:z.{self.decimals}f}"

    def badness(self, value: float) -> float:
        """Return a number that is smaller for a better value; 0 for any without a direction."""
        return {"higher": -value, "lower": value, "zero": abs(value), "none": 0.0}[self.direction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number with all that must stand beside it; values are scaled.

    Attributes:
        value: ``None`` when the metric is not defined on these samples.
        low: Lower end of the interval, ``None`` without one.
        n: Samples scored.
        clusters: Units that were resampled.
        unparsed: Share of scored samples whose answer could not be read; scored as wrong.
        refusals: Share of scored samples that the model refused; scored as wrong.
        errors: Samples that are not in the number at all.
        marks: As in the record.
        shown: Marks that are not on every cell of the table.
        evaluation: Fingerprint of the record; of a mean, of each, with commas between.
        supported: Whether the model can answer the task at all; a cell without has no number.
        rank: Place within the column and the rows it is ranked with, on unrounded values.
        tied: A paired test does not tell it from the best.
        delta: Difference to the row it is compared with, ``None`` without one.
        trend: Which way that difference goes, in the column's sense of better.
        seeds: Number of evaluations that a mean is taken over; 1 for a single evaluation.
        warning: What stands beside the interval, such as too few clusters.
        undefined: Why there is no value; empty where there is one.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float | None
    n: int
    clusters: int
    unparsed: float
    refusals: float
    errors: int
    marks: tuple[str, ...]
    shown: tuple[str, ...]
    evaluation: str
    supported: bool = True
    rank: Rank = ""
    tied: bool = False
    delta: float | None = None
    trend: Trend = ""
    seeds: int = 1
    warning: str = ""
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One model; cells in the order of the table's columns, ``None`` where there is no record.

    Attributes:
        group: Heading over neighbouring rows, empty without one.
    """

    model: str
    fingerprint: str
    cells: tuple[Cell | None, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that may be compared with each other.

    Attributes:
        title: Why these rows are put apart; empty for the first section.
    """

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """Numbers somebody else published, in the order of the table's columns, already scaled."""

    model: str
    values: tuple[float | None, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """Published numbers: never ranked, never a reference for a difference.

    Attributes:
        title: Whose numbers these are; every format says that they were not measured here.
        citation: Where they were published.
        note: How they were read.
    """

    title: str
    citation: str
    note: str
    rows: tuple[ReportedRow, ...]

    @property
    def heading(self) -> str:
        """The panel's title as every format shows it."""
        return f"Reported, not measured here: {self.title}"


@dataclass(frozen=True, slots=True)
class TableStyle:
    """What a format may decide, decided by the user instead.

    Attributes:
        interval: ``brackets`` shows both ends, ``half`` half the width after ±, ``none`` nothing.
        delta: ``number`` with its sign, or ``arrow``: better or worse, and by how much.
        label: Name to refer to the table by, where a format has such names.
    """

    interval: Literal["brackets", "half", "none"] = "brackets"
    delta: Literal["number", "arrow"] = "number"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A leaderboard. Numbers of different sections must not be compared.

    Attributes:
        title: The layout's title, empty without one.
        caption: What the records say of themselves: sizes, intervals, seeds, version, runs.
        reported: Published numbers beside the measured ones.
    """

    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    title: str = ""
    caption: str = ""
    reported: tuple[Reported, ...] = ()
    looks: TableStyle = field(default_factory=TableStyle)

    def __repr__(self) -> str:
        """Return the table as plain text, which a console shows."""
        from harness.tables.formats import plain

        return plain(self)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for each number that was measured here.

        Raises:
            PluginError: pandas is not installed.
        """
        from harness.tables.frames import table_rows, to_pandas

        return to_pandas(table_rows(self))

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame`` with a row for each number that was measured here.

        Raises:
            PluginError: polars is not installed.
        """
        from harness.tables.frames import table_rows, to_polars

        return to_polars(table_rows(self))

    def _repr_html_(self) -> str | None:
        """Return the table as a notebook shows it; as text where no plugin makes HTML of it."""
        from harness.plugins import plugins
        from harness.tables.render import render

        form = plugins().formats().get("html_fragment")
        return None if form is None else render(form, self)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)


@dataclass(frozen=True, slots=True)
class CellText:
    """A cell as text; a format joins the pieces and escapes them.

    Attributes:
        number: The value, or what stands in its place.
        marks: Letters of the marks that not every cell has.
        lost: Shares of unread and refused answers, and errors.
        seeds: How many evaluations a mean is of.
    """

    number: str
    marks: str = ""
    interval: str = ""
    delta: str = ""
    lost: str = ""
    seeds: str = ""
    rank: Rank = ""
    tied: bool = False

    @property
    def rest(self) -> str:
        """What stands after the number: tie, difference, interval."""
        tied = TIED if self.tied else ""
        return " ".join(filter(None, (tied, self.delta, self.interval)))

    @property
    def losses(self) -> str:
        """What was lost, and what a mean is of."""
        return ", ".join(filter(None, (self.lost, self.seeds)))


def cell_text(column: Column, cell: Cell | None, looks: TableStyle) -> CellText:
    """Return a cell as text, its numbers rounded as the column writes them."""
    if cell is None:
        return CellText(MISSING)
    if not cell.supported:
        return CellText(UNSUPPORTED)
    shares = (("unparsed", cell.unparsed), ("refused", cell.refusals))
    lost = [f"{100 * share:.1f} % {what}" for what, share in shares if share]
    if cell.errors:
        lost.append(f"{cell.errors} errors" if cell.errors > 1 else "1 error")
    return CellText(
        number="undefined" if cell.value is None else column.number(cell.value),
        marks=",".join(LETTERS.get(mark, mark) for mark in cell.shown),
        interval=_interval(column, cell, looks),
        delta=_delta(column, cell, looks),
        lost=", ".join(lost),
        seeds=f"{cell.seeds} seeds" if cell.seeds > 1 else "",
        rank=cell.rank,
        tied=cell.tied,
    )


def _interval(column: Column, cell: Cell, looks: TableStyle) -> str:
    if cell.low is None or cell.high is None or looks.interval == "none":
        return ""
    if looks.interval == "half":
        return f"±{column.number((cell.high - cell.low) / 2)}"
    return f"[{column.number(cell.low)}, {column.number(cell.high)}]"


def _delta(column: Column, cell: Cell, looks: TableStyle) -> str:
    if cell.delta is None:
        return ""
    if looks.delta == "arrow":
        return f"{TRENDS[cell.trend]}{column.number(abs(cell.delta))}"
    return f"({cell.delta:+z.{column.decimals}f})"
