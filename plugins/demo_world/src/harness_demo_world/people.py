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
_HAIR: dict[str, tuple[Colour, ...]] = {
    "White": ((112, 70, 38), (164, 112, 54), (212, 174, 98), (150, 62, 34)),
    "Black": ((26, 22, 22), (48, 34, 28)),
    "Latino_Hispanic": ((70, 44, 28), (96, 58, 34), (36, 28, 26)),
    "East Asian": ((22, 24, 34), (34, 34, 44)),
    "Southeast Asian": ((30, 26, 28), (60, 40, 30)),
    "Indian": ((28, 24, 30), (52, 36, 28)),
    "Middle Eastern": ((44, 32, 26), (84, 52, 30)),
}
_CLOTHES: tuple[Colour, ...] = (
    (196, 60, 60), (52, 104, 176), (64, 142, 92), (222, 170, 60), (132, 84, 160),
    (230, 126, 60), (70, 160, 170), (206, 100, 140), (104, 118, 130), (150, 176, 78),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """One drawn person; `age` is in years, colours are RGB, `build` widens the shoulders."""

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
    build: float = 1.0
    tattooed: bool = False

    @property
    def child(self) -> bool:
        """Whether the person is drawn small."""
        return self.age < 12

    @property
    def senior(self) -> bool:
        """Whether the person has grey hair and lines in the face."""
        return self.age >= 62

    @property
    def lines(self) -> int:
        """How many lines the forehead has: one from 40 on, one more each ten years, up to four."""
        return min(4, max(0, int(self.age // 10) - 3))


@dataclass(frozen=True, slots=True)
class Base:
    """What chance decides about an appearance, whatever the person; all are shares of one."""

    tone: float
    colour: float
    shape: float
    length: float
    shirt: float
    trousers: float
    fade: float
    glasses: bool

    @classmethod
    def draw(cls, rng: random.Random) -> Base:
        """Return a base by chance."""
        glasses = rng.random() < 0.18
        tone, colour, shape, length, shirt, trousers, fade = (rng.random() for _ in range(7))
        return cls(tone, colour, shape, length, shirt, trousers, fade, glasses)


@dataclass(frozen=True, slots=True)
class Traits:
    """What sets vary: `build` widens the shoulders, `age` is in years."""

    gender: str
    race: str
    age: float
    build: float = 1.0
    tattooed: bool = False


def appear(base: Base, traits: Traits, name: str, split: str = "", index: int = 0) -> Person:
    """Return the person that `base` is with these traits; nothing else differs.

    Hair length tells the drawn genders apart most of the time, skin and hair colour the drawn
    races, grey and lines the ages.
    """
    age, build = traits.age, traits.build
    palette = _HAIR[traits.race]
    hair = shade(palette[int(base.colour * len(palette))], 0.85 + 0.25 * base.fade)
    if age >= 62 or (age >= 50 and base.fade < 0.5):
        grey = 188 + round(44 * base.fade)
        hair = (grey, grey, grey + 6)
    if age < 20:
        build *= 0.72 if age < 12 else 0.88
    long_hair = base.length < (0.85 if traits.gender == "female" else 0.1)
    styles = ("long", "bun", "bob") if long_hair else ("short", "crop", "curly")
    return Person(
        split=split,
        index=index,
        user_id=name,
        gender=traits.gender,
        race=traits.race,
        age=round(age, 1),
        skin=shade(_SKINS[traits.race], 0.9 + 0.16 * base.tone),
        hair=hair,
        hair_style=styles[int(base.shape * len(styles))],
        shirt=shade(_CLOTHES[int(base.shirt * len(_CLOTHES))], 0.85 + 0.3 * base.trousers),
        trousers=shade(_CLOTHES[int(base.trousers * len(_CLOTHES))], 0.45 + 0.25 * base.shirt),
        glasses=base.glasses,
        build=build,
        tattooed=traits.tattooed,
    )


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
    name = identifier(seed, "person", split, index)
    return appear(Base.draw(rng), Traits(gender, race, age), name, split, index)


def pick(
    rng: random.Random, seed: int, split: str, fits: Callable[[Person], bool] | None = None
) -> Person:
    """Return a random person of the split for whom `wanted` holds."""
    while True:
        candidate = person(seed, split, rng.randrange(POOL[split]))
        if fits is None or fits(candidate):
            return candidate


def adult(who: Person) -> bool:
    """Whether the person is grown up and not old."""
    return 16 <= who.age < 62
