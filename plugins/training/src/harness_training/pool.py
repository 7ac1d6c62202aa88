"""What is trained on: train splits of tasks, asked as they ask or in one of their forms."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from harness.errors import SampleError, UserError, unknown
from harness.evaluation.requests import open_sample
from harness.evaluation.task import Task
from harness.requests import Turn
from harness.samples import Sample
from harness.samples.hashes import id_hash
from harness.specs.prompt import build_turns, render_answer, rendered, template_of, texts_to_embed
from harness.specs.spec import TaskSpec, TrainingForm
from harness.training.contract import Example

if TYPE_CHECKING:
    from harness.samples.images import LoadedImage

OWN = "task"
"""The form that is the task's own question and answer."""

Cluster = tuple[str, str]
"""Benchmark and cluster of a sample."""

_OTHER = "#not "


def training_pair(
    spec: TaskSpec, form: TrainingForm, sample: Sample, *, against: bool = False
) -> tuple[str, str]:
    """Return question and answer of a sample in a form for training.

    Args:
        spec: The task.
        form: One of its forms.
        sample: The sample; its target is seen as ``target``.
        against: Whether it is the second sample, whose field has another sample's value.

    Raises:
        SampleError: the sample lacks a field that a template names.
    """
    with_target = replace(sample, fields={**sample.fields, "target": sample.target})
    where = f"{spec.id}: training"
    question = rendered(spec, template_of(form.template, where), with_target)
    answer = form.against_answer if against else form.answer
    return question, rendered(spec, template_of(answer, where), with_target)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A train sample with what is asked about it and what is taught."""

    task: Task
    sample: Sample
    form: TrainingForm | None
    against: bool = False

    def taught(self) -> str:
        """Return the answer's text."""
        if self.form is None:
            texts = self.embedded()
            return texts[0] if texts else render_answer(self.task.spec, self.sample.target)
        return training_pair(self.task.spec, self.form, self.sample, against=self.against)[1]

    def embedded(self) -> tuple[str, ...]:
        """Return the texts that the task itself compares with the image: none, but of vectors."""
        return () if self.form is not None else texts_to_embed(self.task.spec, self.sample)

    def turns(self, images: tuple[LoadedImage, ...]) -> tuple[Turn, ...]:
        """Return the chat up to the answer."""
        if self.form is None:
            return build_turns(self.task.spec, self.sample, images)
        question, _ = training_pair(self.task.spec, self.form, self.sample, against=self.against)
        return (Turn("user", question, images),)

    def images(self, max_pixels: int) -> tuple[LoadedImage, ...]:
        """Open the images as the task's view shows them; SampleError when one cannot be."""
        return tuple(open_sample(self.task.spec, self.sample, max_pixels))

    def example(self) -> Example:
        """Return the sample as a recipe sees it."""
        return Example(
            id=self.sample.id,
            task=self.task.id,
            answer=self.taught(),
            fields={name: self.sample.fields.get(name) for name in self.task.spec.data.keep},
            groups={name: group.value for name, group in self.sample.groups.items()},
            against=self.against,
            cluster=self.sample.cluster,
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """All lessons of a training, in an order that does not change.

    Attributes:
        examples: As recipes see them, in the same order.
        sha256: Hash of tasks, forms, sample ids and answers.
        skipped: Samples without a right answer, which teach nothing.
        limited: Whether the limit left samples out.
    """

    lessons: Sequence[Lesson]
    examples: Sequence[Example]
    sha256: str
    skipped: int
    limited: bool = False


def make_pool(
    tasks: Sequence[Task],
    *,
    form: str | None,
    limit: int | None,
    seed: int,
    without: Collection[Cluster] = (),
) -> Pool:
    """Read the train splits of tasks.

    Args:
        tasks: Each with a train split.
        form: Name of the tasks' form; by default the first, or the task's own question.
        limit: At most this many samples per task, those whose id has the smallest hash.
        seed: Chooses the other value where a form has a second sample.
        without: Clusters that are held out.

    Raises:
        UserError: a task without a train split, shots in a spec, an unknown form, no sample.
    """
    lessons: list[Lesson] = []
    examples: list[Example] = []
    skipped, limited = 0, False
    digest = hashlib.sha256()
    for task in map(on_train_split, tasks):
        chosen = _form(task, form)
        samples = [
            one for one in _once(task, chosen).samples() if cluster_of(task, one) not in without
        ]
        limited = limited or (limit is not None and len(samples) > limit)
        for lesson in _lessons(task, chosen, _smallest(samples, limit), seed):
            try:
                example = lesson.example()
            except (SampleError, UserError):
                skipped += 1
                continue
            lessons.append(lesson)
            examples.append(example)
            digest.update(f"{example.task}\n{example.id}\n{example.answer}\n".encode())
    if not lessons:
        raise UserError(
            f"the train split of {', '.join(task.id for task in tasks)} holds nothing to train on",
            fix="use tasks with answers, or another form: see `harness tasks show`",
        )
    return Pool(lessons, examples, digest.hexdigest(), skipped, limited)


def _form(task: Task, name: str | None) -> TrainingForm | None:
    forms = task.spec.training
    if name == OWN or (name is None and not forms):
        return None
    if name is None:
        return next(iter(forms.values()))
    if name not in forms:
        raise unknown(f"form of {task.id!r}", name, (*forms, OWN))
    return forms[name]


def _lessons(
    task: Task, form: TrainingForm | None, samples: Sequence[Sample], seed: int
) -> Iterator[Lesson]:
    if task.spec.prompt.shots:
        raise UserError(
            f"task {task.id!r} shows few-shot examples, which training does not support"
        )
    values = _values(samples, form)
    for sample in samples:
        yield Lesson(task, sample, form)
        if form is not None and form.against:
            other = _other(task, sample, form.against, values, seed)
            if other is not None:
                yield Lesson(task, other, form, against=True)


def on_train_split(task: Task) -> Task:
    """Return a task that asks about its train split.

    Raises:
        UserError: when it has none.
    """
    split = task.spec.data.train_split
    if split is None:
        raise UserError(f"task {task.id!r} has no train split",
                        fix="name one in its spec: data.train_split")  # fmt: skip
    return on_split(task, split)


def on_split(task: Task, split: str) -> Task:
    """Return a task that asks about another of its splits."""
    return Task(replace(task.spec, data=replace(task.spec.data, split=split)), task.settings)


def cluster_of(task: Task, sample: Sample) -> Cluster:
    """Return what tells a sample's cluster from all others'."""
    return task.spec.data.benchmark, sample.cluster


def source_id(task: Task, sample: Sample) -> str:
    """Return the id that the reader gave a sample, whichever value is asked about."""
    return source_of(sample.id.partition(_OTHER)[0], task.endings)


def source_of(name: str, endings: Sequence[str]) -> str:
    """Return a sample's id without the value asked about."""
    return next((name.removesuffix(end) for end in endings if name.endswith(end)), name)


def _once(task: Task, form: TrainingForm | None) -> Task:
    """Return a task that gives each sample once, whatever else evaluation asks about it."""
    each = task.spec.data.each
    if form is None or each is None:
        return task
    data = replace(task.spec.data, each=replace(each, values=()))
    return Task(replace(task.spec, data=data), task.settings)


def _smallest(samples: Sequence[Sample], limit: int | None) -> Sequence[Sample]:
    if limit is None:
        return samples
    chosen = sorted(samples, key=lambda sample: id_hash(sample.id))[:limit]
    return sorted(chosen, key=lambda sample: sample.id)


def _values(samples: Iterable[Sample], form: TrainingForm | None) -> list[str]:
    if form is None or not form.against:
        return []
    return sorted({str(sample.fields.get(form.against, "")) for sample in samples} - {""})


def _other(
    task: Task, sample: Sample, field: str, values: Sequence[str], seed: int
) -> Sample | None:
    """Return the sample with another sample's value in a field, chosen by its id."""
    others = [value for value in values if value != sample.fields.get(field)]
    if not others:
        return None
    value = Random(id_hash(f"{seed}|{sample.id}")).choice(others)
    each = task.spec.data.each
    text = each.texts.get(value, value) if each is not None else value
    fields = {**sample.fields, field: value, f"{field}_text": text}
    return replace(sample, id=f"{sample.id}{_OTHER}{value}", fields=fields)
