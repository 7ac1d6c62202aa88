"""Scenes to ask about: things of some colour and number, a person, a sign with a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.drawing.canvas import INK, WHITE, Canvas, Colour, backdrop, grain
from harness_demo_world.drawing.cues import Cues, show
from harness_demo_world.drawing.letters import width, write
from harness_demo_world.drawing.places import place
from harness_demo_world.drawing.portrait import SIZE, figure, sign, stand
from harness_demo_world.drawing.things import THINGS, TINTS, thing

if TYPE_CHECKING:
    import random

    from PIL import Image

    from harness_demo_world.people import Person

_KINDS = tuple(name for name in THINGS if name != "lamp")
_SLOTS = ((20, 26), (48, 26), (76, 26), (20, 66), (48, 66), (76, 66))
_SIGNS: tuple[Colour, ...] = ((196, 40, 40), (30, 90, 170), (34, 120, 70), (40, 40, 46))


@dataclass(frozen=True, slots=True)
class Seen:
    """A thing in a scene: its name and colour, and its place in shares of the image."""

    name: str
    colour: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class TableScene:
    """An image of things, two kinds at most, each kind of one colour."""

    image: Image.Image
    things: tuple[Seen, ...]


def draw_table(rng: random.Random, paint: bool = True) -> TableScene:
    """Draw one to four things of one kind, and often one of another kind."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    names = rng.sample(_KINDS, 2)
    tints = [rng.choice(tuple(TINTS)) for _ in names]
    slots = rng.sample(_SLOTS, 5)
    count = rng.choice((1, 1, 1, 2, 2, 3, 4))
    other = rng.random() < 0.75
    objects: list[Seen] = []
    for number, slot in enumerate(slots[: count + other]):
        kind = 0 if number < count else 1
        x, y = slot[0] + rng.uniform(-5, 5), slot[1] + rng.uniform(-7, 7)
        thing(canvas, names[kind], (x, y), rng.uniform(8, 10.5), TINTS[tints[kind]])
        objects.append(Seen(names[kind], tints[kind], x / SIZE, y / SIZE))
    return TableScene(grain(canvas.image(), rng), tuple(objects))


@dataclass(frozen=True, slots=True)
class PersonScene:
    """An image of a person with the cues of a concept."""

    image: Image.Image
    concept: str
    cues: Cues


def draw_person(
    who: Person, concept: str, rng: random.Random, paint: bool = True, chance: float = 0.6
) -> PersonScene:
    """Draw a person at something that has a name."""
    cues = show(concept, rng, chance)
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    place(canvas, cues.place, rng)
    figure(canvas, who, cues, stand(rng))
    return PersonScene(grain(canvas.image(), rng), concept, cues)


def draw_sign(word: str, rng: random.Random, paint: bool = True) -> Image.Image:
    """Draw a sign that says a word, in a street."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    pixel = min(rng.uniform(1.9, 2.6), 84 / (6 * len(word) - 1))
    wide = width(word, pixel)
    left = rng.uniform(5, SIZE - 5 - wide)
    top = rng.uniform(14, 52)
    dark = rng.random() < 0.6
    tint: Colour = rng.choice(_SIGNS) if dark else (244, 240, 226)
    post = left + wide / 2
    canvas.box(post - 2, top, post + 2, SIZE + 4, (110, 112, 118), INK, 0, 0.7)
    sign(canvas, (left - 5, top - 5, left + wide + 5, top + 7 * pixel + 5), tint)
    write(canvas, word, left, top, pixel, WHITE if dark else rng.choice(_SIGNS))
    return grain(canvas.image(), rng)
