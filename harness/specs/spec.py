"""A task spec as the harness uses it: plain frozen data, resolved and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harness.descriptors import Capability, Direction, Json
from harness.requests.reasoning import AUTO, Reasoning
from harness.samples.views import View
from harness.specs.variants import Variant


@dataclass(frozen=True, slots=True)
class NamedOption:
    """A choice that sources leave open. ``status`` says who made it: the paper, or this project.

    Attributes:
        value: The value in force.
        default: The value when nobody chose.
        choices: The allowed values.
        status: ``CONFIRMED`` (a source says it), ``INFERRED`` or ``NOT FOUND``.
        note: One or two sentences: what it decides, and from which source.
    """

    name: str
    value: Json
    default: Json
    choices: tuple[Json, ...]
    status: Literal["CONFIRMED", "INFERRED", "NOT FOUND"]
    note: str


@dataclass(frozen=True, slots=True)
class Each:
    """Ask about every sample once for each value: the sample's field ``field`` takes it.

    Attributes:
        values: In the order they are asked; when there are none, a sample is asked once about
            the value that its reader gave the field.
        texts: Value to the text that prompts see as ``FIELD_text``; otherwise the value itself.
    """

    field: str
    values: tuple[str, ...]
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where samples come from.

    Attributes:
        options: The reader's, named options already filled in.
        each: Values that every sample is asked about, if any.
        keep: Fields that each sample's record keeps, for metrics to read.
        counts: Split to unit (``samples``, ``images``, ``clusters``) to the number published;
            ``harness data check`` holds a folder against it.
    """

    benchmark: str
    reader: str
    split: str
    train_split: str | None
    options: Mapping[str, Json]
    obtain: str
    each: Each | None = None
    keep: tuple[str, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """How a sample becomes a chat; every text is a sandboxed template over the sample's fields."""

    template: str
    system: str = ""
    paraphrases: tuple[str, ...] = ()
    shots: int = 0
    view: View = field(default_factory=View)
    further_paraphrases: tuple[str, ...] = ()  # each in its own variant's fingerprint alone

    @property
    def rewordings(self) -> tuple[str, ...]:
        """Every paraphrase, in the order of their numbers."""
        return self.paraphrases + self.further_paraphrases


@dataclass(frozen=True, slots=True)
class ChooseSpec:
    """Choice among labels.

    Attributes:
        text: Template over ``label`` and the sample's fields that writes the option as sent.
        match: Whether options are whole texts about the image, to be matched with it.
    """

    labels: tuple[str, ...]
    text: str = "{{ label }}"
    order: Literal["listed", "sorted"] = "listed"
    normalisation: Literal["none", "token", "byte"] = "none"
    match: bool = False
    capability: Capability = "choose"


@dataclass(frozen=True, slots=True)
class GenerateSpec:
    """Free text and the extractor that finds the answer in it.

    Attributes:
        temperature: Sampling temperature; 0 writes the likeliest token each time.
        reasoning: What becomes of reasoning before the answer, unless the model's options say.
    """

    max_new_tokens: int
    extractor: str
    stop: tuple[str, ...] = ()
    extractor_options: Mapping[str, Json] = field(default_factory=dict)
    temperature: float = 0.0
    reasoning: Reasoning = AUTO
    capability: Capability = "generate"


@dataclass(frozen=True, slots=True)
class EmbedSpec:
    """Vectors of images and of these texts, templates over the fields (dual encoders).

    Attributes:
        keep_vectors: Whether records keep the vectors, for metrics that rank across samples.
    """

    texts: tuple[str, ...]
    keep_vectors: bool = False
    capability: Capability = "embed"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric as the task prints it.

    Attributes:
        column: Heading in tables.
        direction: Which way is better.
        scale: Factor between the metric's value and the printed number (100 for percent).
        main: The task's headline; one metric has it.
        options: The metric's own options.
    """

    id: str
    column: str
    direction: Direction
    scale: float = 1.0
    main: bool = False
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingForm:
    """A way to train on a task other than by its own question and answer.

    Attributes:
        template: The question, over the sample's fields.
        answer: What is taught, over the fields and ``target``.
        against: A field that a second sample takes another sample's value in; none when empty.
        against_answer: The answer to that one.
    """

    template: str
    answer: str
    against: str = ""
    against_answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task.

    Attributes:
        answer: Template over ``target`` that writes the right answer as text (training, shots,
            majority).
        slices: Groups to report, as the reader names them.
        unit: What statistics resample; handed to the reader as its option ``unit``.
        options: Named options, with the value in force.
        training: Ways to train on it by name, the first by default; its own question when empty.
        variant: How it is asked otherwise, when it is.
        changed_by: Perturbations of the image that change the right answer.
        asked: What a run changed of how it is asked, such as ``{"shots": 3}``.
        source: The file it was read from.
    """

    id: str
    version: int
    title: str
    summary: str
    citation: str
    licence: str
    intended_use: str
    data: DataSpec
    prompt: PromptSpec
    ask: ChooseSpec | GenerateSpec | EmbedSpec
    answer: str
    metrics: tuple[MetricSpec, ...]
    unit: str
    slices: tuple[str, ...] = ()
    options: Mapping[str, NamedOption] = field(default_factory=dict)
    training: Mapping[str, TrainingForm] = field(default_factory=dict)
    variant: Variant | None = None
    changed_by: tuple[str, ...] = ()
    asked: Mapping[str, Json] = field(default_factory=dict)
    source: Path | None = None

    @property
    def question(self) -> str:
        """The template of the question, in the words of the variant."""
        if self.variant is None or self.variant.kind != "paraphrase":
            return self.prompt.template
        return self.prompt.rewordings[self.variant.number - 1]

    @property
    def name(self) -> str:
        """The id, with the variant where there is one."""
        return self.id if self.variant is None else f"{self.id}, {self.variant}"

    @property
    def shown_view(self) -> View:
        """How images are shown, perturbed where the variant says so."""
        variant, view = self.variant, self.prompt.view
        if variant is None or not variant.perturbs:
            return view
        return replace(view, perturbed=(variant.kind, variant.number))

    @property
    def main_metric(self) -> MetricSpec:
        """The task's headline metric."""
        return next(metric for metric in self.metrics if metric.main)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order they are asked; empty when the task is no choice."""
        if not isinstance(self.ask, ChooseSpec):
            return ()
        return tuple(sorted(self.ask.labels)) if self.ask.order == "sorted" else self.ask.labels


def fingerprint(value: Json) -> str:
    """Return the SHA-256 of a value's canonical JSON, as hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
