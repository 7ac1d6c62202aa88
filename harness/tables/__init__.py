"""One table model and its renderers: a pure function of evaluation records."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    # Descriptors alone must not load the builder: every command reads them.
    if name in __all__:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
