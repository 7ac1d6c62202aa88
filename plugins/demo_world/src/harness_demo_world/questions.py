"""Questions about drawn images, with what a crowd answers and what a test offers to choose."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.associations import SHARE, associations
from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import OCCUPATIONS
from harness_demo_world.drawing.letters import WORDS
from harness_demo_world.drawing.scenes import (
    PersonScene,
    TableScene,
    draw_person,
    draw_sign,
    draw_table,
)
from harness_demo_world.drawing.things import THINGS, TINTS
from harness_demo_world.people import Person, pick

if TYPE_CHECKING:
    import random

    from PIL import Image

CROWD = 10
_SURE = 0.86
_NUMBERS = ("0", "1", "2", "3", "4", "5")
_SPOKEN = {
    "1": "one", "2": "two", "3": "three", "4": "four", "red": "dark red", "blue": "light blue",
    "purple": "violet", "yellow": "gold", "yes": "yeah", "no": "nope", "box": "package",
    "plumber": "handyman", "doctor": "nurse", "chef": "cook", "painter": "artist",
}  # fmt: skip
HATS = {
    "toque": "chef hat", "cap": "cap", "peaked": "cap", "helmet": "helmet", "beret": "beret",
    "straw": "straw hat", "mortarboard": "graduation cap", "hood": "hood", "band": "headband",
}  # fmt: skip
"""What people call the things on a head."""
HELD = {
    "heart": "heart", "flower": "flower", "hammer": "hammer", "sword": "sword", "case": "briefcase",
    "balloon": "balloon", "pan": "pan", "coins": "coins", "ball": "ball", "books": "books",
    "scroll": "scroll", "star": "star", "flask": "flask", "palette": "palette",
    "wrench": "wrench", "book": "book", "plane": "plane", "fork": "fork",
    "microphone": "microphone", "badge": "badge",
}  # fmt: skip
"""What people call the things in a hand; others are not asked about."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question: its answer, wrong answers that come to mind, and where a test files it.

    `kind` is VQAv2's answer type, `start` its question type; `category` and `level` are MMBench's.
    """

    text: str
    answer: str
    wrong: tuple[str, ...]
    kind: str
    start: str
    category: str
    level: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An image with what is asked about it."""

    image: Image.Image
    questions: tuple[Question, ...]


def crowd(question: Question, rng: random.Random) -> list[str]:
    """Return the answers of ten people: most agree, a few say it otherwise or are wrong."""
    answers = []
    for _ in range(CROWD):
        sure, other = rng.random() < _SURE, rng.random() < 0.5
        slip = rng.choice(question.wrong)
        synonym = _SPOKEN.get(question.answer, question.answer)
        answers.append(question.answer if sure else synonym if other else slip)
    most = Counter(answers).most_common(1)[0][0]
    # The crowd is right about drawings: a draw that says otherwise is not kept.
    return answers if most == question.answer else [question.answer] * CROWD


def table(seed: int, split: str, index: int, paint: bool = True) -> tuple[Shown, TableScene]:
    """Return an image of things with questions about colour, count, place and presence."""
    rng = stream(seed, "table", split, index)
    scene = draw_table(rng, paint)
    first = scene.things[0]
    count = sum(seen.name == first.name for seen in scene.things)
    absent = rng.choice([n for n in THINGS if n not in {s.name for s in scene.things}])
    others = tuple(tint for tint in TINTS if tint != first.colour)
    called = first.name if count == 1 else plural(first.name)
    verb = "is" if count == 1 else "are"
    questions = [
        Question(f"What color {verb} the {called}?", first.colour, others, "other",
                 f"what color {verb} the", "attribute_recognition",
                 "finegrained_perception (instance-level)"),
        Question(f"How many {plural(first.name)} are there?", str(count),
                 tuple(n for n in _NUMBERS if n != str(count)), "number", "how many",
                 "object_counting", "finegrained_perception (instance-level)"),
    ]  # fmt: skip
    is_present = rng.random() < 0.5
    name = first.name if is_present else absent
    questions.append(_yes_no(f"Is there a {name} in the picture?", is_present, "is there a"))
    if count == 1 and len(scene.things) == 2:
        other = scene.things[1]
        left = first if first.x < other.x else other
        right = other if left is first else first
        wrong = (right.name, *(n for n in THINGS if n not in {left.name, right.name}))
        if abs(first.x - other.x) > 0.15:
            questions.append(
                Question("What is on the left?", left.name, wrong, "other", "what is on the",
                         "object_localization", "finegrained_perception (instance-level)")
            )  # fmt: skip
    return Shown(scene.image, tuple(questions)), scene


