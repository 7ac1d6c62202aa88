"""JRDB-Social: one label file per sequence, stitched frames in one folder per sequence."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.layouts.indented import indented
from harness_demo_world.world import frame, frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from harness_demo_world.drawing.interactions import Box
    from harness_demo_world.people import Person

_SURE = 1
_ACTIONS = {"walking together": "walking", "sitting together": "sitting",
            "cycling together": "cycling"}  # fmt: skip


def _age(who: Person) -> str:
    names = ("Childhood", "Young Adulthood", "Middle Adulthood", "Late Adulthood")
    return names[sum(who.age >= start for start in (16, 40, 62))]


def _entry(who: Person, number: int, cluster: int, box: Box, label: str) -> dict[str, object]:
    x1, y1, x2, y2 = (round(value, 2) for value in box)
    return {
        "label_id": f"pedestrian:{number}",
        "box": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
        "action_label": {_ACTIONS.get(label, "standing"): _SURE},
        "social_group": {"cluster_ID": cluster, "cluster_stat": _SURE},
        "H-interaction": [],
        "demographics_info": [
            {"age": {_age(who): _SURE}, "gender": {who.gender.capitalize(): _SURE},
             "race": {who.race: _SURE}}
        ],
        "group_info": [],
    }  # fmt: skip


class JrdbSocial:
    """Writer of JRDB-Social's layout."""

    splits = ("train", "val", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the label files of all splits."""
        for split in self.splits:
            yield from self._of_split(seed, split)

    def _of_split(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield `labels/labels_2d_activity_social_stitched/<sequence>.json` of one split.

        A pair's interaction stands in the entry of its first person.
        """
        folder = PurePosixPath("labels", "labels_2d_activity_social_stitched")
        files: dict[str, dict[str, list[object]]] = {}
        for name in frames(split):
            pairs, scene = frame(seed, split, name, paint=False)
            entries: list[object] = []
            for pair, (first, second, label) in enumerate(pairs):
                number = 2 * (name.first + pair) + 1
                boxes = scene.boxes[pair]
                entry = _entry(first, number, pair + 1, boxes[0], label)
                entry["H-interaction"] = [
                    {"pair": f"pedestrian:{number + 1}", "inter_labels": {label: _SURE}}
                ]
                entries += [entry, _entry(second, number + 1, pair + 1, boxes[1], label)]
            files.setdefault(name.sequence, {})[name.file] = entries
        for sequence, labels in files.items():
            yield folder / f"{sequence}.json", indented({"labels": labels})

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `images/image_stitched/<sequence>/<frame>.jpg`."""
        folder = PurePosixPath("images", "image_stitched")
        for name in frames(split):
            yield folder / name.sequence / name.file, frame(seed, split, name)[1].image
