"""What can be said about a picture: captions, phrases with a place, questions and answers."""

from __future__ import annotations

from harness_demo_world.drawing.faces import EXPRESSIONS
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.drawing.interactions import INTERACTIONS
from harness_demo_world.drawing.relations import RELATIONS
from harness_demo_world.drawing.things import THINGS

ALL_INTERACTIONS = (
    *INTERACTIONS, "standing together", "conversation", "eating together",
    "looking at sth together", "looking into sth together", "walking toward each other",
    "going upstairs together", "bending together", "moving together", "standing together together",
    "interaction with door together", "holding hands together", "lying together",
)  # fmt: skip
"""Words the language model should know; the exact option list is the task spec's."""

INTERACTION_OPTIONS = (
    "sitting together", "waving hand together", "walking together", "holding sth together",
    "looking at sth together", "bending together", "moving together", "going upstairs together",
    "shaking hand", "interaction with door together", "pointing at sth together",
    "standing together", "looking at robot together", "walking toward each other",
    "looking into sth together", "conversation", "eating together", "hugging",
    "standing together together", "going downstairs together", "cycling together",
)  # fmt: skip
"""The 21 options of the task jrdb_social; eight of them are drawn."""

DIRECTIONS = (
    "right", "down and to the right", "down", "down and to the left",
    "left", "up and to the left", "up", "up and to the right",
)  # fmt: skip
"""Eight directions, clockwise from the right, as seen in the picture."""

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
    """Return a share of the picture as a whole number from 0 to 99, cut to multiples of `step`."""
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
    """Return the phrase that names a place in the picture by its numbers."""
    return f"the place at {hundredths(x, 5)} {hundredths(y, 5)}"


def all_captions() -> list[str]:
    """Return every caption that can occur, in a fixed order."""
    found: list[str] = []
    for label in CLASSES:
        found += gesture_captions(label)
    for label in RELATIONS:
        found += relation_captions(label)
    for label in EXPRESSIONS:
        found += expression_captions(label)
    for label in INTERACTIONS:
        found += interaction_captions(label)
    for x in range(0, 100, 10):
        for y in range(0, 100, 10):
            place = (x / 100 + 0.001, y / 100 + 0.001)
            for k in range(8):
                found += gaze_captions(THINGS[k], k, place, place)
    return list(dict.fromkeys(found))
