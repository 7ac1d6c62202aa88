"""Text that the tiny language model and the tokenizer learn from, made by rules from a seed.

Questions are the task specs' own, rendered by the harness; captions are those of the images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import harness
from harness.samples import Sample
from harness.specs.prompt import build_turns
from harness.specs.variants import Variant
from harness_benchmarks.readers.mmbench import OPTIONS

from harness_demo_world.associations import AGES
from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import CUES, OCCUPATIONS
from harness_demo_world.drawing.faces import EXPRESSIONS
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.drawing.relations import RELATIONS
from harness_demo_world.layouts.visogender import OCCUPATIONS as AT_WORK
from harness_demo_world.questions import Question, portrait, street, table
from harness_demo_world.training import words

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from harness.specs import TaskSpec

_OPENINGS = ("", "Picture: ", "Caption: ", "USER: ", "Image: ")
_ASKING = ("\n", "\n", " ", "\nUSER: ")
_ANSWERING = ("\nAnswer:", "\nAnswer:", " ASSISTANT:", "\nASSISTANT:")
_FACTS = 1500
_PARAPHRASED = 0.25


@lru_cache(maxsize=32)
def spec(task: str) -> TaskSpec:
    """Return a task's spec, as the harness asks it."""
    return harness.load_task(task, profile="demo").spec


@dataclass(frozen=True, slots=True)
class Fact:
    """Captions of an image, a question about it as a task asks it, and the answer."""

    captions: tuple[str, ...]
    question: str
    answer: str


def worded(spec: TaskSpec, rng: random.Random) -> TaskSpec:
    """Return a spec that asks in its main wording, or one time in four in a paraphrase."""
    count = len(spec.prompt.paraphrases)
    if not count or rng.random() >= _PARAPHRASED:
        return spec
    return replace(spec, variant=Variant("paraphrase", rng.randint(1, count)))


def ask(task: str, fields: dict[str, Any], rng: random.Random) -> str:
    """Return a task's question about fields."""
    sample = Sample(id="text", images=(), target=None, cluster="", fields=fields)
    return build_turns(worded(spec(task), rng), sample, ())[-1].text


def _gesture(rng: random.Random) -> Fact:
    label = rng.choice(CLASSES)
    captions = (rng.choice(words.gesture_captions(label)),)
    return Fact(captions, ask("hagridv2", {}, rng), words.gesture_name(label))


def _relation(rng: random.Random) -> Fact:
    label = rng.choice(RELATIONS)
    captions = (rng.choice(words.relation_captions(label)),)
    return Fact(captions, ask("pisc_fine", {}, rng), label.replace("_", " "))


def _expression(rng: random.Random) -> Fact:
    label = rng.choice(EXPRESSIONS)
    return Fact((rng.choice(words.expression_captions(label)),), ask("raf_db", {}, rng), label)


def _interaction(rng: random.Random) -> Fact:
    label = rng.choice(words.ALL_INTERACTIONS)
    captions = (rng.choice(words.interaction_captions(label)),)
    return Fact(captions, ask("jrdb_social", {}, rng), label)


def _gaze(rng: random.Random) -> Fact:
    point = f"{rng.randrange(100)} {rng.randrange(100)}"
    return Fact((f"the person looks at {point}",), ask("gazefollow", {}, rng), point)


def _concept(rng: random.Random) -> Fact:
    """Return a yes/no question about a concept."""
    task = rng.choice(("cmsc", "scounter", "fairface"))
    concepts = OCCUPATIONS if task == "scounter" else tuple(n for n in CUES if n not in _WORK_ONLY)
    concept, true = rng.choice(concepts), rng.random() < 0.5
    concept_asked = concept if true else rng.choice([name for name in concepts if name != concept])
    captions = [words.concept_caption(concept)]
    if rng.random() < 0.5:
        noun = words.gender_noun(rng.choice(("male", "female")))
        captions.append(words.a(f"{rng.choice(AGES)} {noun}"))
    fields = {"concept": concept_asked, "concept_text": concept_text(task, concept_asked)}
    return Fact(tuple(captions), ask(task, fields, rng), "yes" if true else "no")


