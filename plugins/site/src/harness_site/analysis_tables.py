"""Tables of analyses as pages show them: in units, intervals in one cell, columns explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.board import view_of
from harness.analysis.results import Analysis, AnalysisTable
from harness.descriptors import Json

from harness_site.files import plain

_ORDER = ("degradation", "transfer", "mir", "pairs", "conflict", "groups", "contrasts", "tasks")
_HEADS = {
    "relative": "change, %",
    "relative_loss": "relative loss, %",
    "negative": "share below 0",
    "own": "cosine",
    "mean": "cosine",
    "strength": "C or alpha",
    "direction": "better",
    "is_control": "control task",
    "p": "p value",
    "low": "95 %",
    "scale": "unit",
}
# The first of these that a table has is what its intervals are of.
_WITH_INTERVAL = ("relative", "relative_loss", "degradation", "difference", "value")
_PERCENT = {"relative", "relative_loss"}
_SCALED = {
    "value", "control", "selectivity", "degradation", "before", "after", "single", "joint",
    "untrained", "difference", "detectable",
}  # fmt: skip
_DIGITS = 4

Row = Mapping[str, Json]
Cell = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Shown:
    """A table on a page.

    Attributes:
        said: What its numbers are, and what is the same in every row.
        heads: Each heading, and whether numbers stand below it.
        rows: Each cell's text, and whether it is a number or none.
    """

    name: str
    said: str
    heads: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]


def shown_tables(analysis: Analysis) -> list[Shown]:
    """Return an analysis' tables, what it is about first."""
    places = {name: place for place, name in enumerate(_ORDER)}
    tables = sorted(analysis.tables, key=lambda table: places.get(table.name, len(places)))
    return [_shown(analysis.kind, table) for table in tables]


def _shown(kind: str, table: AnalysisTable) -> Shown:
    records = table.records()
    view = view_of(kind)
    captions = {} if view is None else view.captions
    caption = captions.get(table.name, "")
    same = _same(records)
    if same:
        constant = ", ".join(
            f"{_head(name, records)} {_text(value)}" for name, value in same.items()
        )
        caption = f"{caption} In every row: {constant}.".lstrip()
    left_out = {"high", *same, *({"scale"} if "metric" in table.columns else ())}
    columns = [name for name in table.columns if name not in left_out]
    columns.sort(key="encoder".__eq__)  # long names last, as the command prints them
    rows = [[_cell(name, row) for name in columns] for row in records]
    heads = [
        (_head(name, records), all(row[index][1] for row in rows))
        for index, name in enumerate(columns)
    ]
    return Shown(table.name, caption, heads, rows)


def _same(records: Sequence[Row]) -> dict[str, Json]:
    """Return names and counts that do not differ between rows; metrics and units always differ."""
    if len(records) < 2:
        return {}
    return {
        name: value
        for name, value in records[0].items()
        if isinstance(value, str | int)
        and name not in {"metric", "task"}
        and all(row[name] == value for row in records)
    }


def _head(name: str, records: Sequence[Row]) -> str:
    if any(row.get("task") == name for row in records):
        return name  # a column of a matrix
    return _HEADS.get(name, name.replace("_", " "))


def _cell(name: str, row: Row) -> Cell:
    value = row[name]
    if name == "scale":
        return ("points" if value == 100 else "--", False)
    if name == "metric" and row.get("scale") == 100:
        return f"{plain(value)} %", False
    factor = _factor(name, row)
    if name == "low":
        ends = [_text(row[end], factor) for end in ("low", "high") if row[end] is not None]
        return (f"[{', '.join(ends)}]" if len(ends) == 2 else "--"), True
    return _text(value, factor), value is None or _is_number(value)


def _factor(name: str, row: Row) -> float:
    if name in {"low", "high", "by_seed"}:
        name = next((one for one in _WITH_INTERVAL if one in row), "")
    if name in _PERCENT:
        return 100.0
    scale = row.get("scale")
    return float(scale) if name in _SCALED and isinstance(scale, int | float) else 1.0


def _text(cell: Any, factor: float = 1.0) -> str:
    if isinstance(cell, list):
        return ", ".join(_text(one, factor) for one in cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if _is_number(cell) and factor == 100:
        return f"{100 * cell + 0.0:.2f}"
    if isinstance(cell, float):
        return f"{cell:.{_DIGITS}g}"
    return plain(cell)


def _is_number(cell: Json) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)
