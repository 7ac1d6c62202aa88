"""GazeFollow (extended release): one comma-separated text file a split, without a header."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.gaze import SIZE
from harness_demo_world.world import COUNTS, gaze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

ANNOTATORS = 10
_SCATTER = 0.012
_BOM = "\ufeff"
_FOLDER = {"train": "train", "test": "test2"}
_A_FOLDER = 1000


def _path(split: str, index: int) -> PurePosixPath:
    return PurePosixPath(_FOLDER[split], f"{index // _A_FOLDER:08d}", f"{index:08d}.jpg")


class GazeFollow:
    """Writer of GazeFollow's layout."""

    splits = ("train", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the two annotation files."""
        for split in self.splits:
            yield from self._of_split(seed, split)

    def _of_split(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield a split's annotation file; in test, ten people say where each one looks."""
        rows: list[str] = []
        for index in range(COUNTS["gazefollow"][split]):
            _, scene = gaze(seed, split, index, paint=False)
            body = ",".join(f"{value / SIZE:.6f}" for value in scene.body_box)
            start = f"{_path(split, index)},{index},{body},{scene.eye[0]:.6f},{scene.eye[1]:.6f}"
            head = ",".join(f"{value:.2f}" for value in scene.head_box)
            if split == "train":
                x, y = scene.target
                rows.append(f"{start},{x:.6f},{y:.6f},{head},1,demo_world,")
                continue
            rng = stream(seed, "gazefollow annotators", index)
            for _ in range(ANNOTATORS):
                x = min(1.0, max(0.0, rng.gauss(scene.target[0], _SCATTER)))
                y = min(1.0, max(0.0, rng.gauss(scene.target[1], _SCATTER)))
                rows.append(f"{start},{x:.6f},{y:.6f},{head},demo_world,")
        name = PurePosixPath(f"{split}_annotations_release.txt")
        yield name, _BOM + "\n".join(rows) + "\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `train/...` or `test2/<folder>/<image>.jpg`."""
        for index in range(COUNTS["gazefollow"][split]):
            yield _path(split, index), gaze(seed, split, index)[1].image
