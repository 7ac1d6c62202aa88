"""One table model and its renderers: a pure function of evaluation records."""

from harness.tables.build import build_table
from harness.tables.table import Cell, Column, Row, Section, Table

__all__ = ["Cell", "Column", "Row", "Section", "Table", "build_table"]
