"""GazeFollow (extended release): one comma-separated text file a split, without a header.

Columns and the grouping of annotators follow the loaders of Chong et al. (CVPR 2020).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import groupby
from typing import BinaryIO

import numpy as np
from harness.descriptors import Json
from harness.errors import DataError, reason_of
from harness.readers import records
from harness.samples import Box, DataRoot, Fault, ImageRef, Sample
from numpy.typing import NDArray

from harness_benchmarks.readers.passed_over import PassedOver

SPLITS = ("train", "test")
# path, idx, body box (4), eye (2), gaze (2), head box (4), then inout in train only, source, meta
_EYE, _GAZE, _HEAD, _INOUT = slice(6, 8), slice(8, 10), slice(10, 14), 14
_MISSING = -1.0  # of an annotator who gave no point
DROPPED = "annotators' points that are missing (-1) and dropped"
OUTSIDE = "annotators' points outside their image, dropped (coordinates in pixels?)"
NO_POINT = "rows that look outside their image, or are invalid, left out"
AGAIN = "rows that repeat another row of the same person, each counted as an annotator's"
_SLACK = 0.01  # shares of a side by which rounding may place a point beyond the image
_MEANING = {1: "inside", 0: "outside", -1: "invalid"}


class GazeFollow:
    """Reader of the extended GazeFollow release.

    A train row is a sample of one point; rows that look outside the image (inout 0) or are
    invalid (-1) have no point and are left out. Test rows of one path and eye are one sample with
    a point an annotator. An annotator whose point is -1, -1 saw none: as in the official scorer
    (``eval_on_gazefollow.py``) it is dropped; ``annotators`` says how many are left, and a person
    without a single one is a fault of the sample.

    Args:
        options: ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))
        self._passed = PassedOver()

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's one file."""
        del root
        return [f"{records.known_split(split, SPLITS)}_annotations_release.txt"]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield samples image by image, in the order in which the file first names each image."""
        (path,) = self.annotations(root, split)
        train = split == "train"
        rows = _rows(root, path, self._passed.begin(root, split), train=train)
        for image, of_image in groupby(rows, key=lambda row: row.image):
            people: dict[tuple[float, ...], list[_Row]] = {}
            for row in of_image:
                # In train every row is a sample of its own, also when an eye comes twice.
                people.setdefault((*row.point, row.line) if train else row.point, []).append(row)
            uses: dict[str, int] = {}
            rows_seen: set[tuple[float, ...]] = set()
            for group in people.values():
                name = f"{image}@{group[0].eye[0]},{group[0].eye[1]}"
                uses[name] = uses.get(name, 0) + 1
                sample = _sample(root, name if uses[name] == 1 else f"{name}#{uses[name]}", group)
                again = sum(_is_again(row, rows_seen) for row in group)
                yield replace(sample, notes={**sample.notes, AGAIN: again}) if again else sample

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many rows of train look outside their image or are invalid."""
        return self._passed.of(self, root, split)


class _Row:
    """One line of the file; the eye's texts are kept as written, for ids that stay the same."""

    __slots__ = ("eye", "gaze", "head", "image", "inside", "line", "outside", "point", "there")

    def __init__(self, text: str, line: int, where: str, *, train: bool) -> None:
        cells = text.split(",")
        least = _INOUT + 1 if train else _INOUT
        if len(cells) < least:
            raise DataError(
                f"the row has {len(cells)} columns and needs at least {least}: the line is "
                f"cut short or "
                "of another release",
                where=where,
            )
        self.line = line
        self.image = records.as_text(cells[0], "the path", where)
        self.eye = (cells[_EYE][0].strip(), cells[_EYE][1].strip())
        self.point = tuple(records.numbers(cells[_EYE], 2, "eye", where))
        self.gaze = records.numbers(cells[_GAZE], 2, "gaze", where)
        missing = self.gaze.count(_MISSING)
        if missing == 1:
            raise DataError(
                "one coordinate of the gaze is -1, which marks a point that is missing: both are",
                where=where,
            )
        self.outside = not missing and not all(-_SLACK <= x <= 1 + _SLACK for x in self.gaze)
        self.there = not missing and not self.outside
        self.head = records.numbers(cells[_HEAD], 4, "head box", where)
        self.inside = True
        if train:
            inout = records.numbers([cells[_INOUT]], 1, "inout", where)[0]
            if inout not in _MEANING:
                raise DataError(f"inout is {inout:g}, not 1, 0 or -1", where=where)
            self.inside = inout == 1 and not missing


def _is_again(row: _Row, rows_seen: set[tuple[float, ...]]) -> bool:
    """Whether a row with a point has come before, and take note of it."""
    key = (*row.point, *row.gaze, *row.head)
    is_again = row.there and key in rows_seen
    rows_seen.add(key)
    return is_again


def _sample(root: DataRoot, name: str, rows: list[_Row]) -> Sample:
    first = rows[0]
    x1, y1, x2, y2 = first.head
    points: list[Json] = [[row.gaze[0], row.gaze[1]] for row in rows if row.there]
    outside = sum(row.outside for row in rows)
    notes = {DROPPED: len(rows) - len(points) - outside, OUTSIDE: outside}
    return Sample(
        id=name,
        images=(ImageRef(first.image, root),),
        target=points or None,
        cluster=first.image,
        fields={
            "eye_x": float(first.eye[0]),
            "eye_y": float(first.eye[1]),
            "annotators": len(points),
        },
        boxes=(Box("head", x1, y1, x2, y2, holds=(float(first.eye[0]), float(first.eye[1]))),),
        notes={what: count for what, count in notes.items() if count},
        fault=None if points else Fault("no_point", f"{name}: no annotator gave a point"),
    )


def _rows(root: DataRoot, name: str, passed: Counter[str], *, train: bool) -> Iterator[_Row]:
    """Yield rows that have a point, those of one image together; others are counted.

    The file is walked through twice: a row costs 16 bytes in between, not its text.
    """
    starts, order = _by_image(root, name)
    path = root.where(name)
    try:
        with root.open(name) as file:
            for index in order:
                text, where = _line(file, starts, int(index), path)
                row = _Row(text, int(index) + 1, where, train=train)
                if row.inside:
                    yield row
                else:
                    passed[NO_POINT] += 1
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", where=path) from None


def _line(file: BinaryIO, starts: array[int], index: int, path: str) -> tuple[str, str]:
    if file.tell() != starts[index]:
        file.seek(starts[index])
    where = f"{path}:{index + 1}"
    return records.decoded(file.readline(), where, first=index == 0), where


def _by_image(root: DataRoot, name: str) -> tuple[array[int], NDArray[np.int64]]:
    """Return each line's start in bytes, and the lines that are not blank, grouped by image."""
    starts, marks, positions, offset = array("Q"), array("Q"), array("Q"), 0
    path = root.where(name)
    try:
        with root.open(name) as file:
            for number, data in enumerate(file):
                starts.append(offset)
                offset += len(data)
                if data.removeprefix(b"\xef\xbb\xbf").strip():
                    image = data.removeprefix(b"\xef\xbb\xbf").split(b",", 1)[0].strip()
                    digest = blake2b(image, digest_size=8).digest()
                    marks.append(int.from_bytes(digest, "little"))
                    positions.append(number)
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", where=path) from None
    if not marks:
        raise DataError("the file holds no line", where=path)
    _, first, group = np.unique(
        np.frombuffer(marks, dtype=np.uint64), return_index=True, return_inverse=True
    )
    order = np.argsort(first[group], kind="stable")
    return starts, np.frombuffer(positions, dtype=np.uint64).astype(np.int64)[order]
