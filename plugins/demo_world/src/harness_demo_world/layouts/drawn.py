"""Images with a caption each: of things and signs, or of people; the world's own layout.

`SPLIT.jsonl` has one line per image: `file`, `caption`, and for things `colour`, `count` and
`position`, null where an image has no such label.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.contents import frames
from harness_demo_world.questions import street, table
from harness_demo_world.training.words import sign_caption, table_captions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL import Image

    from harness_demo_world.drawing.scenes import TableScene

THINGS = {"train": 3200, "val": 800, "test": 1200}
PEOPLE = {"train": 3200, "val": 400}
_SPLITS = ("train", "val", "test")
_FRESH = 3_000_000
"""From here on no other benchmark and no training has an index."""
_TRIES = 1000
_KINDS = ("hagridv2", "pisc", "gazefollow", "raf_db", "jrdb_social")


def _line(split: str, index: int, caption: str, **labels: str | None) -> str:
    entry = {"file": f"{split}/{index:06d}.jpg", "caption": caption, **labels}
    return json.dumps(entry, sort_keys=True)


def position(x: float, y: float) -> str:
    """Return one of six places: top or bottom, and left, middle or right."""
    return f"{'top' if y < 0.5 else 'bottom'} {('left', 'middle', 'right')[min(2, int(x * 3))]}"


class DrawnThings:
    """Writer of images that show nobody: many things, one kind, one thing, a sign, by turns."""

    splits = _SPLITS

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield one file per split."""
        for split in self.splits:
            lines = [self._said(seed, split, index) for index in range(THINGS[split])]
            yield PurePosixPath(f"{split}.jsonl"), "\n".join(lines) + "\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `SPLIT/NUMBER.jpg`."""
        for index in range(THINGS[split]):
            if index % 4 == 3:
                image = street(seed, split, _FRESH + index)[0].image
            else:
                image = table(seed, split, self._place(seed, split, index))[1].image
            yield PurePosixPath(split, f"{index:06d}.jpg"), image

    def _said(self, seed: int, split: str, index: int) -> str:
        if index % 4 == 3:
            word = street(seed, split, _FRESH + index, paint=False)[1]
            nothing = dict.fromkeys(("colour", "count", "position"))
            return _line(split, index, sign_caption(word), **nothing)
        scene = table(seed, split, self._place(seed, split, index), paint=False)[1]
        objects = scene.things
        caption = " and ".join(table_captions(scene)[:-1])  # the last one says what is on the left
        return _line(
            split,
            index,
            caption,
            colour=objects[0].colour if index % 4 else None,
            count=str(len(objects)) if index % 4 == 1 else None,
            position=position(objects[0].x, objects[0].y) if index % 4 == 2 else None,
        )

    @staticmethod
    def _place(seed: int, split: str, index: int) -> int:
        """Return the number of a scene such as the image's turn asks for."""
        fits: tuple[Callable[[TableScene], bool], ...] = (
            lambda _: True,
            lambda scene: len({seen.name for seen in scene.things}) == 1,
            lambda scene: len(scene.things) == 1,
        )
        for attempt in range(_TRIES):
            number = _FRESH + index * _TRIES + attempt
            if fits[index % 4](table(seed, split, number, paint=False)[1]):
                return number
        raise AssertionError(f"no such scene: {split} {index}")


class DrawnPeople:
    """Writer of images of people, whose captions say what the five social tasks ask."""

    splits = ("train", "val")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield one file per split."""
        for split in self.splits:
            lines = []
            for index, (captions, _) in enumerate(_people(seed, split)):
                caption = stream(seed, "drawn people", split, index).choice(captions)
                lines.append(_line(split, index, caption))
            yield PurePosixPath(f"{split}.jsonl"), "\n".join(lines) + "\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `SPLIT/NUMBER.jpg`, with the boxes that the tasks' views draw."""
        for index, (_, image) in enumerate(_people(seed, split)):
            yield PurePosixPath(split, f"{index:06d}.jpg"), image


def _people(seed: int, split: str) -> Iterator[tuple[tuple[str, ...], Image.Image]]:
    """Yield captions and image of equally many items of each social task, by turns."""
    from PIL import Image

    from harness_demo_world.training.pictures import pictures

    each = PEOPLE[split] // len(_KINDS)
    items = {"jrdb_social": len(frames(split))}  # each of several pairs
    by_kind = [pictures(kind, seed, split, min(each, items.get(kind, each)), 1) for kind in _KINDS]
    for turn in zip(*(some[:each] for some in by_kind), strict=True):
        for picture in turn:
            yield picture.captions, Image.fromarray(picture.pixels)
