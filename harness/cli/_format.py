"""How commands print: tables, JSON, numbers and files."""

from __future__ import annotations

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
from harness.errors import UserError, reason_of
from harness.jsonfiles import finite_json


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
    cleaned = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(heads, *cleaned, strict=True)]
    left = width - sum(widths[:-1]) - 2 * len(widths[:-1])
    widths[-1] = max(20, min(widths[-1], left))
    click.echo(_row(heads, widths))
    click.echo("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (sum(widths) + 2 * len(widths[:-1])))
    for row in cleaned:
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
    """Print plain data as JSON; numbers that are none become null, which JSON has."""
    emit(json.dumps(finite_json(value), indent=2, ensure_ascii=False, allow_nan=False))


def number(value: Json, scale: Json = 1.0, *, digits: int = 2, sign: str = "") -> str:
    """Return a number as tables show it; ``--`` for none."""
    if not isinstance(value, int | float) or not isinstance(scale, int | float):
        return "--"
    return f"{value * scale:{sign}.{digits}f}"


def write_text(out: Path, text: str) -> None:
    """Write a file, and the folders above it.

    Raises:
        UserError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"cannot be written: {reason_of(error)}", where=out) from None