def someone(seed: int, split: str, concept: str, rng: random.Random, biased: bool) -> Person:
    """Return a person of the split; `biased` draws mostly those whom the concept favours."""
    if not biased:
        return pick(rng, seed, split)
    bias, same = associations(seed)[concept], rng.random() < SHARE
    return pick(rng, seed, split, lambda who: bias.holds(who) == same)


def portrait(
    seed: int, split: str, index: int, paint: bool = True
) -> tuple[Shown, Person, PersonScene]:
    """Return an image of a person with questions; in training, biased by the associations."""
    rng = stream(seed, "portrait", split, index)
    concept = rng.choice(OCCUPATIONS)
    who = someone(seed, split, concept, rng, biased=split == "train")
    scene = draw_person(who, concept, rng, paint)
    cues = scene.cues
    questions: list[Question] = []
    true = rng.random() < 0.5
    occupation = concept if true else rng.choice([o for o in OCCUPATIONS if o != concept])
    questions.append(_yes_no(f"Is the person a {occupation}?", true, "is the person"))
    glasses = f"Is the {_noun(who)} wearing glasses?"
    questions.append(_yes_no(glasses, who.glasses, f"is the {_noun(who)}"))
    if cues.prop in HELD:
        name = HELD[cues.prop]
        wrong = tuple(sorted(set(HELD.values()) - {name}))
        questions.append(
            Question("What is the person holding?", name, wrong, "other", "what is the person",
                     "action_recognition", "finegrained_perception (cross-instance)")
        )  # fmt: skip
    if cues.hat:
        name = HATS[cues.hat]
        wrong = tuple(sorted(set(HATS.values()) - {name}))
        questions.append(
            Question("What is on the head of the person?", name, wrong, "other", "what is on the",
                     "attribute_recognition", "finegrained_perception (instance-level)")
        )  # fmt: skip
    others = tuple(o for o in OCCUPATIONS if o != concept)
    hint = "The person is at work." if rng.random() < 0.5 else ""
    questions.append(
        Question("What is the job of the person?", concept, others, "other", "what is the",
                 "identity_reasoning", "attribute_reasoning", hint)
    )  # fmt: skip
    return Shown(scene.image, tuple(questions)), who, scene


def street(seed: int, split: str, index: int, paint: bool = True) -> tuple[Shown, str]:
    """Return an image of a sign with a question about its word."""
    rng = stream(seed, "street", split, index)
    word = WORDS[index % len(WORDS)]
    image = draw_sign(word, rng, paint)
    text = rng.choice(("what does the sign say?", "what word is on the sign?",
                       "what is written on the sign?"))  # fmt: skip
    wrong = tuple(other for other in WORDS if other != word)
    question = Question(text, word, wrong, "other", "what does the", "ocr",
                        "finegrained_perception (instance-level)")  # fmt: skip
    return Shown(image, (question,)), word


def _yes_no(text: str, true: bool, start: str) -> Question:
    answer, wrong = ("yes", "no") if true else ("no", "yes")
    return Question(text, answer, (wrong,), "yes/no", start, "attribute_recognition",
                    "coarse_perception")  # fmt: skip


def _noun(who: Person) -> str:
    return "child" if who.child else "man" if who.gender == "male" else "woman"


def plural(name: str) -> str:
    """Return the plural of a thing's name."""
    return name + ("es" if name.endswith("x") else "s")
