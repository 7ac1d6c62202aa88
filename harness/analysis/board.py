"""Sealed analyses as the table of a leaderboard, so that every format writes them.

Rows are encoders, models or towers, columns are tasks. What several analyses measured stands in one
section only where the same was asked under the same settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from harness.analysis.results import Analysis
from harness.errors import UserError, unknown
from harness.guard import described
from harness.plugins import contract_of, missing, plugins
from harness.specs import fingerprint
from harness.tables.notes import MEANINGS
from harness.tables.table import Cell, Column, Row, Section, Table, TableStyle
from harness.targets import load_target

Key = tuple[str, str]


@dataclass(slots=True)
class Board:
    """Cells by row and column, in the order in which they came."""

    columns: dict[Key, Column] = field(default_factory=dict)
    rows: dict[str, dict[Key, Cell]] = field(default_factory=dict)

    def put(self, row: str, column: Column, cell: Cell | None) -> None:
        """Put a cell in its place; a row that says nothing of a column has no cell there."""
        key = column.task, column.metric
        self.columns.setdefault(key, column)
        row_cells = self.rows.setdefault(row, {})
        if cell is not None:
            row_cells[key] = cell

    def cells(self, columns: Iterable[Key]) -> Iterator[Row]:
        """Yield each row with its cells in the order of these columns."""
        for name, cells in self.rows.items():
            yield Row(name, "", tuple(cells.get(key) for key in columns))


def analysis_table(
    analyses: Sequence[Analysis], *, tasks: Sequence[str] = (), looks: TableStyle | None = None
) -> Table:
    """Return analyses of one kind as one table.

    Args:
        analyses: At least one.
        tasks: Show these tasks alone, in this order.
        looks: How intervals are shown.

    Raises:
        UserError: analyses of several kinds or of one that is not known, a task none of them has.
    """
    kinds = {analysis.kind: analysis for analysis in analyses}
    if len(kinds) > 1:
        raise UserError(
            f"analyses of {' and '.join(sorted(kinds))} cannot share one table",
            where=", ".join(str(analysis.directory) for analysis in kinds.values()),
            fix="give analyses of one kind",
        )
    (name,) = kinds
    view = view_of(name)
    if view is None:
        raise missing("analysis kind", name, plugins().analysis_kinds())
    boards: dict[str, Board] = {}
    for analysis in analyses:
        view.fill(analysis, boards.setdefault(_asked(analysis, view), Board()))
    columns = _chosen(
        {key: one for board in boards.values() for key, one in board.columns.items()}, tasks
    )
    sections = tuple(
        Section(
            f"other data or settings ({settings[:8]})" if number else "",
            tuple(board.cells(columns)),
        )
        for number, (settings, board) in enumerate(boards.items())
    )
    return Table(
        columns=tuple(columns.values()),
        sections=sections,
        notes=tuple(_notes(analyses, view.note)),
        title=view.title,
        looks=looks or TableStyle(),
    )


def _asked(analysis: Analysis, view: AnalysisView) -> str:
    """Return what analyses must have in common for their numbers to be compared."""
    if view.rows_of:
        about = analysis.about.items()
        return fingerprint({key: value for key, value in about if key not in view.rows_of})
    return analysis.fingerprint


def _chosen(columns: Mapping[Key, Column], tasks: Sequence[str]) -> dict[Key, Column]:
    present = dict.fromkeys(task for task, _ in columns)
    for task in tasks:
        if task not in present:
            raise unknown("task of the analysis", task, present)
    return {key: columns[key] for task in tasks or present for key in columns if key[0] == task}


def _notes(analyses: Sequence[Analysis], lead: str) -> Iterator[str]:
    for mark in sorted({mark for found in analyses for mark in found.marks}):
        every = all(mark in found.marks for found in analyses)
        whose = "Every number is" if every else "Some numbers are"
        yield f"{whose} marked {mark}: {MEANINGS.get(mark, 'see the record')}."
    yield lead
    yield from dict.fromkeys(note for found in analyses for note in found.notes)


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """How analyses of one kind are shown.

    Attributes:
        note: What the numbers of the leaderboard's table are.
        fill: Puts an analysis' numbers in their places.
        captions: What the numbers of each sealed table are, by the table's name.
        rows_of: Keys of ``about`` that name rows. Analyses that differ in them alone stand in one
            section of the table; without any, each analysis has a section of its own.
    """

    title: str
    note: str
    fill: Callable[[Analysis, Board], None]
    captions: Mapping[str, str] = field(default_factory=dict)
    rows_of: frozenset[str] = frozenset()


def view_of(kind: str) -> AnalysisView | None:
    """Return how analyses of a kind are shown, or sealed analyses of a kind of study."""
    registry = plugins()
    descriptor = registry.analysis_kinds().get(kind) or registry.study_kinds().get(kind)
    if descriptor is None or not descriptor.view:
        return None
    view = load_target(descriptor, descriptor.view)
    contract = replace(contract_of(descriptor), where=descriptor.view)
    if not isinstance(view, AnalysisView):
        raise contract.wrong(f"has {described(view)} as its view, not an AnalysisView")
    if not isinstance(view.captions, Mapping) or not isinstance(view.rows_of, Set):
        raise contract.wrong("has a view whose captions are no mapping, or rows_of no set")
    return replace(view, fill=contract.checked(view.fill, "fill", None))
