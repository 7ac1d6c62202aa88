"""From a sample to a chat: the question, the images, and solved samples before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from harness.descriptors import Json
from harness.errors import SampleError, UserError
from harness.requests import Turn
from harness.samples import Sample
from harness.samples.images import LoadedImage
from harness.specs.spec import ChooseSpec, TaskSpec
from harness.specs.templates import Template, compile_template


@dataclass(frozen=True, slots=True)
class Shot:
    """A solved sample shown before the question, its images as the view shows them."""

    sample: Sample
    images: tuple[LoadedImage, ...] = ()


@lru_cache(maxsize=256)
def _template(text: str, where: str) -> Template:
    return compile_template(text, where)


def prompt_text(
    spec: TaskSpec, fields: Mapping[str, Json], *, paraphrase: int | None = None
) -> str:
    """Return the question about a sample.

    Args:
        spec: The task.
        fields: The sample's fields.
        paraphrase: Position of the paraphrase to ask instead of the template.

    Raises:
        UserError: no such paraphrase, or a field the template names is not there.
    """
    if paraphrase is None:
        where = f"{spec.id}: prompt.template"
        return _template(spec.prompt.template, where).render(**_seen(spec, fields))
    if not 0 <= paraphrase < len(spec.prompt.paraphrases):
        raise UserError(
            f"task {spec.id!r} has no paraphrase {paraphrase}; it has "
            f"{len(spec.prompt.paraphrases)}, counted from 0"
        )
    where = f"{spec.id}: prompt.paraphrases[{paraphrase}]"
    template = _template(spec.prompt.paraphrases[paraphrase], where)
    return template.render(**_seen(spec, fields))


def _seen(spec: TaskSpec, fields: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a prompt's template sees: the fields, and named options as ``option.NAME``."""
    return {**fields, "option": {name: held.value for name, held in spec.options.items()}}


def build_turns(
    spec: TaskSpec,
    sample: Sample,
    images: Sequence[LoadedImage],
    shots: Sequence[Shot] = (),
    *,
    paraphrase: int | None = None,
) -> tuple[Turn, ...]:
    """Return the chat that asks a task's question about a sample.

    Args:
        spec: The task.
        sample: What is asked about.
        images: The sample's images as the view shows them.
        shots: Solved samples, as many as the spec asks for.
        paraphrase: Position of the paraphrase to ask instead of the template.

    Raises:
        SampleError: the sample lacks a field that the template names.
        UserError: not as many shots as the spec asks for, or no such paraphrase.
    """
    if len(shots) != spec.prompt.shots:
        raise UserError(
            f"task {spec.id!r} shows {spec.prompt.shots} solved samples, {len(shots)} were given"
        )
    turns: list[Turn] = []
    if spec.prompt.system:
        where = f"{spec.id}: prompt.system"
        text = _on_sample(spec, _template(spec.prompt.system, where), sample)
        turns.append(Turn("system", text))
    for shot in shots:
        turns.append(Turn("user", _question(spec, shot.sample, paraphrase), shot.images))
        turns.append(Turn("assistant", render_answer(spec, shot.sample.target)))
    turns.append(Turn("user", _question(spec, sample, paraphrase), tuple(images)))
    return tuple(turns)


def _question(spec: TaskSpec, sample: Sample, paraphrase: int | None) -> str:
    try:
        return prompt_text(spec, sample.fields, paraphrase=paraphrase)
    except UserError as error:
        if error.where is None:  # the caller's mistake, not the sample's
            raise
        raise SampleError("prompt_unrenderable", str(error)) from None


def _on_sample(spec: TaskSpec, template: Template, sample: Sample) -> str:
    try:
        return template.render(**_seen(spec, sample.fields))
    except UserError as error:
        raise SampleError("prompt_unrenderable", str(error)) from None


@lru_cache(maxsize=64)
def _same_options(task: str, text: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    template = _template(text, f"{task}: ask.choose.text")
    return tuple(template.render(label=label) for label in labels)


def options_as_sent(spec: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """Return the options of a choice as texts, in the order of ``spec.labels``.

    Raises:
        SampleError: the sample lacks a field that the options name.
    """
    if not isinstance(spec.ask, ChooseSpec):
        return ()
    template = _template(spec.ask.text, f"{spec.id}: ask.choose.text")
    if set(template.fields) <= {"label"} and not template.options:
        return _same_options(spec.id, spec.ask.text, spec.labels)
    fields = dict(sample.fields)
    return tuple(
        _on_sample(spec, template, replace(sample, fields={**fields, "label": label}))
        for label in spec.labels
    )


def render_answer(spec: TaskSpec, target: Json) -> str:
    """Return a target as the text a model would have to write.

    Raises:
        UserError: the target is not what the template expects.
    """
    return _template(spec.answer, f"{spec.id}: answer").render(target=target)
