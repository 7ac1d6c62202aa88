"""The reader `table`: rows of the user's own files as samples, columns mapped by the spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, nearest, quoted
from harness.samples import DataRoot, Sample

from harness_own_data.table.batches import batches
from harness_own_data.table.checks import Checks
from harness_own_data.table.files import TableFiles
from harness_own_data.table.folders import ImageFolder
from harness_own_data.table.mapping import ColumnMap, ImageColumn, column_map
from harness_own_data.table.missing import elsewhere
from harness_own_data.table.rows import place, require
from harness_own_data.table.samples import SampleMaker, Use

_SHOWN = 5
_CHECKED = 20  # rows whose images must not all be missing


class TableReader:
    """Reader of the user's own tables and folders of images; see the options of the descriptor.

    The target is the text of its column, or of typed formats what the row holds. Ids are of their
    column, or the file's name with the row's number.

    Raises:
        UserError: options that map no columns.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._map = column_map(options)
        delimiter = str(options.get("delimiter") or "")
        if delimiter and len(delimiter) != 1:
            raise DataError(f"the delimiter {quoted(delimiter)} is not one character",
                            where="data.options.delimiter",
                            fix='such as ";"; a tab is "\\t" in double quotes')  # fmt: skip
        self._files = TableFiles(
            options.get("file"),
            str(options["format"]),
            delimiter,
            str(options.get("encoding") or ""),
            self._map.split is not None,
        )
        self._image_as = str(options["image_as"])
        self._unit = str(options["unit"])
        labels = options.get("choose_labels")
        self._labels = frozenset(map(str, labels)) if isinstance(labels, list) else frozenset()
        if self._map.cluster is None and self._unit not in {"image", "sample"}:
            raise DataError(
                f"the unit {self._unit!r} needs a column that holds it",
                where="unit",
                fix="name it under data.options: cluster: COLUMN; or unit: image, or unit: sample",
            )
        self._opened: dict[tuple[str, str], list[Any]] = {}

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the files of a split; of folders of images none, their ids are their paths."""
        return [
            name for name in self._files.names(root, split) if not self._files.is_folder(root, name)
        ]

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return a file's hash; of Parquet that of the columns that are read, without images."""
        if not name.endswith(".parquet"):
            return root.sha256(name)
        table = self._files.open(root, name)
        columns = self._maker(table).columns
        digest: str = table.content_hash(columns)
        return digest

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Return what was settled by looking: delimiter, encoding, ids, how images are held."""
        tables = self._tables(root, split)
        notes = [note for table in tables for note in table.notes]
        if any(self._of(table).id is None for table in tables):
            notes.append("ids are line numbers: a line added above others renames them (option id)")
        kinds = {kind for table in tables for kind in self._maker(table).kinds.values()}
        if self._image_as == "auto" and kinds - {"path"}:
            notes.append(f"image cells were looked at: they hold {', '.join(sorted(kinds))}")
        return list(dict.fromkeys(notes))

    def passed_over(self, root: DataRoot, split: str) -> dict[str, int]:
        """Return how many files in folders of labels are no image that is read, by their ending."""
        folders = [table for table in self._tables(root, split) if isinstance(table, ImageFolder)]
        counts = Counter[str]()
        for folder in folders:
            counts.update(folder.unread())
        return {
            f"files that are not read as images ({ending})": counts[ending] for ending in counts
        }

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a sample for each row, in the order of the files; no image is opened.

        Raises:
            DataError: with file and line, for whatever is wrong: a column that is not there, an id
                that comes twice, a label outside the task's, another type than above it.
        """
        checks = Checks(self._labels)
        values: set[str] = set()
        rows = taken = 0
        for table in self._tables(root, split):
            maker = self._maker(table)
            for batch in batches(table, maker.columns, starts=maker.needs_starts):
                rows += len(batch.lines)
                if maker.split is not None and len(values) < _SHOWN:
                    values.update(map(str, batch.columns[maker.split]))
                chosen = batch if maker.split is None else batch.where(maker.split, split)
                taken += len(chosen.lines)
                plain = checks.plain(maker, chosen, typed=table.typed)
                if plain is not None:
                    yield from plain
                    continue
                for row in chosen.rows():
                    sample, again = checks.sample(maker, row, typed=table.typed)
                    if again:
                        self._refuse_repeated(root, split, sample.id, place(table, row.line))
                    yield sample
        if rows and not taken:
            raise DataError(
                f"no row belongs to the split {split!r}",
                where=f"column {self._map.split!r}",
                fix=nearest(split, values),
            )
        checks.labels.refuse()

    def _named(self, table: Any) -> list[tuple[str, str]]:
        """Return the columns that are read, each with the option that names it."""
        named = self._of(table).named()
        for name, option in named:
            require(table, [name], option)
        return named

    def _tables(self, root: DataRoot, split: str) -> list[Any]:
        key = (str(root), split)
        if key not in self._opened:
            tables = [self._files.open(root, name) for name in self._files.names(root, split)]
            for table in tables:
                self._refuse_missing_images(table)
            self._opened[key] = tables
        return self._opened[key]

    def _maker(self, table: Any) -> SampleMaker:
        columns = [name for name, _ in self._named(table)]
        use = Use(self._unit, self._image_as, choosing=bool(self._labels))
        return SampleMaker(table, self._of(table), columns, use)

    def _of(self, table: Any) -> ColumnMap:
        """Return the mapping; a folder of images has its columns for image and id."""
        if not isinstance(table, ImageFolder):
            return self._map
        images = self._map.images or (ImageColumn(("path",)),)
        return replace(self._map, id=self._map.id or "id", images=images)

    def _refuse_missing_images(self, table: Any) -> None:
        """Check that not all images of the first rows are missing, which a wrong folder would."""
        maker = self._maker(table)
        for column in (column for column, kind in maker.kinds.items() if kind == "bytes"):
            if path := table.first_without_bytes(column):
                raise DataError(
                    f"the first image of {column!r} is not an image but the name of one, "
                    f"{quoted(path)}",
                    where=table.root.where(table.name),
                    fix=f"image: {column}.path reads images by their names",
                )
        looked: list[str] = []
        for _, row in zip(range(_CHECKED), table.read(maker.columns), strict=False):
            for image in maker.sample(row).images:
                if image.load is not None or image.data is not None:
                    return
                if table.root.is_file(image.name):
                    return
                looked.append(image.name)
        if looked:
            table.root.local(looked[0])  # a link that leads out of the data folder says so
            raise DataError(
                f"none of the images of its first rows is there, such as {quoted(looked[0])}",
                where=table.root.where(table.name),
                fix=elsewhere(table.root, looked[0]),
            )

    def _refuse_repeated(self, root: DataRoot, split: str, name: str, where: str) -> None:
        """Raise for an id that comes twice; two ids of one hash pass."""
        for table in self._tables(root, split):
            maker = self._maker(table)
            for row in table.read(maker.columns):
                location = place(table, row.line)
                if maker.split is not None and str(row.cells[maker.split]) != split:
                    continue
                if location == where:
                    return
                if maker.sample(row).id == name:
                    raise DataError(
                        f"the id {quoted(name)} occurs twice; first in {location}",
                        where=where,
                        fix="give each row its own id, or leave out the option id to number "
                        "the rows",
                    )
