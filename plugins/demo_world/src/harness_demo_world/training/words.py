"""What can be said about an image: captions, phrases with a place, questions and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_demo_world.associations import value_of
from harness_demo_world.drawing.cues import CUES, OCCUPATIONS
from harness_demo_world.drawing.faces import EXPRESSIONS
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.drawing.interactions import INTERACTIONS
from harness_demo_world.drawing.letters import WORDS
from harness_demo_world.drawing.relations import RELATIONS
from harness_demo_world.drawing.things import THINGS, TINTS
from harness_demo_world.people import RACES
from harness_demo_world.questions import HATS, HELD, plural

if TYPE_CHECKING:
    from harness_demo_world.drawing.cues import Cues
    from harness_demo_world.drawing.scenes import TableScene
    from harness_demo_world.people import Person

ALL_INTERACTIONS = (
    *INTERACTIONS, "standing together", "conversation", "eating together",
    "looking at sth together", "looking into sth together", "walking toward each other",
    "going upstairs together", "bending together", "moving together", "standing together together",
    "interaction with door together", "holding hands together", "lying together",
)  # fmt: skip
"""Words the language model should know; the exact option list is the task spec's."""

DIRECTIONS = (
    "right", "down and to the right", "down", "down and to the left",
    "left", "up and to the left", "up", "up and to the right",
)  # fmt: skip
"""Eight directions, clockwise from the right, as seen in the image."""

LOOKED_AT = "the thing the person looks at"
FACE = "the face"


def gesture_name(label: str) -> str:
    """Return a gesture's label as words."""
    return label.replace("_", " ")


def gesture_captions(label: str) -> list[str]:
    """Return captions of a gesture."""
    return [f"a person making the {gesture_name(label)} gesture", f"a hand: {gesture_name(label)}"]


def relation_captions(label: str) -> list[str]:
    """Return captions of a relation."""
    name = label.replace("_", " ")
    return [f"two people: {name}", f"the relation between the two people is {name}"]


def expression_captions(label: str) -> list[str]:
    """Return captions of an expression."""
    return [f"a face that shows {label}", f"a {label} face"]


def interaction_captions(label: str) -> list[str]:
    """Return captions of an interaction."""
    return [f"two people {label}", f"the pair is {label}"]


def hundredths(value: float, step: int = 10) -> int:
    """Return a share of the image as a whole number from 0 to 99, cut to multiples of `step`."""
    return min(99, max(0, int(value * 100) // step * step))


def gaze_captions(
    name: str, direction: int, target: tuple[float, float], face: tuple[float, float]
) -> list[str]:
    """Return captions that say where a person looks, at what, and where things lie."""
    x, y = hundredths(target[0]), hundredths(target[1])
    return [
        f"a person who looks {DIRECTIONS[direction]}",
        f"a person who looks at the {name}",
        f"the person looks at a place {x} across",
        f"the person looks at a place {y} down",
        f"the person looks at {hundredths(target[0], 5)} {hundredths(target[1], 5)}",
        f"a face at {hundredths(face[0], 20)} {hundredths(face[1], 20)}",
    ]


def phrase(name: str) -> str:
    """Return the phrase that names a thing and can be pointed at."""
    return f"the {name}"


def place(x: float, y: float) -> str:
    """Return the phrase that names a place in the image by its numbers."""
    return f"the place at {hundredths(x, 5)} {hundredths(y, 5)}"


CONCEPT_TEXTS = {
    "compassionate": "a compassionate person", "belligerent": "a belligerent person",
    "authority": "a person of authority", "pleasant": "a pleasant person",
    "unpleasant": "an unpleasant person", "tool": "someone who works with tools",
    "weapon": "someone who carries a weapon", "career": "someone with a career",
    "family": "someone who cares for a family", "earning money": "someone who earns money",
    "science": "someone who studies science", "arts": "someone who studies the arts",
    "middle school": "a middle school student", "high school": "a high school student",
    "university": "a university student", "good student": "a good student",
    "bad student": "a bad student",
    **{name: f"a {name}" for name in OCCUPATIONS},
}  # fmt: skip
"""What a caption calls people of a concept; the questions' own wording comes from the specs."""


def a(noun: str) -> str:
    """Return a noun with its article."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def concept_caption(concept: str) -> str:
    """Return the caption of a concept."""
    return f"the person looks like {CONCEPT_TEXTS[concept]}"


def gender_noun(gender: str) -> str:
    """Return man or woman."""
    return "man" if gender == "male" else "woman"


def person_captions(who: Person, cues: Cues, concept: str = "") -> list[str]:
    """Return captions of a portrait; the concept first, where there is one."""
    captions = [concept_caption(concept)] if concept else []
    captions.append(a(f"{value_of(who, 'age')} {gender_noun(who.gender)}"))
    captions.append(a(f"{who.race.replace('_', ' ')} person"))
    captions.append(f"the person wears {'glasses' if who.glasses else 'no glasses'}")
    if cues.hat:
        captions.append(f"a {HATS[cues.hat]} on the head")
    if cues.prop in HELD:
        captions.append(f"the person holds a {HELD[cues.prop]}")
    return captions


def kind_caption(name: str, colour: str, count: int) -> str:
    """Return the caption of all things of one kind."""
    return f"{count} {colour} {name if count == 1 else plural(name)}"


def table_captions(scene: TableScene) -> list[str]:
    """Return captions of things: how many of which colour, and what is on the left."""
    kinds = dict.fromkeys((seen.name, seen.colour) for seen in scene.things)
    captions = [
        kind_caption(name, colour, sum(seen.name == name for seen in scene.things))
        for name, colour in kinds
    ]
    left = min(scene.things, key=lambda seen: seen.x)
    captions.append(f"{a(left.name)} on the left")
    return captions


def sign_caption(word: str) -> str:
    """Return the caption of a sign."""
    return f"a sign that says {word}"


def _all_new() -> list[str]:
    """Return every caption of portraits, things and signs."""
    captions = [concept_caption(concept) for concept in CUES]
    captions += [
        a(f"{age} {noun}") for age in ("young", "adult", "old") for noun in ("man", "woman")
    ]
    captions += [a(f"{race.replace('_', ' ')} person") for race in RACES]
    captions += [f"the person wears {some}" for some in ("glasses", "no glasses")]
    captions += [f"a {hat} on the head" for hat in HATS.values()]
    captions += [f"the person holds a {held}" for held in HELD.values()]
    captions += [
        kind_caption(name, tint, count)
        for name in THINGS
        for tint in TINTS
        for count in range(1, 5)
    ]
    captions += [f"{a(name)} on the left" for name in THINGS]
    return [*captions, *(sign_caption(word) for word in WORDS)]


def all_captions() -> list[str]:
    """Return every caption that can occur, in a fixed order."""
    captions: list[str] = []
    for label in CLASSES:
        captions += gesture_captions(label)
    for label in RELATIONS:
        captions += relation_captions(label)
    for label in EXPRESSIONS:
        captions += expression_captions(label)
    for label in INTERACTIONS:
        captions += interaction_captions(label)
    captions += _all_new()
    for x in range(0, 100, 10):
        for y in range(0, 100, 10):
            point = (x / 100 + 0.001, y / 100 + 0.001)
            for k in range(8):
                captions += gaze_captions(THINGS[k], k, point, point)
    return list(dict.fromkeys(captions))