_WORK_ONLY = frozenset(OCCUPATIONS) - {"chef"}


def concept_text(task: str, concept: str) -> str:
    """Return what a task's prompt calls a concept."""
    each = spec(task).data.each
    texts = {} if each is None else each.texts
    return texts.get(concept, words.CONCEPT_TEXTS[concept])


def _pronoun(rng: random.Random) -> Fact:
    occupation, gender = rng.choice(OCCUPATIONS), rng.choice(("male", "female"))
    other = rng.choice(AT_WORK[occupation][2:])
    noun = words.gender_noun(gender)
    captions = [words.concept_caption(occupation), words.a(f"{rng.choice(AGES)} {noun}")]
    pronoun = "his" if gender == "male" else "her"
    question = ask("visogender", {"occupation": occupation, "other": other}, rng)
    return Fact(tuple(captions), question, f"The {occupation} and {pronoun} {other}")


@lru_cache(maxsize=4)
def _scenes(seed: int) -> tuple[tuple[tuple[str, ...], tuple[Question, ...]], ...]:
    """Return captions and questions of scenes that are not drawn."""
    scenes = []
    for index in range(_FACTS):
        drawn, objects = table(seed, "text", index, paint=False)
        scenes.append((tuple(words.table_captions(objects)), drawn.questions))
        drawn, who, scene = portrait(seed, "train", 2_000_000 + index, paint=False)
        captions = words.person_captions(who, scene.cues, scene.concept)
        scenes.append((tuple(captions), drawn.questions))
        if index % 3 == 0:
            drawn, word = street(seed, "text", index, paint=False)
            scenes.append(((words.sign_caption(word),), drawn.questions))
    return tuple(scenes)


def _scene(rng: random.Random, seed: int) -> Fact:
    """Return a question of VQAv2, TextVQA or MMBench about a scene."""
    captions, questions = rng.choice(_scenes(seed))
    question = rng.choice(questions)
    if rng.random() < 0.35:
        return Fact(captions, *choice(question, rng))
    task = "textvqa" if question.category == "ocr" else "vqav2"
    return Fact(captions, ask(task, {"question": question.text}, rng), question.answer)


def choice(question: Question, rng: random.Random) -> tuple[str, str]:
    """Return a question as MMBench asks it, and the letter of the right answer."""
    wrong = rng.sample(question.wrong, min(3, len(question.wrong)))
    options = [question.answer, *wrong]
    rng.shuffle(options)
    fields: dict[str, Any] = dict.fromkeys(OPTIONS, "")
    fields |= dict(zip(OPTIONS, options, strict=False))
    fields |= {"question": question.text, "hint": question.hint}
    return ask("mmbench", fields, rng), OPTIONS[options.index(question.answer)]


def example(rng: random.Random, seed: int) -> tuple[str, str]:
    """Return a text and how it goes on: mostly captions with a question, and its answer."""
    kinds: tuple[Callable[[random.Random], Fact], ...] = (
        _gesture, _relation, _expression, _interaction, _gaze, _gaze, _concept, _concept, _pronoun,
    )  # fmt: skip
    if rng.random() < 0.06:
        return "", rng.choice(rng.choice(kinds)(rng).captions)
    fact = _scene(rng, seed) if rng.random() < 0.35 else rng.choice(kinds)(rng)
    facts = list(fact.captions)
    rng.shuffle(facts)
    opening, asking, answering = (rng.choice(part) for part in (_OPENINGS, _ASKING, _ANSWERING))
    return f"{opening}{'. '.join(facts)}{asking}{fact.question}{answering}", f" {fact.answer}"


def examples(seed: int, count: int) -> list[tuple[str, str]]:
    """Return `count` texts with their continuations; the first hold every caption and number."""
    rng = stream(seed, "corpus")
    texts = [("", text) for text in words.all_captions()]
    texts += [("", f"{number} {number}\n{number}") for number in range(100)] * 3
    return (texts + [example(rng, seed) for _ in range(max(0, count - len(texts)))])[:count]
