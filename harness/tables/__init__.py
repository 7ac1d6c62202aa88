"""One table model and its renderers: a pure function of evaluation records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.tables.build import build_table
    from harness.tables.table import Cell, Column, Row, Section, Table

__all__ = ["Cell", "Column", "Row", "Section", "Table", "build_table"]

_HOMES = {
    "build_table": "harness.tables.build",
    "Cell": "harness.tables.table",
    "Column": "harness.tables.table",
    "Row": "harness.tables.table",
    "Section": "harness.tables.table",
    "Table": "harness.tables.table",
}

# Descriptors alone must not load the builder: every command reads them.
__getattr__ = lazily(__name__, _HOMES)
