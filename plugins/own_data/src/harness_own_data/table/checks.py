"""What is checked from row to row: types of columns, ids that come twice, labels of the task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.errors import DataError, nearest, quoted
from harness.samples import Sample

from harness_own_data.table.batches import Batch
from harness_own_data.table.rows import MissingKey, Row, Table, place
from harness_own_data.table.samples import SampleMaker

_SHOWN = 5
_KINDS: dict[type, str] = {
    str: "text", bool: "true or false", int: "a number", float: "a number",
    list: "a list", dict: "a table of keys",
}  # fmt: skip


class Checks:
    """Checks the rows of a split in their order.

    Attributes:
        labels: Counts labels that are not among the task's.
    """

    def __init__(self, labels: frozenset[str]) -> None:
        self.labels = OutsideLabels(labels)
        self._types = TableTypes()
        self._ids: set[int] = set()

    def plain(self, maker: SampleMaker, batch: Batch, *, typed: bool) -> Iterator[Sample] | None:
        """Return the samples of a batch, ``None`` where its rows are to be looked at one by one.

        Args:
            maker: Makes the table's samples.
            batch: Its next rows.
            typed: Whether its cells have types of their own.
        """
        if maker.plain is None or not batch.lines:
            return None
        if typed and not self._types.all_text(maker, batch):
            return None
        made = maker.plain.samples(batch)
        if made is None:
            return None
        ids, targets, samples = made
        hashes = set(map(hash, ids))
        if len(hashes) < len(ids) or not self._ids.isdisjoint(hashes):
            return None
        if not self.labels.contain(targets):
            return None
        self._ids |= hashes
        return samples

    def sample(self, maker: SampleMaker, row: Row, *, typed: bool) -> tuple[Sample, bool]:
        """Return a row's sample, and whether its id may have come before.

        Raises:
            DataError: a cell of another type than those above it, or that is not what it should be.
        """
        if typed:
            self._types.check(maker, row)
        sample = maker.sample(row)
        key = hash(sample.id)
        again = key in self._ids
        self._ids.add(key)
        self.labels.look(sample, maker.table, row.line)
        return sample, again


class TableTypes:
    """The type that each column has had so far; a cell of another is refused."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str]] = {}

    def all_text(self, maker: SampleMaker, batch: Batch) -> bool:
        """Whether a batch holds nothing but texts, in columns that held no other type so far."""
        if not batch.is_text():
            return False
        where = place(maker.table, batch.lines[0])
        kinds = [self._first.setdefault(name, (_KINDS[str], where)) for name in maker.columns]
        return all(kind == _KINDS[str] for kind, _ in kinds)

    def check(self, maker: SampleMaker, row: Row) -> None:
        """Compare a row's cells with those above.

        Raises:
            DataError: a cell of another type than the first in its column.
        """
        for name, cell in zip(maker.columns, row.cells, strict=True):
            if cell is None or isinstance(cell, MissingKey):
                continue
            kind = _KINDS.get(type(cell))
            where = place(maker.table, row.line)
            if kind is None:
                raise DataError(
                    f"the column {name!r} holds {quoted(cell)}, which is not plain data",
                    where=where, fix="write it as text",
                )  # fmt: skip
            before = self._first.setdefault(name, (kind, where))
            if before[0] != kind:
                raise DataError(
                    f"the column {name!r} holds {kind} ({quoted(cell)}), and {before[0]} in "
                    f"{before[1]}",
                    where=where,
                    fix="give all its cells one type",
                )


class OutsideLabels:
    """Counts labels that are not among the task's, and keeps the first of them."""

    def __init__(self, labels: frozenset[str]) -> None:
        self._labels = labels
        self._count = 0
        self._first: list[tuple[Table, int, str]] = []

    def contain(self, targets: Sequence[Any]) -> bool:
        """Whether the task has all of some targets that are texts."""
        return not self._labels or self._labels.issuperset(
            value for value in set(targets) if isinstance(value, str)
        )

    def look(self, sample: Sample, table: Table, line: int) -> None:
        """Look at one sample's target."""
        if self._labels and isinstance(sample.target, str) and sample.target not in self._labels:
            self._count += 1
            if len(self._first) < _SHOWN:
                self._first.append((table, line, sample.target))

    def refuse(self) -> None:
        """Raise DataError if there was any, with the first lines and the count."""
        if not self._count:
            return
        examples = ", ".join(
            f"{table.unit} {line} {quoted(label)}" for table, line, label in self._first
        )
        more = ", ..." if self._count > len(self._first) else ""
        rows = "1 row has a label that is" if self._count == 1 else (
            f"{self._count:,} rows have labels that are"
        )  # fmt: skip
        table, line, label = self._first[0]
        fix = nearest(label, self._labels) if label else "fill in, or remove, rows without a label"
        raise DataError(
            f"{rows} none of the task's (ask.choose.labels): {examples}{more}",
            where=place(table, line),
            fix=fix,
        )
