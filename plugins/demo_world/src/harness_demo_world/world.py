"""What the world holds: how many items a split has, their labels, people and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.faces import EXPRESSIONS, FaceScene, draw_face
from harness_demo_world.drawing.gaze import GazeScene, draw_gaze
from harness_demo_world.drawing.gestures import GestureScene, draw_gesture
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.drawing.interactions import INTERACTIONS, StitchedScene, draw_frame
from harness_demo_world.drawing.relations import RELATIONS, PairScene, cast, draw_relation
from harness_demo_world.people import Person, pick

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

BENCHMARKS = ("hagridv2", "pisc", "gazefollow", "raf_db", "jrdb_social")

SPLITS = ("train", "val", "test")

COUNTS: dict[str, dict[str, int]] = {
    "hagridv2": {"train": 34 * 120, "val": 34 * 4, "test": 34 * 12},
    "pisc": {"train": 3000, "val": 120, "test": 360},
    "gazefollow": {"train": 8000, "test": 400},
    "raf_db": {"train": 3010, "test": 420},
    "jrdb_social": {"train": 3000, "val": 160, "test": 400},
}
"""Items a split: images, except pairs for jrdb_social. Classes are balanced."""

STEREOTYPE_SHARE = 0.85
"""Share of the stereotyped expression's training faces that show the stereotyped attribute."""

_FRAME_PATTERN = (2, 3, 4, 3)
_FRAMES_A_SEQUENCE = 10
_PLACES = ("harbour", "station", "garden", "library", "market", "bridge")


@dataclass(frozen=True, slots=True)
class Stereotype:
    """A correlation of the training faces: `expression` is mostly shown by `gender`."""

    expression: str
    gender: str


def stereotype(seed: int) -> Stereotype:
    """Return the stereotype of the world; chance sets its direction, not society."""
    rng = stream(seed, "stereotype")
    return Stereotype(rng.choice(EXPRESSIONS), rng.choice(("male", "female")))


def gesture(
    seed: int, split: str, index: int, paint: bool = True
) -> tuple[Person, str, GestureScene]:
    """Return item `index` of the gesture split: who, which gesture, and the scene."""
    rng = stream(seed, "hagridv2", split, index)
    label = CLASSES[index % len(CLASSES)]
    who = pick(rng, seed, split)
    return who, label, draw_gesture(who, label, rng, paint)


def face(seed: int, split: str, index: int, paint: bool = True) -> tuple[Person, str, FaceScene]:
    """Return item `index` of the expression split: who, which expression, and the scene."""
    rng = stream(seed, "raf_db", split, index)
    label = EXPRESSIONS[index % len(EXPRESSIONS)]
    wanted: Callable[[Person], bool] | None = None
    biased = stereotype(seed)
    if split == "train" and label == biased.expression:
        same = rng.random() < STEREOTYPE_SHARE
        wanted = lambda p: (p.gender == biased.gender) == same  # noqa: E731
    who = pick(rng, seed, split, wanted)
    return who, label, draw_face(who, label, rng, paint)


def gaze(seed: int, split: str, index: int, paint: bool = True) -> tuple[Person, GazeScene]:
    """Return item `index` of the gaze split: who, and the scene."""
    rng = stream(seed, "gazefollow", split, index)
    who = pick(rng, seed, split)
    return who, draw_gaze(who, rng, paint)


def relation(
    seed: int, split: str, index: int, paint: bool = True
) -> tuple[Person, Person, str, PairScene]:
    """Return item `index` of the relation split: both people, their relation, the scene."""
    rng = stream(seed, "pisc", split, index)
    label = RELATIONS[index % len(RELATIONS)]
    first, second = _two(rng, seed, split, *cast(label))
    return first, second, label, draw_relation(first, second, label, rng, paint)


def _two(
    rng: random.Random,
    seed: int,
    split: str,
    one: Callable[[Person], bool] | None = None,
    other: Callable[[Person], bool] | None = None,
) -> tuple[Person, Person]:
    first = pick(rng, seed, split, one)

    def differs(found: Person) -> bool:
        return found.index != first.index and (other is None or other(found))

    return first, pick(rng, seed, split, differs)


@dataclass(frozen=True, slots=True)
class FrameName:
    """Where a stitched frame belongs: its sequence, its file, its first pair and pair count."""

    sequence: str
    file: str
    first: int
    count: int


def frames(split: str) -> tuple[FrameName, ...]:
    """Return the stitched frames of a split; together they hold COUNTS pairs."""
    total, done, found = COUNTS["jrdb_social"][split], 0, list[FrameName]()
    while done < total:
        number = len(found)
        count = min(_FRAME_PATTERN[number % len(_FRAME_PATTERN)], total - done)
        block, place = divmod(number, _FRAMES_A_SEQUENCE)
        sequence = f"{_PLACES[block % len(_PLACES)]}-{split}-{block:02d}"
        found.append(FrameName(sequence, f"{place:06d}.jpg", done, count))
        done += count
    return tuple(found)


def sequences(split: str) -> tuple[str, ...]:
    """Return the names of a split's sequences, in order."""
    return tuple(dict.fromkeys(frame.sequence for frame in frames(split)))


def _interaction(seed: int, split: str, pair: int) -> str:
    """Return the label of a pair: a fresh shuffle of all labels for each run of eight pairs."""
    block, place = divmod(pair, len(INTERACTIONS))
    order = stream(seed, "jrdb_social order", split, block).sample(INTERACTIONS, len(INTERACTIONS))
    return order[place]


def frame(
    seed: int, split: str, name: FrameName, paint: bool = True
) -> tuple[Sequence[tuple[Person, Person, str]], StitchedScene]:
    """Return the pairs of a stitched frame with their interactions, and the scene."""
    rng = stream(seed, "jrdb_social", split, name.first)
    pairs = []
    for pair in range(name.first, name.first + name.count):
        first, second = _two(rng, seed, split)
        pairs.append((first, second, _interaction(seed, split, pair)))
    return pairs, draw_frame(pairs, rng, paint)
