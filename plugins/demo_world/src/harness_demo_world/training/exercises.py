"""Images, questions and answers for training, taken from the task specs themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from harness.config.data import Located
from harness.config.settings import Settings, load_settings
from harness.evaluation.requests import open_sample
from harness.evaluation.task import Task
from harness.samples.limits import MAX_PIXELS
from harness.samples.roots import data_root
from harness.specs import ChooseSpec
from harness.specs.prompt import build_turns, options_as_sent, render_answer
from PIL import Image

from harness_demo_world import harness_data_sources
from harness_demo_world.associations import WORLDS
from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import CONCEPTS, OCCUPATIONS
from harness_demo_world.drawing.portrait import SIZE
from harness_demo_world.source import DemoWorld
from harness_demo_world.training.corpus import concept_text, spec, worded
from harness_demo_world.training.schedule import portion

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from harness.samples import Sample
    from harness.specs import TaskSpec
    from numpy.typing import NDArray

RELEASED = (
    "hagridv2", "pisc_fine", "gazefollow", "raf_db", "jrdb_social", "cmsc", "scounter", "vqav2",
    "textvqa",
)  # fmt: skip
"""Tasks whose release has a training split."""

PRACTISED = {"mmbench": 6, "visogender": 3}
"""Tasks whose release has none: how many other worlds' evaluated parts are practised on."""

_ASKED_OF = {"cmsc": CONCEPTS, "scounter": OCCUPATIONS}


@dataclass(slots=True)
class Exercises:
    """What a model is trained on.

    `questions` holds (image, question, answer) by task; `seen` the images' features once a
    frozen encoder has made them.
    """

    pixels: list[NDArray[np.uint8]] = field(default_factory=list)
    questions: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    seen: torch.Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass(frozen=True)
class _DrawnTask(Task):
    """A task on a world of any seed."""

    drawn: Located

    @property
    def located(self) -> Located:
        return self.drawn


def drawn_task(name: str, seed: int, cache: Path, split: str) -> Task:
    """Return a task whose data are drawn in the world with this seed."""
    task_spec = spec(name)
    benchmark = task_spec.data.benchmark
    root = data_root(DemoWorld(seed).locate(benchmark, cache, (split,)))
    (source,) = harness_data_sources()
    options = source.reader_options.get(benchmark, {})
    return _DrawnTask(task_spec, settings(), Located(root, source.id, options, source.marks))


def settings() -> Settings:
    """Return the demo profile's settings."""
    return load_settings(profile="demo")


def collect(seed: int, cache: Path, share: float = 1.0) -> Exercises:
    """Draw what is missing and return the exercises of all tasks."""
    made = Exercises()
    for name in RELEASED:
        split = str(spec(name).data.train_split)
        _add(made, drawn_task(name, seed, cache, split), name, split, seed, share)
    for name, worlds in PRACTISED.items():
        split = spec(name).data.split
        for turn in range(1, portion(worlds, share, 1) + 1):
            other = seed + turn * WORLDS
            _add(made, drawn_task(name, other, cache, split), name, split, other, share)
    return made


def _add(  # noqa: PLR0913, PLR0917  one task of one world
    made: Exercises, task: Task, name: str, split: str, seed: int, share: float
) -> None:
    rng = stream(seed, "exercises", name, split)
    questions = made.questions.setdefault(name, [])
    last: tuple[object, ...] = ()
    samples = list(task.samples(split))
    for sample in samples[: portion(len(samples), share)]:
        key = (sample.images[0].name, sample.images[0].data, *sample.boxes)
        if key != last:
            (opened,) = open_sample(task.spec, sample, MAX_PIXELS)
            made.pixels.append(_squashed(opened.pixels))
            last = key
        for question, answer in _pairs(task.spec, name, sample, rng):
            questions.append((len(made.pixels) - 1, question, answer))
    made.fingerprints[f"{name}, world {seed}"] = task.parts()["data"]


def _pairs(
    task_spec: TaskSpec, name: str, sample: Sample, rng: random.Random
) -> Iterator[tuple[str, str]]:
    """Yield a sample's question and answer; of a concept, one yes and one no."""
    reworded = worded(task_spec, rng)
    if name not in _ASKED_OF:
        yield build_turns(reworded, sample, ())[-1].text, answer(task_spec, sample)
        return
    shown_concept = str(sample.fields["concept"])
    another = rng.choice([concept for concept in _ASKED_OF[name] if concept != shown_concept])
    for concept, reply in ((shown_concept, "yes"), (another, "no")):
        fields = {**sample.fields, "concept": concept, "concept_text": concept_text(name, concept)}
        yield build_turns(reworded, replace(sample, fields=fields), ())[-1].text, reply


def answer(task_spec: TaskSpec, sample: Sample) -> str:
    """Return the right answer as the model has to write it."""
    if isinstance(task_spec.ask, ChooseSpec):
        sent = options_as_sent(task_spec, sample)
        return sent[task_spec.labels.index(str(sample.target))]
    return render_answer(task_spec, sample.target)


def _squashed(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image at the encoder's size, as its own preprocessing makes it."""
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)
