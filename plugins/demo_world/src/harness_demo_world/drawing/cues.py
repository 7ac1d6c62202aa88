"""What tells a concept in an image: a hat, a garment, a thing in the hand, a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

GROUPS: dict[str, tuple[str, ...]] = {
    "personality": ("compassionate", "belligerent", "authority", "pleasant", "unpleasant"),
    "responsibility": ("tool", "weapon", "career", "family", "chef", "earning money"),
    "education": (
        "middle school", "high school", "university", "good student", "bad student", "science",
        "arts",
    ),
}  # fmt: skip
"""The 18 social concepts of CMSC, by group."""

CONCEPTS = tuple(name for group in GROUPS.values() for name in group)

OCCUPATIONS = (
    "plumber", "doctor", "chef", "teacher", "pilot", "farmer", "painter", "musician",
)  # fmt: skip
"""Occupations that are drawn, in SocialCounterfactuals and VisoGender."""


@dataclass(frozen=True, slots=True)
class Cues:
    """What is drawn of a concept; an empty name draws nothing."""

    hat: str = ""
    garment: str = ""
    prop: str = ""
    place: str = ""


CUES: dict[str, Cues] = {
    "compassionate": Cues("", "pastel", "heart", "flowers"),
    "belligerent": Cues("band", "stripes", "fist", "storm"),
    "authority": Cues("peaked", "uniform", "badge", "flag"),
    "pleasant": Cues("", "pastel", "flower", "sun"),
    "unpleasant": Cues("hood", "dark", "cloud", "storm"),
    "tool": Cues("helmet", "overall", "hammer", "tools"),
    "weapon": Cues("helmet", "vest", "sword", "target"),
    "career": Cues("", "suit", "case", "chart"),
    "family": Cues("", "stripes", "balloon", "house"),
    "chef": Cues("toque", "apron", "pan", "stove"),
    "earning money": Cues("", "suit", "coins", "safe"),
    "middle school": Cues("cap", "blazer", "ball", "blackboard"),
    "high school": Cues("", "blazer", "books", "lockers"),
    "university": Cues("mortarboard", "robe", "scroll", "bookcase"),
    "good student": Cues("", "blazer", "star", "blackboard"),
    "bad student": Cues("cap", "dark", "cross", "blackboard"),
    "science": Cues("", "coat", "flask", "shelves"),
    "arts": Cues("beret", "pastel", "palette", "easel"),
    "plumber": Cues("cap", "overall", "wrench", "pipes"),
    "doctor": Cues("", "coat", "plus", "bed"),
    "teacher": Cues("", "suit", "book", "blackboard"),
    "pilot": Cues("peaked", "suit", "plane", "clouds"),
    "farmer": Cues("straw", "overall", "fork", "field"),
    "painter": Cues("beret", "apron", "palette", "easel"),
    "musician": Cues("", "dark", "microphone", "spotlight"),
}  # fmt: skip
"""Every cue of each concept; an image shows some of them."""

_SHOWN = 0.6
_FOREIGN = 0.15


def show(concept: str, rng: random.Random, chance: float = _SHOWN) -> Cues:
    """Return the cues of one image of a concept.

    Each cue is there with the chance `chance`, at least one is; sometimes one of another
    concept strays in, so that no image is quite sure.
    """
    typical = CUES[concept]
    names = ("hat", "garment", "prop", "place")
    parts = {name: getattr(typical, name) for name in names if rng.random() < chance}
    fallback = rng.choice(("garment", "prop", "place"))
    if not any(parts.values()):
        parts[fallback] = getattr(typical, fallback)
    other, stray, strays = rng.choice(tuple(CUES)), rng.choice(names), rng.random() < _FOREIGN
    if strays and not parts.get(stray):
        parts[stray] = getattr(CUES[other], stray)
    return Cues(**parts)
