"""One table model and its renderers: a pure function of evaluation records."""

from harness.leaderboard.build import build_table
from harness.leaderboard.table import Cell, Column, Row, Section, Table

__all__ = ["Cell", "Column", "Row", "Section", "Table", "build_table"]
