"""From a sample to a chat: the question, the images, and few-shot examples before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from harness.descriptors import Json
from harness.errors import SampleError, UserError, nearest
from harness.plugins import find, plugins
from harness.requests import Turn
from harness.samples import Sample
from harness.samples.images import LoadedImage
from harness.specs.spec import ChooseSpec, EmbedSpec, TaskSpec
from harness.specs.templates import Template, compile_template


@dataclass(frozen=True, slots=True)
class Shot:
    """A few-shot example shown before the question, its images as the view shows them."""

    sample: Sample
    images: tuple[LoadedImage, ...] = ()


@lru_cache(maxsize=256)
def template_of(text: str, where: str) -> Template:
    """Return a template, compiled once."""
    return compile_template(text, where)


def prompt_text(spec: TaskSpec, sample: Sample) -> str:
    """Return the question about a sample, in the words of the task's variant.

    Raises:
        SampleError: the sample lacks a field that the template names.
    """
    return rendered(spec, _question(spec), sample)


def _question(spec: TaskSpec) -> Template:
    where = f"{spec.id}: prompt.template{f', {spec.variant}' if spec.variant else ''}"
    return template_of(spec.question, where)


def refuse_unrenderable(spec: TaskSpec, sample: Sample, lacking: set[str], known: set[str]) -> None:
    """Refuse a prompt that cannot be put to the first sample; no sample has what it is lacking.

    Raises:
        UserError: with the nearest of the known fields.
    """
    try:
        build_turns(replace(spec, prompt=replace(spec.prompt, shots=0)), sample, ())
        options_as_sent(spec, sample)
        texts_to_embed(spec, sample)
    except SampleError as error:
        where, name = f"{spec.id}: sample {sample.id!r}", next(iter(sorted(lacking)), None)
        if name is None:
            raise UserError(error.message, where=where) from None
        reader = find("reader", spec.data.reader, plugins().readers())
        part = "the prompt" if name in spec.prompt.system + spec.question else "an option's text"
        fix = nearest(name, known) if known else "no sample has fields"
        if any(option.name == "fields" for option in reader.options):
            fix += "; data.options.fields of the spec names the columns that become fields"
        raise UserError(
            f"{part} uses the field {name!r}, which no sample has", where=where, fix=fix
        ) from None


def prompt_fields(spec: TaskSpec) -> set[str]:
    """Return the fields that a task's prompt and options name, and its reader must bring."""
    names = {*template_of(spec.prompt.system, f"{spec.id}: prompt.system").fields}
    names |= {*_question(spec).fields}
    texts: list[Template] = []  # they see a label each, the prompt none
    if isinstance(spec.ask, ChooseSpec):
        texts = [template_of(spec.ask.text, f"{spec.id}: ask.choose.text")]
    elif isinstance(spec.ask, EmbedSpec):
        texts = [template_of(text, f"{spec.id}: ask.embed.texts") for text in spec.ask.texts]
    names |= {name for text in texts for name in text.fields} - {"label"}
    each = spec.data.each
    return names - {"options"} - ({each.field, f"{each.field}_text"} if each else set())


def lists_options(spec: TaskSpec) -> bool:
    """Whether the prompt lists the options, so that their order can matter."""
    return "options" in template_of(spec.prompt.template, f"{spec.id}: prompt.template").fields


def build_turns(
    spec: TaskSpec, sample: Sample, images: Sequence[LoadedImage], shots: Sequence[Shot] = ()
) -> tuple[Turn, ...]:
    """Return the chat that asks a task's question about a sample.

    Args:
        spec: The task.
        sample: What is asked about.
        images: The sample's images as the view shows them.
        shots: Few-shot examples, as many as the spec asks for.

    Raises:
        SampleError: the sample lacks a field that the template names.
        UserError: not as many shots as the spec asks for.
    """
    if len(shots) != spec.prompt.shots:
        raise UserError(
            f"task {spec.id!r} shows {spec.prompt.shots} few-shot examples, {len(shots)} were given"
        )
    turns: list[Turn] = []
    if spec.prompt.system:
        where = f"{spec.id}: prompt.system"
        text = rendered(spec, template_of(spec.prompt.system, where), sample)
        turns.append(Turn("system", text))
    for shot in shots:
        turns.append(Turn("user", prompt_text(spec, shot.sample), shot.images))
        turns.append(Turn("assistant", render_answer(spec, shot.sample.target)))
    turns.append(Turn("user", prompt_text(spec, sample), tuple(images)))
    return tuple(turns)


def rendered(spec: TaskSpec, template: Template, sample: Sample) -> str:
    """Render a template that sees the fields, named options as ``option.NAME``, and ``options``."""
    fields: dict[str, Json] = dict(sample.fields)
    if template.options:
        fields["option"] = _options(spec)
    if "options" in template.fields:
        sent = list(options_as_sent(spec, sample))
        fields["options"] = [*(spec.variant.ordered(sent, sample.id) if spec.variant else sent)]
    try:
        return template.render(**fields)
    except UserError as error:
        raise SampleError("prompt_unrenderable", str(error)) from None


@lru_cache(maxsize=64)
def _same_options(task: str, text: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    template = template_of(text, f"{task}: ask.choose.text")
    return tuple(template.render(label=label) for label in labels)


def options_as_sent(spec: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """Return the options of a choice as texts, in the order of ``spec.labels``.

    Raises:
        SampleError: the sample lacks a field that the options name.
    """
    if not isinstance(spec.ask, ChooseSpec):
        return ()
    template = template_of(spec.ask.text, f"{spec.id}: ask.choose.text")
    if set(template.fields) <= {"label"} and not template.options:
        return _same_options(spec.id, spec.ask.text, spec.labels)
    return tuple(
        rendered(spec, template, replace(sample, fields={**sample.fields, "label": label}))
        for label in spec.labels
    )


def texts_to_embed(spec: TaskSpec, sample: Sample) -> tuple[str, ...]:
    """Return the texts whose vectors a task wants beside the image's.

    Raises:
        SampleError: the sample lacks a field that a text names.
    """
    if not isinstance(spec.ask, EmbedSpec):
        return ()
    # A text that is the question is worded as the question is, or a paraphrase would ask the same.
    texts = (spec.question if text == spec.prompt.template else text for text in spec.ask.texts)
    return tuple(
        rendered(spec, template_of(text, f"{spec.id}: ask.embed.texts[{index}]"), sample)
        for index, text in enumerate(texts)
    )


def render_answer(spec: TaskSpec, target: Json) -> str:
    """Return a target as the text a model would have to write.

    Raises:
        UserError: the target is not what the template expects.
    """
    template = template_of(spec.answer, f"{spec.id}: answer")
    if not template.options:
        return template.render(target=target)
    return template.render(target=target, option=_options(spec))


def _options(spec: TaskSpec) -> dict[str, Json]:
    return {name: held.value for name, held in spec.options.items()}
