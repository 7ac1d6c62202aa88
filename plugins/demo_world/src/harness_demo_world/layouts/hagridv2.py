"""HaGRIDv2: images in one folder per class, annotations in one file per split and class."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import identifier
from harness_demo_world.drawing.gestures import SIZE, Box
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.layouts.indented import indented
from harness_demo_world.world import COUNTS, gesture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image


def _share(box: Box) -> list[float]:
    """Return a pixel box (x, y, width, height) as shares of the image."""
    return [round(value / SIZE, 6) for value in box]


class HagridV2:
    """Writer of HaGRIDv2's layout."""

    splits = ("train", "val", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield `hagrid_annotations/<split>/<class>.json` of all splits."""
        for split in self.splits:
            yield from self._of_split(seed, split)

    def _of_split(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield `hagrid_annotations/<split>/<class>.json` of one split."""
        files: dict[str, dict[str, object]] = {label: {} for label in CLASSES}
        for index in range(COUNTS["hagridv2"][split]):
            who, label, scene = gesture(seed, split, index, paint=False)
            united = None if scene.united is None else [_share(scene.united)]
            files[label][identifier(seed, "hagridv2", split, index)] = {
                "bboxes": [_share(box) for box in scene.boxes],
                "labels": list(scene.labels),
                "united_bbox": united,
                "united_label": None if united is None else [label],
                "user_id": who.user_id,
                "hand_landmarks": [[] for _ in scene.boxes],
                "meta": {"age": [who.age], "gender": [who.gender], "race": [who.race]},
            }
        for label, entries in files.items():
            path = PurePosixPath("hagrid_annotations", split, f"{label}.json")
            yield path, indented(entries)

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `hagrid_dataset/<class>/<id>.jpg`."""
        for index in range(COUNTS["hagridv2"][split]):
            _, label, scene = gesture(seed, split, index)
            name = identifier(seed, "hagridv2", split, index)
            yield PurePosixPath("hagrid_dataset", label, f"{name}.jpg"), scene.image
