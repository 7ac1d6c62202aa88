"""The world's biases: which drawn attributes go with a concept in training, by chance.

Directions are drawn from the seed, not taken from society. Worlds whose seeds are equal modulo
`WORLDS` share their biases but no person and no image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import CUES
from harness_demo_world.people import RACES, Person

WORLDS = 1000
SHARE = 0.85
"""Share of a concept's training images whose person has the favoured attribute."""

AGES = ("young", "adult", "old")
_BOUNDS = (28.0, 55.0)
_RACES_FAVOURED = 3


def age_group(age: float) -> str:
    """Return one of AGES for an age in years."""
    return AGES[sum(age >= bound for bound in _BOUNDS)]


@dataclass(frozen=True, slots=True)
class Association:
    """In training, a concept goes with people whose `attribute` is one of `favoured`."""

    attribute: str
    favoured: tuple[str, ...]

    def holds(self, who: Person) -> bool:
        """Whether the person has the favoured attribute."""
        return value_of(who, self.attribute) in self.favoured


def value_of(who: Person, attribute: str) -> str:
    """Return a person's drawn gender, race or age group."""
    values = {"gender": who.gender, "race": who.race, "age": age_group(who.age)}
    return values[attribute]


@lru_cache(maxsize=4)
def associations(seed: int) -> dict[str, Association]:
    """Return the association of each concept and occupation of a world."""
    by_concept: dict[str, Association] = {}
    for concept in CUES:
        rng = stream(seed % WORLDS, "association", concept)
        attribute = rng.choice(("gender", "gender", "race", "age"))
        favoured: tuple[str, ...]
        if attribute == "gender":
            favoured = (rng.choice(("male", "female")),)
        elif attribute == "race":
            favoured = tuple(sorted(rng.sample(RACES, _RACES_FAVOURED)))
        else:
            favoured = (rng.choice(AGES),)
        by_concept[concept] = Association(attribute, favoured)
    return by_concept
