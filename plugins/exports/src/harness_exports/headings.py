"""Headings that cover several columns, for formats that can show them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.tables.table import Column


def spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return the headings over the columns, each with how many neighbours it covers."""
    merged: list[tuple[str, int]] = []
    for column in columns:
        if merged and merged[-1][0] == column.over:
            merged[-1] = (column.over, merged[-1][1] + 1)
        else:
            merged.append((column.over, 1))
    return merged
