"""PISC: a list of images with boxes, labels by image and pair, lists of a split's images.

Layout as in public loaders of the release (Li et al., ICCV 2017): pairs and labels count from 1.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements, members
from harness.samples import Box, DataRoot, ImageRef, Sample

from harness_benchmarks.readers.passed_over import PassedOver

FINE = ("friends", "family", "couple", "professional", "commercial", "no relation")
COARSE = ("intimate", "non-intimate", "no relation")
SPLITS = ("train", "val", "test")
NO_LABEL = "images in the split's list that have no labelled pair, left out"
TWICE = "entries of the split's list that name an image again"
BOTH = "pairs that the file labels in either order, asked in both"
NO_SIZE = "boxes of which the release does not say on what size of image they were marked"
BOXES = ("first person", "second person")
_LARGEST = 1 << 30  # pixels a side
_SUFFIX = {"train": "trainidx", "val": "validx", "test": "testidx"}


class Pisc:
    """Reader of PISC's release; one sample per labelled pair, images in the label file's order.

    Args:
        options: ``level`` (``fine`` or ``coarse``), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        level = records.choice(options, "level", ("fine", "coarse"))
        records.choice(options, "unit", ("image",))
        self._passed = PassedOver()
        self._labels = FINE if level == "fine" else COARSE
        self._file = "relationship.json" if level == "fine" else "domain.json"
        start = "relationship_split/relation_" if level == "fine" else "domain_split/"
        self._lists = {split: f"{start}{suffix}.json" for split, suffix in _SUFFIX.items()}

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return boxes, labels and the split's list of images."""
        del root
        name = self._lists[records.known_split(split, SPLITS)]
        return ["annotation_image_info.json", self._file, name]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield the pairs of a split that have a label."""
        info, labels, listed = self.annotations(root, split)
        ids = _Ids(root, listed)
        boxes = _Boxes(root, info, ids)
        passed, labelled = self._passed.begin(root, split), 0
        location = root.where(labels)
        for key, pairs in members(root, labels):
            image = records.as_whole(key, "an image's number", f"{location}: {quoted(key)}")
            if ids.place(image) < 0:
                continue
            person_boxes, size = boxes.of(image, labels)
            where = f"{location}: {quoted(key)}"
            labelled_pairs = records.as_mapping(pairs, "an image's pairs", where)
            labelled += bool(labelled_pairs)
            for pair, code in labelled_pairs.items():
                at = f"{where}, pair {quoted(pair)}"
                people = _people(pair, len(person_boxes), at)
                corners = [person_boxes[person - 1] for person in people]
                yield Sample(
                    id=f"{image:05d}/{people[0]}-{people[1]}",
                    images=(ImageRef(f"image/{image:05d}.jpg", root),),
                    target=self._label(code, at),
                    cluster=f"{image:05d}",
                    notes={
                        **({} if size else {NO_SIZE: len(BOXES)}),
                        **({BOTH: 1} if " ".join(reversed(pair.split())) in labelled_pairs else {}),
                    },
                    boxes=tuple(
                        Box(name, x1, y1, x2, y2, size=size)
                        for name, (x1, y1, x2, y2) in zip(BOXES, corners, strict=True)
                    ),
                )
        distinct = len(set(ids.sorted))
        passed[TWICE] += len(ids.sorted) - distinct
        passed[NO_LABEL] += max(0, distinct - labelled)

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many images of a split have no labelled pair, or are listed again."""
        return self._passed.of(self, root, split)

    def _label(self, code: Any, where: str) -> str:
        label = records.as_whole(code, "a label", where)
        if not 1 <= label <= len(self._labels):
            raise DataError(
                f"label {quoted(label)} is not among 1 to {len(self._labels)}", where=where
            )
        return self._labels[label - 1]


def _people(pair: str, boxes: int, where: str) -> tuple[int, int]:
    """Return the two people of a pair, numbered from 1."""
    people = [records.as_whole(part, "a person's number", where) for part in pair.split()]
    if len(people) != 2 or people[0] == people[1]:
        raise DataError("a pair must name two people", where=where)
    if not all(1 <= person <= boxes for person in people):
        raise DataError(f"the image has {boxes} boxes, people count from 1", where=where)
    return people[0], people[1]


class _Ids:
    """The numbers of a split's images, sorted, eight bytes each."""

    def __init__(self, root: DataRoot, name: str) -> None:
        numbers, path = array("q"), root.where(name)
        for index, value in elements(root, name):
            numbers.append(records.as_whole(value, "an image's number", f"{path}: [{index}]"))
        self.sorted = array("q", sorted(numbers))

    def place(self, image: int) -> int:
        """Return an image's place, or -1."""
        at = bisect_left(self.sorted, image)
        return at if at < len(self.sorted) and self.sorted[at] == image else -1


class _Boxes:
    """Boxes of a split's images in flat arrays: a million pairs fit into 100 MB."""

    def __init__(self, root: DataRoot, name: str, ids: _Ids) -> None:
        self._path = path = root.where(name)
        self._ids = ids
        self._corners = array("d")
        self._start = array("q", [-1]) * len(ids.sorted)
        self._count = array("i", [0]) * len(ids.sorted)
        self._sizes = array("i", [0, 0]) * len(ids.sorted)
        for index, entry in elements(root, name):
            where = f"{path}: [{index}]"
            number = records.as_whole(records.member(entry, "id", where), "id", where)
            position = ids.place(number)
            if position < 0:
                continue
            if self._start[position] >= 0:
                raise DataError(f"image {number} is listed twice", where=where)
            boxes = records.as_list(records.member(entry, "bbox", where), "bbox", where)
            self._start[position] = len(self._corners)
            self._count[position] = len(boxes)
            self._sizes[2 * position : 2 * position + 2] = array("i", _size(entry, where))
            for box in boxes:
                self._corners.extend(records.numbers(box, 4, "bbox", where))

    def of(self, image: int, labels: str) -> tuple[list[array[float]], tuple[int, int] | None]:
        """Return the corners ``x1, y1, x2, y2`` of an image's people, in pixels.

        Beside them the size of the image they were marked on, if the list says it.
        """
        index = self._ids.place(image)
        start = self._start[index]
        if start < 0:
            raise DataError(
                f"image {image} is missing, but {labels} has labels for it", where=self._path
            )
        width, height = self._sizes[2 * index : 2 * index + 2]
        corners = [
            self._corners[at : at + 4] for at in range(start, start + 4 * self._count[index], 4)
        ]
        return corners, (width, height) if width else None


def _size(entry: dict[str, Any], where: str) -> tuple[int, int]:
    """Return an image's width and height; zeros where the list has neither."""
    if "imgW" not in entry and "imgH" not in entry:
        return 0, 0
    width, height = (
        records.as_whole(records.member(entry, key, where), key, where) for key in ("imgW", "imgH")
    )
    if not (1 <= width < _LARGEST and 1 <= height < _LARGEST):
        raise DataError(
            f"imgW {quoted(width)} and imgH {quoted(height)} are not the size of an image",
            where=where,
        )
    return width, height
