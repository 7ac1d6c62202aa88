"""PISC: one list of images with boxes, label files keyed by image and pair, index files."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.drawing.relations import RELATIONS, SIZE
from harness_demo_world.world import COUNTS, relation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_COARSE = {"friends": 1, "family": 1, "couple": 1, "professional": 2, "commercial": 2,
           "no_relation": 3}  # fmt: skip
_SUFFIX = {"train": "trainidx", "val": "validx", "test": "testidx"}


def _start(split: str) -> int:
    """Return the number of a split's first image: splits follow each other."""
    order = ("train", "val", "test")
    return sum(COUNTS["pisc"][earlier] for earlier in order[: order.index(split)])


class Pisc:
    """Writer of PISC's layout."""

    splits = ("train", "val", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the four label files and the two sets of index files."""
        info: list[object] = []
        fine: dict[str, dict[str, int]] = {}
        coarse: dict[str, dict[str, int]] = {}
        work: list[object] = []
        for split in self.splits:
            names: list[str] = []
            for index in range(COUNTS["pisc"][split]):
                number = _start(split) + index
                name = str(number)
                _, _, label, scene = relation(seed, split, index, paint=False)
                boxes = [[round(value) for value in box] for box in scene.boxes]
                info.append({"id": number, "source": "demo_world", "source_id": name,
                             "imgH": SIZE, "imgW": SIZE, "bbox": boxes})  # fmt: skip
                fine[name] = {"1 2": RELATIONS.index(label) + 1}
                coarse[name] = {"1 2": _COARSE[label]}
                if label == "professional":
                    work.append({"id": name, "occupation": {"1": "manager", "2": "manager"}})
                names.append(name)
            suffix = _SUFFIX[split]
            yield PurePosixPath("domain_split", f"{suffix}.json"), json.dumps(names)
            path = PurePosixPath("relationship_split", f"relation_{suffix}.json")
            yield path, json.dumps(names)
        yield PurePosixPath("annotation_image_info.json"), json.dumps(info)
        yield PurePosixPath("relationship.json"), json.dumps(fine)
        yield PurePosixPath("domain.json"), json.dumps(coarse)
        yield PurePosixPath("occupation.json"), json.dumps(work)

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `image/<five digits>.jpg`."""
        for index in range(COUNTS["pisc"][split]):
            scene = relation(seed, split, index)[3]
            yield PurePosixPath("image", f"{_start(split) + index:05d}.jpg"), scene.image
