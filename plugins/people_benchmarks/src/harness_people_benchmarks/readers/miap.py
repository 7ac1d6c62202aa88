"""MIAP: people in Open Images with boxes and perceived gender and age (Schumann et al., AIES 2021).

Layout as released: one CSV of boxes a split, corners as shares of width and height; images where
Open Images' ``downloader.py`` puts them, in a folder of the split.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.samples import Box, DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import PassedOver
from harness_benchmarks.readers.people import known, spellings

SPLITS = ("train", "val", "test")
MASCULINE, FEMININE, UNKNOWN = "Predominantly Masculine", "Predominantly Feminine", "Unknown"
GENDERS = spellings((MASCULINE, FEMININE, UNKNOWN))
AGES = spellings(("Young", "Middle", "Older", UNKNOWN))
NO_GENDER = "people whose gender presentation is unknown, left out"
NO_BOX = "people without a box, left out"
YOUNG = "people who look young, left out as the option says"
AGAIN = "rows that repeat a person, left out"
TWO_LABELS = "people with two rows that disagree, left out"
_CORNERS = ("XMin", "YMin", "XMax", "YMax")
_COLUMNS = ("ImageID", *_CORNERS, "GenderPresentation", "AgePresentation")
_SLACK = 0.01  # of width or height, by which a corner may lie outside
# The downloader takes any folder; the authors' script calls that of the validation split this.
_FOLDERS = {"train": (), "val": ("validation",), "test": ()}

_Row = tuple[str, int, tuple[str, ...]]  # image, line, the other cells of _COLUMNS


class Miap:
    """Reader of MIAP's boxes: one sample per person whose gender presentation is annotated.

    Args:
        options: ``people`` (``all``, or ``adults``, which leaves out those who look young),
            ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._adults = records.choice(options, "people", ("all", "adults")) == "adults"
        records.choice(options, "unit", ("image",))
        self._passed = PassedOver()

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's file of boxes."""
        del root
        return [f"open_images_extended_miap_boxes_{records.known_split(split, SPLITS)}.csv"]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield people in the order of the file; ids count an image's rows.

        Raises:
            DataError: a row that is not as the release has it, or an image whose rows stand apart.
        """
        file = self.annotations(root, split)[0]
        passed = self._passed.begin(root, split)
        folders = (split, *_FOLDERS[split])
        folder = next((name for name in folders if root.is_dir(name)), split)
        location, seen = root.where(file), set[str]()
        # There are a dozen kinds of people, and a hundred thousand images.
        kinds: dict[tuple[str, ...], dict[str, Group] | str] = {}
        for image, rows in groupby(_rows(root, file), key=itemgetter(0)):
            people = list(rows)
            if image in seen:
                raise DataError(
                    f"the image {quoted(image)} stands apart from its other rows",
                    where=f"{location}:{people[0][1]}", fix="sort the rows by ImageID",
                )  # fmt: skip
            seen.add(image)
            repeated = _repeated(people, passed) if len(people) > 1 else ()
            for number, (_, line, cells) in enumerate(people, start=1):
                if line in repeated:
                    continue
                groups = kinds.get(cells[4:])
                if groups is None:
                    groups = kinds[cells[4:]] = self._groups(cells, f"{location}:{line}")
                if isinstance(groups, str):
                    passed[groups] += 1
                    continue
                box = _box(cells[:4], location, line)
                if box is None:
                    passed[NO_BOX] += 1
                    continue
                yield Sample(
                    id=f"{image}#{number}",
                    images=(ImageRef(f"{folder}/{image}.jpg", root),),
                    target=None,
                    cluster=image,
                    groups={**groups},
                    boxes=(box,),
                )

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many people are left out, and why."""
        return self._passed.of(self, root, split)

    def _groups(self, cells: Sequence[str], where: str) -> dict[str, Group] | str:
        """Return a person's slices, or why people of this kind are left out."""
        gender = known(cells[4] or UNKNOWN, GENDERS, "gender presentation", where)
        age = known(cells[5] or UNKNOWN, AGES, "age presentation", where)
        if gender == UNKNOWN:
            return NO_GENDER
        if self._adults and age == "Young":
            return YOUNG
        groups = {"gender": Group(gender)}
        return groups if age == UNKNOWN else {**groups, "age": Group(age)}


def _rows(root: DataRoot, file: str) -> Iterator[_Row]:
    """Yield each row's image, line and the cells that count."""
    location, count = root.where(file), 0
    pick: Callable[[Sequence[str]], tuple[str, ...]] | None = None
    for line, text in records.lines(root, file):
        quotes = '"' in text
        cells = records.cells(text, f"{location}:{line}") if quotes else text.split(",")
        if pick is None:
            for name in _COLUMNS:
                if name not in cells:
                    raise records.missing_column(name, cells, f"{location}:{line}")
            pick, count = itemgetter(*map(cells.index, _COLUMNS)), len(cells)
            continue
        if len(cells) != count:
            raise DataError(
                f"the row has {len(cells)} columns, not {count}", where=f"{location}:{line}"
            )
        image, *others = pick(cells)
        if not image:
            raise DataError("the row has no ImageID", where=f"{location}:{line}")
        yield image, line, tuple(others)


def _repeated(people: Sequence[_Row], passed: Counter[str]) -> set[int]:
    """Return the lines to leave out: those that repeat a box, and all of one that disagree."""
    by_box: dict[tuple[str, ...], list[_Row]] = {}
    for person in people:
        if all(person[2][:4]):
            by_box.setdefault(person[2][:4], []).append(person)
    lines: set[int] = set()
    for rows in by_box.values():
        if len(rows) == 1:
            continue
        if len({cells for _, _, cells in rows}) > 1:
            passed[TWO_LABELS] += 1
            lines.update(line for _, line, _ in rows)
        else:
            passed[AGAIN] += len(rows) - 1
            lines.update(line for _, line, _ in rows[1:])
    return lines


def _box(corners: Sequence[str], location: str, line: int) -> Box | None:
    """Return a person's box; ``None`` where all four cells are empty."""
    low, high = -_SLACK, 1 + _SLACK
    written = "".join(corners)
    try:
        x1, y1, x2, y2 = map(float, corners)
    except ValueError:
        x1 = y1 = x2 = y2 = math.nan
    # What only Python takes for a number, such as "0_1", is left to the check below.
    plain = written.isascii() and "_" not in written
    inside = low <= x1 <= high and low <= y1 <= high and low <= x2 <= high and low <= y2 <= high
    if plain and inside:
        return Box("person", x1, y1, x2, y2, "relative")
    if not any(corners):
        return None
    where = f"{location}:{line}"
    values = records.numbers(list(corners), 4, "the box", where)
    name, value = next(
        (name, value)
        for name, value in zip(_CORNERS, values, strict=True)
        if not low <= value <= high
    )
    raise DataError(
        f"{name} is {value:g}, not a share from 0 to 1", where=where,
        fix="the CSV as released, whose corners are shares of width and height",
    )  # fmt: skip
