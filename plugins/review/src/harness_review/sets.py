"""What is reviewed: rows of a table, or a folder of images, grouped into sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UserError, short, unknown
from harness.samples import ImageRef, Sample
from harness_own_data.new.look import Look, look
from harness_own_data.table.reader import TableReader

MANIFEST = "manifest.jsonl"
"""The table of a folder that ``harness make`` wrote; it may lie beside the same rows as Parquet."""
BASE, FILE, DROPPED, HUMAN = "base", "file", "dropped", "human"
"""Columns of a manifest: images that differ in the edited attribute alone, their file, and the
filters that drop an image with their reasons, people's decisions among them."""
TECHNICAL = frozenset(
    ("group", "split", "seed", "editor", "schedule", "models", "spec", "sha256", "width", "height")
)
"""Columns of a manifest that a reviewer need not see."""
SET_COLUMNS = ("set", "set_id", "counterfactual_set", "group_id", "pair", "pair_id")
_LONGEST = 2_000  # characters of a cell that the page shows
_SPLIT = "test"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns by their use; empty ones are found from their names and the first rows.

    Attributes:
        sets: Rows with one value of this column form a set.
        image: The image, or a pattern with ``{COLUMN}``.
        id: The name of a row.
        show: Columns to show; all that hold no image by default.
    """

    sets: str = ""
    image: str = ""
    id: str = ""
    show: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a set.

    Attributes:
        image: The reference; ``None`` where the row names none.
        fields: Column to text.
        fault: Why there is no image.
    """

    id: str
    image: ImageRef | None
    fields: Mapping[str, str]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ReviewSet:
    """Images that are shown side by side, and decided together."""

    id: str
    items: tuple[Item, ...]

    def common(self) -> dict[str, str]:
        """Return the fields that all items have alike."""
        first, *others = self.items
        return {
            name: text
            for name, text in first.fields.items()
            if all(item.fields.get(name) == text for item in others)
        }


@dataclass(frozen=True, slots=True)
class Material:
    """All sets of a data set.

    Attributes:
        table: Where the rows were read from, for people.
        columns: As they were given.
        fingerprint: SHA-256 over all sets, their rows and the names of their images, in any order.
        left_out: Sets that filters dropped, and that are not among ``sets``.
    """

    table: str
    columns: Columns
    sets: tuple[ReviewSet, ...]
    fingerprint: str
    left_out: int

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(len(group.items) for group in self.sets)


def read_material(path: Path, columns: Columns, *, everything: bool) -> Material:
    """Read a table, a folder with one, or a folder of images as sets; no image is opened.

    Args:
        path: The table or folder.
        columns: Those that the user named.
        everything: Whether sets that filters dropped count, too.

    Raises:
        UserError: nothing to review there, or a column that is not there.
    """
    is_made = path.is_dir() and (path / MANIFEST).is_file()
    seen = look(path / MANIFEST if is_made else path)
    if is_made:
        by_base = BASE if BASE in seen.columns else ""
        by_file = FILE if FILE in seen.columns else ""
        columns = replace(columns, sets=columns.sets or by_base, id=columns.id or by_file)
    columns = _told(seen, columns, TECHNICAL if is_made else frozenset())
    files = [*dict.fromkeys(name or seen.file for name in seen.splits.values())] or [seen.file]
    reader = TableReader(
        {
            "file": list(files),
            "format": "auto",
            "image": columns.image or None,
            "image_as": "auto",
            "id": columns.id or None,
            "cluster": columns.sets or None,
            "unit": "set" if columns.sets else "sample",
            "fields": {f"c{index}": name for index, name in enumerate(columns.show)},
        }
    )
    groups: dict[str, list[Item]] = {}
    for sample in reader.samples(seen.root, _SPLIT):
        groups.setdefault(sample.cluster, []).extend(_items(sample, columns.show))
    sets = tuple(ReviewSet(name, tuple(items)) for name, items in groups.items())
    fit = sets if everything or not is_made else tuple(group for group in sets if _is_fit(group))
    where = seen.root.where("" if seen.file == "." else ", ".join(files))
    return Material(where, columns, fit, _fingerprint(sets), len(sets) - len(fit))


def _is_fit(group: ReviewSet) -> bool:
    """Whether no filter dropped an image of a set; people are asked, whatever they said before."""
    reasons = [each for item in group.items for each in item.fields.get(DROPPED, "").split("; ")]
    return not any(each and not each.startswith(f"{HUMAN}:") for each in reasons)


def _told(seen: Look, columns: Columns, technical: frozenset[str]) -> Columns:
    """Return the columns; those that are not named are found from the data."""
    for flag, name in (("--set", columns.sets), ("--id", columns.id)):
        if name and name not in seen.columns:
            raise unknown("column", name, seen.columns, where=flag)
    image = columns.image or next(iter(seen.images()), "")
    if not image and not seen.is_folder:
        raise UserError(
            "no column names existing images", where=seen.root.where(seen.file),
            fix=f"--image COLUMN, or a pattern such as 'images/{{COLUMN}}.jpg'; there are "
            f"{short(', '.join(seen.columns), 300)}",
        )  # fmt: skip
    image_columns = {name for name, column in seen.columns.items() if column.image}
    plain = tuple(name for name in seen.columns if name not in image_columns)
    for name in columns.show:
        if name not in plain:
            raise unknown("column", name, plain, where="--show")
    sets = columns.sets or seen.first(SET_COLUMNS)
    name = columns.id or ("id" if seen.is_folder else seen.id())
    show = columns.show or tuple(each for each in plain if each not in {sets, name, *technical})
    return Columns(sets, "" if seen.is_folder else image, name, show)


def _items(sample: Sample, names: Sequence[str]) -> list[Item]:
    texts = (_text(value) for value in sample.fields.values())
    fields = {name: text for name, text in zip(names, texts, strict=True) if text}
    if not sample.images:
        fault = sample.fault.message if sample.fault else "the row names no image"
        return [Item(sample.id, None, fields, fault)]
    if len(sample.images) == 1:
        return [Item(sample.id, sample.images[0], fields)]
    return [
        Item(f"{sample.id}/{number}", image, fields)
        for number, image in enumerate(sample.images, 1)
    ]


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return short(text, _LONGEST)


def _fingerprint(sets: Sequence[ReviewSet]) -> str:
    rows = sorted(
        json.dumps([group.id, item.id, item.image.name if item.image else None])
        for group in sets
        for item in group.items
    )
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.encode() + b"\n")
    return digest.hexdigest()
