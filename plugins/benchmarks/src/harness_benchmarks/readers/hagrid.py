"""HaGRIDv2: one JSON object per split and class, images in one folder per class.

Layout and the choice of an image's class follow the release's README, ``constants.py`` and its
``ClassificationDataset`` (hukenovs/hagrid).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import members
from harness.samples import Box, DataRoot, Group, ImageRef, Sample

from harness_benchmarks.readers.passed_over import PassedOver, beside

GESTURES = (
    "grabbing", "grip", "holy", "point", "call", "three3", "timeout", "xsign", "hand_heart",
    "hand_heart2", "little_finger", "middle_finger", "take_picture", "dislike", "fist", "four",
    "like", "mute", "ok", "one", "palm", "peace", "peace_inverted", "rock", "stop",
    "stop_inverted", "three", "three2", "two_up", "two_up_inverted", "three_gun", "thumb_index",
    "thumb_index2",
)  # fmt: skip
"""The 33 gestures in the order of the release's ids."""

NO_GESTURE = "no_gesture"
SPLITS = ("train", "val", "test")
NO_LABEL = "images in a gesture's file whose labels name no gesture, left out"
_LARGEST = 2.0  # of a share; boxes may reach a little beyond their image
_FOLDERS = ("hagrid_dataset", "HaGRIDv2_dataset_512")
_AGES = ((3, "0-2"), (10, "3-9"), (20, "10-19"), (30, "20-29"), (40, "30-39"), (50, "40-49"),
         (60, "50-59"), (70, "60-69"))  # fmt: skip


class Hagrid:
    """Reader of HaGRIDv2's release.

    Args:
        options: ``no_gesture`` (``exclude`` or ``include``: whether the folder of that name takes
            part), ``unit`` (``subject`` or ``image``: what a cluster is).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        with_none = records.choice(options, "no_gesture", ("exclude", "include")) == "include"
        self._classes = (*GESTURES, NO_GESTURE) if with_none else GESTURES
        self._unit = records.choice(options, "unit", ("subject", "image"))
        self._passed = PassedOver()

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return ``hagrid_annotations/<split>/<class>.json`` of every class."""
        del root
        return _lists(split, self._classes)

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield one sample per image, class by class."""
        passed = self._passed.begin(root, split)
        for name, path in zip(self._classes, self.annotations(root, split), strict=True):
            folder = _picture_folder(root, name)
            location = root.where(path)
            for key, entry in members(root, path):
                image = ImageRef(f"{folder}/{name}/{key}.jpg", root)
                sample = self._sample(image, name, key, entry, f"{location}: {quoted(key)}")
                if sample is not None:
                    yield sample
                else:
                    passed[NO_LABEL] += 1

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many images have no gesture among their labels, and lists that are none."""
        others = beside(root, _lists(split, (*GESTURES, NO_GESTURE)))
        return {**self._passed.of(self, root, split), **others}

    def _sample(
        self, image: ImageRef, name: str, key: str, entry: Any, where: str
    ) -> Sample | None:
        labels = records.as_list(records.member(entry, "labels", where), "labels", where)
        target = _target(labels, name, where)
        if target is None:
            return None
        cluster = f"{name}/{key}"
        if self._unit == "subject":
            cluster = records.as_text(records.member(entry, "user_id", where), "user_id", where)
        box = _gesture_box(entry, labels, target, where)
        return Sample(
            id=f"{name}/{key}",
            images=(image,),
            target=target,
            cluster=cluster,
            groups=_groups(entry.get("meta")),
            boxes=() if box is None else (box,),
        )


def _lists(split: str, classes: Sequence[str]) -> list[str]:
    folder = f"hagrid_annotations/{records.known_split(split, SPLITS)}"
    return [f"{folder}/{name}.json" for name in classes]


def _picture_folder(root: DataRoot, name: str) -> str:
    """Return the folder that holds a class: full size if it is there, else 512 pixels."""
    return next((folder for folder in _FOLDERS if root.is_dir(f"{folder}/{name}")), _FOLDERS[0])


def _target(labels: list[Any], name: str, where: str) -> str | None:
    """Return an image's class as ``ClassificationDataset`` does; ``None`` leaves it out.

    Images without any gesture are left out, except those of the class no_gesture itself.
    """
    if name == NO_GESTURE:
        return NO_GESTURE
    gesture = next((label for label in labels if label != NO_GESTURE), None)
    if gesture is not None and gesture not in GESTURES:
        raise DataError(
            f"{quoted(gesture)} is not a class of HaGRIDv2",
            where=where,
            fix="older releases have other classes: get the annotations of HaGRIDv2",
        )
    return gesture


def _gesture_box(entry: Any, labels: list[Any], target: str, where: str) -> Box | None:
    """Return the box of the gesture: the united one where there is one, else the hand's.

    ``united_bbox`` may be null, hold nulls a hand, or hold one box beside two hands; the release's
    own codes disagree about it.
    """
    boxes = records.as_list(records.member(entry, "bboxes", where), "bboxes", where)
    if len(boxes) != len(labels):
        raise DataError(f"the image has {len(boxes)} boxes but {len(labels)} labels", where=where)
    united = entry.get("united_bbox")
    if united is not None:
        hand_boxes = [
            box for box in records.as_list(united, "united_bbox", where) if box is not None
        ]
        if hand_boxes:
            return _box(hand_boxes[0], "united_bbox", where)
    if target not in labels:
        return None
    return _box(boxes[labels.index(target)], "bboxes", where)


def _box(value: Any, owner: str, where: str) -> Box:
    x, y, width, height = records.numbers(value, 4, owner, where)
    if max(map(abs, (x, y, width, height))) > _LARGEST:
        raise DataError(f"{owner} holds {quoted(value)}, which are not shares of the image's sides",
                        where=where, fix="the release's boxes are shares, not pixels")  # fmt: skip
    return Box("gesture", x, y, x + width, y + height, "relative")


def _groups(meta: Any) -> dict[str, Group]:
    """Return gender, race and age where the release's models found one value of each."""
    if not isinstance(meta, dict):
        return {}
    groups = {}
    for name in ("gender", "race", "age"):
        values = meta.get(name)
        if not isinstance(values, list) or len(values) != 1 or values[0] is None:
            continue
        value = _age(values[0]) if name == "age" else str(values[0])
        if value:
            groups[name] = Group(value, "machine")
    return groups


def _age(value: Any) -> str:
    """Return an age in years as one of FairFace's nine ranges."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return ""
    return next((name for top, name in _AGES if value < top), "70+")
