"""The one table model: what every renderer reads, with nothing left to decide but looks."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.descriptors import Json

ARROWS: Mapping[str, str] = {"higher": "↑", "lower": "↓", "zero": "→ 0"}
MISSING = "--"

# A mark in a cell is one letter; the notes say what it stands for.
LETTERS: Mapping[str, str] = {
    "contaminated": "C",
    "demo": "D",
    "errored": "E",
    "limited": "L",
    "machine-labelled": "M",
    "machine-labelled slices": "S",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One metric of one task.

    Attributes:
        task: Task id.
        title: The task's title.
        metric: Metric id.
        name: The metric's heading.
        direction: Which way is better.
        scale: Factor already applied to the cells' numbers.
    """

    task: str
    title: str
    metric: str
    name: str
    direction: Literal["higher", "lower", "zero"]
    scale: float
    options: Mapping[str, Json] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The metric with its arrow."""
        return f"{self.name} {ARROWS[self.direction]}"

    @property
    def decimals(self) -> int:
        """Digits after the point: one for percent, three for anything else."""
        return 1 if self.scale == 100 else 3

    def number(self, value: float) -> str:
        """Write a scaled value as this column writes numbers."""
        return f"{value:.{self.decimals}f}"


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
        evaluation: Fingerprint of the record.
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


@dataclass(frozen=True, slots=True)
class Row:
    """One model; cells in the order of the table's columns, ``None`` where there is no record."""

    model: str
    fingerprint: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that may be compared with each other.

    Attributes:
        title: Why these rows are put apart; empty for the first section.
    """

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A leaderboard. Numbers of different sections must not be compared."""

    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)


def cell_texts(column: Column, cell: Cell | None) -> tuple[str, str, str]:
    """Return a cell as text: the number with its marks, the interval, what was lost."""
    if cell is None:
        return MISSING, "", ""
    number = "undefined" if cell.value is None else column.number(cell.value)
    letters = ",".join(LETTERS.get(mark, mark) for mark in cell.shown)
    interval = ""
    if cell.low is not None and cell.high is not None:
        interval = f"[{column.number(cell.low)}, {column.number(cell.high)}]"
    shares = (("unparsed", cell.unparsed), ("refused", cell.refusals))
    lost = [f"{100 * share:.1f} % {what}" for what, share in shares if share]
    if cell.errors:
        lost.append(f"{cell.errors} errors" if cell.errors > 1 else "1 error")
    return f"{number} ({letters})" if letters else number, interval, ", ".join(lost)


def one_line(text: str) -> str:
    """Return text without line breaks and without control characters, for any medium."""
    unprintable = {"Cc", "Cf", "Cs"}
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in unprintable else letter
        for letter in " ".join(text.split())
    )
