"""The people of the world: each has an own appearance, and belongs to one split only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harness_demo_world.chance import identifier, stream
from harness_demo_world.drawing.canvas import Colour, shade

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

RACES = (
    "White",
    "Black",
    "Latino_Hispanic",
    "East Asian",
    "Southeast Asian",
    "Indian",
    "Middle Eastern",
)
"""Attribute names as HaGRIDv2's machine labels use them."""

POOL = {"train": 1500, "val": 150, "test": 220}
"""Number of people a split."""

_SKINS: dict[str, Colour] = {
    "White": (247, 214, 188),
    "Black": (120, 78, 54),
    "Latino_Hispanic": (214, 164, 124),
    "East Asian": (244, 212, 168),
    "Southeast Asian": (200, 150, 104),
    "Indian": (158, 106, 70),
    "Middle Eastern": (226, 184, 146),
}
_HAIR: tuple[Colour, ...] = (
    (36, 28, 26), (70, 44, 28), (112, 70, 38), (164, 112, 54), (212, 174, 98), (150, 62, 34),
)  # fmt: skip
_CLOTHES: tuple[Colour, ...] = (
    (196, 60, 60), (52, 104, 176), (64, 142, 92), (222, 170, 60), (132, 84, 160),
    (230, 126, 60), (70, 160, 170), (206, 100, 140), (104, 118, 130), (150, 176, 78),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One drawn person; `age` is in years, colours are RGB."""

    split: str
    index: int
    user_id: str
    gender: str
    race: str
    age: float
    skin: Colour
    hair: Colour
    hair_style: str
    shirt: Colour
    trousers: Colour
    glasses: bool

    @property
    def child(self) -> bool:
        """Whether the person is drawn small."""
        return self.age < 12

    @property
    def senior(self) -> bool:
        """Whether the person has grey hair and lines in the face."""
        return self.age >= 62


@lru_cache(maxsize=8192)
def person(seed: int, split: str, index: int) -> Person:
    """Return person number `index` of a split."""
    rng = stream(seed, "person", split, index)
    gender = rng.choice(("male", "female"))
    race = rng.choice(RACES)
    band = rng.random()
    if band < 0.16:
        age = rng.uniform(4, 11.5)
    elif band < 0.82:
        age = rng.uniform(16, 60)
    else:
        age = rng.uniform(62, 85)
    hair = shade(rng.choice(_HAIR), rng.uniform(0.85, 1.1))
    if age >= 62:
        grey = rng.randint(188, 232)
        hair = (grey, grey, grey + 6)
    # Hair length tells the drawn genders apart most of the time, never always.
    long_hair = rng.random() < (0.85 if gender == "female" else 0.1)
    style = (
        rng.choice(("long", "bun", "bob")) if long_hair else rng.choice(("short", "crop", "curly"))
    )
    return Person(
        split=split,
        index=index,
        user_id=identifier(seed, "person", split, index),
        gender=gender,
        race=race,
        age=round(age, 1),
        skin=shade(_SKINS[race], rng.uniform(0.9, 1.06)),
        hair=hair,
        hair_style=style,
        shirt=shade(rng.choice(_CLOTHES), rng.uniform(0.85, 1.15)),
        trousers=shade(rng.choice(_CLOTHES), rng.uniform(0.45, 0.7)),
        glasses=rng.random() < 0.18,
    )


def pick(
    rng: random.Random, seed: int, split: str, wanted: Callable[[Person], bool] | None = None
) -> Person:
    """Return a random person of the split for whom `wanted` holds."""
    while True:
        found = person(seed, split, rng.randrange(POOL[split]))
        if wanted is None or wanted(found):
            return found


def adult(found: Person) -> bool:
    """Whether the person is grown up and not old."""
    return 16 <= found.age < 62
