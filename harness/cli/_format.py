"""How commands print: tables, JSON, numbers and files."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from harness.cli._stdout import emit
from harness.descriptors import Json
from harness.jsonfiles import finite_json

_LAST_COLUMN_LEAST = 40
"""Signs that the last column of a table has before a wide one beside it wraps."""


def clean(text: object) -> str:
    """Return text that cannot drive the terminal: control characters become a mark."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}"
                   for sign in str(text))  # fmt: skip


def say(text: str) -> None:
    """Print text that may hold what a record says: it cannot drive the terminal."""
    emit(clean(text))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the last column takes what width is left and wraps.

    Written out here because rich's console takes longer to import than listing tasks takes.
    """
    # A pipe or a file has no width; rich and shutil would guess 80.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cleaned, strict=True)]
    left = width - sum(widths[:-1]) - 2 * len(widths[:-1])
    missing = min(widths[-1], _LAST_COLUMN_LEAST) - left
    if missing > 0 and len(widths) > 1:
        # The widest column before the last one wraps between words, so that neither is a strip.
        index = max(range(len(widths) - 1), key=widths.__getitem__)
        words = [word for row in cleaned for word in row[index].split()]
        least = max(map(cell_len, [heads[index], *words]))
        shrunk = max(least, widths[index] - missing)
        left += widths[index] - shrunk
        widths[index] = shrunk
    widths[-1] = max(20, min(widths[-1], left))
    click.echo(_line(heads, widths))
    click.echo("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (sum(widths) + 2 * len(widths[:-1])))
    for row in cleaned:
        wrapped = [_wrap(cell, limit) for cell, limit in zip(row, widths, strict=True)]
        for cells in itertools.zip_longest(*wrapped, fillvalue=""):
            click.echo(_line(cells, widths))


def _wrap(cell: str, width: int) -> list[str]:
    return [cell] if cell_len(cell) <= width and "\n" not in cell else textwrap.wrap(cell, width)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def print_json(value: Any) -> None:
    """Print plain data as JSON; NaN and infinite numbers become null, since JSON has neither."""
    emit(json.dumps(finite_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def number(value: Json, scale: Json = 1.0, *, digits: int = 2, sign: str = "") -> str:
    """Return a number as tables show it; ``--`` for none."""
    if not isinstance(value, int | float) or not isinstance(scale, int | float):
        return "--"
    return f"{value * scale:{sign}.{digits}f}"


def replaced(path: Path) -> str:
    """Return what is said of a file that is written where one is already."""
    return ", in place of an earlier file" if path.is_file() else ""
