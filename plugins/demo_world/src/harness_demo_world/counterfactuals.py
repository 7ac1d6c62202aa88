"""Counterfactual sets: one image drawn for every combination of two or three attributes.

All members share pose, clothes, cues and place, down to the noise; only the person's attributes
differ, and with them what depends on them (skin, hair, lines, build, tattoos).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from harness_benchmarks.readers.splits import Dealer

from harness_demo_world.associations import AGES, SHARE, associations
from harness_demo_world.chance import identifier, stream
from harness_demo_world.drawing.cues import Cues, show
from harness_demo_world.drawing.portrait import draw_portrait
from harness_demo_world.people import RACES, Base, Person, Traits, appear

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL import Image

GENDERS = ("male", "female")
PHYSIQUES = ("skinny", "young", "obese", "tattooed", "old")
SIX_RACES = {
    "White": "White", "Black": "Black", "Indian": "Indian", "Asian": "East Asian",
    "Middle Eastern": "Middle Eastern", "Latino": "Latino_Hispanic",
}  # fmt: skip
"""SocialCounterfactuals' race labels, and the drawn race of each."""
FOUR_RACES = {name: SIX_RACES[name] for name in ("White", "Black", "Asian", "Indian")}
"""The race labels of the drawn CMSC."""

_YEARS = {"young": 21.0, "adult": 40.0, "old": 72.0}
_BUILDS = {"skinny": 0.7, "obese": 1.45}
_CUELESS = 0.12
_PARTS = ("train", "val", "test")
# The harness's own dealing with its default shares: training parts are biased, others are not.
_DEALER = Dealer({"split_by": "set", "shares": "70/10/20"})


@dataclass(frozen=True, slots=True)
class CounterfactualSet:
    """One set: its name, its concept, and the attribute types that its members vary."""

    name: str
    concept: str
    types: tuple[str, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a set: the value of each attribute type, and the person drawn."""

    values: dict[str, str]
    who: Person


def values_of(kind: str) -> tuple[str, ...]:
    """Return the values of an attribute type of SocialCounterfactuals, or of CMSC's."""
    values = {
        "race": tuple(SIX_RACES),
        "gender": GENDERS,
        "physical": PHYSIQUES,
        "four races": tuple(FOUR_RACES),
        "age": AGES,
    }
    return values[kind]


def members(seed: int, group: CounterfactualSet) -> list[Member]:
    """Return every combination of the set's attributes, in a fixed order."""
    rng = stream(seed, "counterfactual", group.name)
    # Hair that shows under any hat.
    base = replace(Base.draw(rng), shape=rng.choice((0.1, 0.9)))
    # What is not varied is the same for all members.
    race, gender, age = rng.choice(RACES), rng.choice(GENDERS), rng.uniform(24, 50)
    name = identifier(seed, "counterfactual", group.name)
    combined = []
    for combination in product(*(values_of(kind) for kind in group.types)):
        values = dict(zip(group.types, combination, strict=True))
        physique = values.get("physical", "")
        traits = Traits(
            values.get("gender", gender),
            SIX_RACES.get(values.get("race", values.get("four races", "")), race),
            _YEARS.get(values.get("age", physique), age),
            _BUILDS.get(physique, 1.0),
            physique == "tattooed",
        )
        who = appear(base, traits, name, index=group.number)
        combined.append(Member(values, who))
    return combined


def kept(seed: int, group: CounterfactualSet, training: bool) -> list[Member]:
    """Return the members that a release holds: all, but in training mostly the favoured ones.

    Of a training set, each member against the concept's association is left out so often that
    the favoured ones are a share of SHARE in expectation when both sides are equally many.
    """
    every_member = members(seed, group)
    if not training:
        return every_member
    rng = stream(seed, "kept", group.name)
    bias = associations(seed)[group.concept]
    odds = (1 - SHARE) / SHARE
    chances = [rng.random() for _ in every_member]
    chosen = [
        member
        for member, chance in zip(every_member, chances, strict=True)
        if bias.holds(member.who) or chance < odds
    ]
    return chosen or every_member[:1]


def dealt(
    candidates: Iterator[CounterfactualSet], sizes: Mapping[str, int]
) -> Iterator[CounterfactualSet]:
    """Yield sets until each part has as many as are wanted: chance deals, so some are passed by."""
    left = Counter(sizes)
    while +left:
        group = next(candidates)
        if left[part_of(group)] > 0:
            left[part_of(group)] -= 1
            yield group


def cues(seed: int, group: CounterfactualSet) -> Cues:
    """Return what is drawn of the concept: the same for all members, sometimes nothing."""
    rng = stream(seed, "cues", group.name)
    bare = rng.random() < _CUELESS
    drawn_cues = show(group.concept, rng)
    return Cues() if bare else drawn_cues


def picture(seed: int, group: CounterfactualSet, member: Member) -> Image.Image:
    """Draw a member; chance has one state for the whole set."""
    return draw_portrait(member.who, cues(seed, group), stream(seed, "drawn set", group.name))


def part_of(group: CounterfactualSet) -> str:
    """Return the part (train, val, test) that the harness deals a set to, by its name."""
    return next(part for part in _PARTS if _DEALER.takes(part, group.name, group.concept))
