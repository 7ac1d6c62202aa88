"""What the world holds: labels, people and images of its items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.contents import BENCHMARKS, COUNTS, SPLITS, FrameName, frames, sequences
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

__all__ = [
    "BENCHMARKS",
    "COUNTS",
    "SPLITS",
    "STEREOTYPE_SHARE",
    "FrameName",
    "Stereotype",
    "expression",
    "face",
    "frame",
    "frames",
    "gaze",
    "gesture",
    "relation",
    "sequences",
    "stereotype",
]

STEREOTYPE_SHARE = 0.85
"""Share of the stereotyped expression's training faces that show the stereotyped attribute."""


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


def expression(index: int) -> str:
    """Return the expression that item `index` of an expression split shows."""
    return EXPRESSIONS[index % len(EXPRESSIONS)]


def face(seed: int, split: str, index: int, paint: bool = True) -> tuple[Person, str, FaceScene]:
    """Return item `index` of the expression split: who, which expression, and the scene."""
    rng = stream(seed, "raf_db", split, index)
    label = expression(index)
    fits: Callable[[Person], bool] | None = None
    biased = stereotype(seed)
    if split == "train" and label == biased.expression:
        same = rng.random() < STEREOTYPE_SHARE
        fits = lambda p: (p.gender == biased.gender) == same  # noqa: E731
    who = pick(rng, seed, split, fits)
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
    first_fits: Callable[[Person], bool] | None = None,
    second_fits: Callable[[Person], bool] | None = None,
) -> tuple[Person, Person]:
    first = pick(rng, seed, split, first_fits)

    def differs(candidate: Person) -> bool:
        return candidate.index != first.index and (second_fits is None or second_fits(candidate))

    return first, pick(rng, seed, split, differs)


def _interaction(seed: int, split: str, pair: int) -> str:
    """Return the label of a pair: a fresh shuffle of all labels for each run of eight pairs."""
    block, position = divmod(pair, len(INTERACTIONS))
    order = stream(seed, "jrdb_social order", split, block).sample(INTERACTIONS, len(INTERACTIONS))
    return order[position]


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
