"""Tables on standard output for the commands that list things."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.cells import cell_len


def clean(text: object) -> str:
    """Return text that cannot drive the terminal: control characters become a mark."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}"
                   for sign in str(text))  # fmt: skip


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the last column takes what width is left and wraps.

    Written out here because rich's console takes longer to import than listing tasks takes.
    """
    # A pipe or a file has no width; rich and shutil would guess 80.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    held = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(heads, *held, strict=True)]
    left = width - sum(widths[:-1]) - 2 * len(widths[:-1])
    widths[-1] = max(20, min(widths[-1], left))
    click.echo(_row(heads, widths))
    click.echo("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (sum(widths) + 2 * len(widths[:-1])))
    for row in held:
        first, *more = textwrap.wrap(row[-1], widths[-1]) or [""]
        click.echo(_row([*row[:-1], first], widths))
        for line in more:
            click.echo(_row([*("" for _ in row[:-1]), line], widths))


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def print_json(value: Any) -> None:
    """Print plain data as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
