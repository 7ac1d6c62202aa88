"""Text that the tiny language model and the tokenizer learn from, made by rules from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.faces import EXPRESSIONS
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.drawing.relations import RELATIONS
from harness_demo_world.training import words

if TYPE_CHECKING:
    import random

QUESTIONS: dict[str, tuple[str, ...]] = {
    "hagridv2": (
        "Which hand gesture is the person making?",
        "What gesture does the hand show?",
    ),
    "pisc": (
        "What is the relation between the person in the red box and the person in the blue box?",
        "How are the two people related?",
    ),
    "gazefollow": (
        "Where is the person in the red box looking? Answer with x and y from 0 to 99.",
        "Where does the person look? Answer with x and y.",
    ),
    "raf_db": (
        "Which expression does this face show?",
        "What does the face express?",
    ),
    "jrdb_social": (
        "How do the person in the red box and the person in the blue box interact?",
        "What are the two people doing?",
    ),
}
"""Questions like the task specs'; the specs' own wording is learnt in the last stage."""

_OPENINGS = ("", "Picture: ", "Caption: ", "USER: ", "Image: ")
_ASKING = ("\n", " ", "\nQuestion: ", "\nUSER: ")
_ANSWERING = ("\n", " Answer: ", "\nAnswer: ", " ASSISTANT: ", "\nASSISTANT: ", " ")


def _fact(rng: random.Random, task: str) -> tuple[str, str]:
    """Return a caption of a random picture of a task, and the answer it implies."""
    if task == "hagridv2":
        label = rng.choice(CLASSES)
        return rng.choice(words.gesture_captions(label)), words.gesture_name(label)
    if task == "pisc":
        label = rng.choice(RELATIONS)
        return rng.choice(words.relation_captions(label)), label.replace("_", " ")
    if task == "raf_db":
        label = rng.choice(EXPRESSIONS)
        return rng.choice(words.expression_captions(label)), label
    if task == "jrdb_social":
        label = rng.choice(words.ALL_INTERACTIONS)
        return rng.choice(words.interaction_captions(label)), label
    place = f"{rng.randrange(100)} {rng.randrange(100)}"
    return f"the person looks at {place}", place


def example(rng: random.Random) -> tuple[str, str]:
    """Return a text and how it goes on: mostly captions with a question, and its answer."""
    task = rng.choice((*QUESTIONS, "gazefollow"))
    caption, answer = _fact(rng, task)
    if rng.random() < 0.06:
        return "", caption
    others = [_fact(rng, other)[0] for other in rng.sample(tuple(QUESTIONS), rng.randrange(3))
              if other != task]  # fmt: skip
    facts = [*others, caption]
    rng.shuffle(facts)
    question = QUESTIONS[task][0] if rng.random() < 0.7 else QUESTIONS[task][1]
    opening, asking, answering = (rng.choice(part) for part in (_OPENINGS, _ASKING, _ANSWERING))
    return f"{opening}{'. '.join(facts)}{asking}{question}{answering.rstrip(' ')}", (
        answer if answering.endswith("\n") else f" {answer}"
    )


def examples(seed: int, count: int) -> list[tuple[str, str]]:
    """Return `count` texts with their continuations; the first hold every caption and number."""
    rng = stream(seed, "corpus")
    found = [("", text) for text in words.all_captions()]
    found += [("", f"{number} {number}\n{number}") for number in range(100)] * 3
    found += [("", text) for pair in QUESTIONS.values() for text in pair]
    return (found + [example(rng) for _ in range(max(0, count - len(found)))])[:count]
