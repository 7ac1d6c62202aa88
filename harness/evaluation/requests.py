"""From samples to requests: images opened once, prompts rendered, faults noted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from harness.errors import SampleError
from harness.evaluation.images import Opened, Opener, open_images
from harness.evaluation.task import Task
from harness.requests import Choose, Embed, Generate, Reasoning, Request, Turn
from harness.requests.reasoning import AUTO
from harness.runs.sample_record import ImageFile, SentPrompt
from harness.samples import Sample
from harness.samples.images import LoadedImage, OpenImage, open_image
from harness.samples.limits import MAX_PIXELS
from harness.samples.perturbed import refuse_moved
from harness.samples.views import apply_view
from harness.specs import ChooseSpec, GenerateSpec, TaskSpec
from harness.specs.prompt import Shot, build_turns, options_as_sent, texts_to_embed

NOT_THERE = "samples whose image is not there, answered by what opens none"


@dataclass(slots=True)
class PreparedSample:
    """A sample with its request, or with the fault that kept it from being asked.

    Attributes:
        images: Hash, width and height of each image that was opened, as they stand in the record.
        shown: Width and height in pixels of the first image as the view shows it.
        sent: The prompt, where it is to stand in the record.
    """

    sample: Sample
    request: Request | None = None
    images: tuple[ImageFile, ...] = ()
    error: SampleError | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[int, int] | None = None
    sent: SentPrompt | None = None


@dataclass(frozen=True, slots=True)
class RequestMaker:
    """Turns blocks of samples into requests.

    Attributes:
        opens_images: False when neither the model nor a metric needs them.
        seed: The run's seed; a request's own seed depends on it and on the sample's id alone.
        opening: Opens an image, within the run's limit of pixels.
        shots: Opens the few-shot examples shown before each question.
        reasoning: What becomes of reasoning before a written answer, where the task does not say.
        keep_prompts: Keep each prompt for the sample's record.
    """

    task: Task
    opens_images: bool = True
    seed: int = 0
    opening: OpenImage = open_image
    shots: Callable[[], tuple[Shot, ...]] = tuple
    reasoning: Reasoning = AUTO
    keep_prompts: bool = False

    def block(self, samples: list[Sample], opener: Opener = open_images) -> list[PreparedSample]:
        """Return one entry per sample, in order; ``opener`` opens their images."""
        if self.opens_images:
            images = opener(samples, self.task.spec.shown_view, self.opening)
        else:
            images = [Opened(notes=note) for note in map(_absent, samples)]
        return [self._one(*pair) for pair in zip(samples, images, strict=True)]

    def _one(self, sample: Sample, opened: Opened) -> PreparedSample:
        prepared = PreparedSample(
            sample,
            images=tuple(opened.files),
            error=opened.error if sample.fault is None else sample.fault.error(),
            notes={**sample.notes, **opened.notes},
            shown=opened.shown[0].pixels.size if opened.shown else None,
        )
        if prepared.error is not None:
            return prepared
        try:
            turns = build_turns(self.task.spec, sample, tuple(opened.shown), self.shots())
            want = wanted(self.task.spec, sample)
            if lacking := [name for name in self.task.spec.data.keep if name not in sample.fields]:
                raise SampleError("field_missing", f"the sample has no field {lacking[0]!r}")
            self._refuse_moved(sample, turns, want)
        except SampleError as error:
            prepared.error = error
            return prepared
        prepared.request = Request(
            id=sample.id,
            sample=sample.id,
            task=self.task.id,
            turns=turns,
            want=want,
            seed=request_seed(self.seed, self.task.id, sample.id),
            reasoning=self.reasoning.over(task_reasoning(self.task.spec)),
        )
        if _is_shot(sample, turns):
            note = "asked although a few-shot example shows the same, with its answer"
            prepared.notes = {**prepared.notes, note: 1}
        if self.keep_prompts:
            prepared.sent = sent_prompt(prepared.request)
        return prepared

    def _refuse_moved(
        self, sample: Sample, turns: Sequence[Turn], want: Choose | Generate | Embed
    ) -> None:
        """Refuse a question whose answer the variant's perturbation may change."""
        variant = self.task.spec.variant
        if variant is not None and variant.perturbs:
            options = want.options if isinstance(want, Choose) else ()
            refuse_moved(variant.kind, [*(turn.text for turn in turns), *options], sample.target)


def _absent(sample: Sample) -> dict[str, int]:
    """Return a note on missing images, for models that are asked without opening them."""
    roots = ((ref.root, ref.name) for ref in sample.images if ref.data is None and not ref.load)
    is_whole = all(root is None or root.is_file(name) for root, name in roots)
    return {} if is_whole else {NOT_THERE: 1}


def pixel_bytes(block: Iterable[PreparedSample]) -> int:
    """Return the bytes that the opened images of a block take; each distinct one once."""
    requests = (asked.request for asked in block if asked.request is not None)
    images = {image.key: image for request in requests for image in request.images}
    return sum(3 * image.pixels.width * image.pixels.height for image in images.values())


def sent_prompt(request: Request) -> SentPrompt:
    """Return a request's texts as a record keeps them; its images stand in the record already."""
    want = request.want
    options = (
        want.options if isinstance(want, Choose) else want.texts if isinstance(want, Embed) else ()
    )
    return SentPrompt(tuple((turn.role, turn.text) for turn in request.turns), tuple(options))


def open_sample(spec: TaskSpec, sample: Sample, max_pixels: int = MAX_PIXELS) -> list[LoadedImage]:
    """Return a sample's images as the task's view shows them.

    Raises:
        SampleError: when one cannot be opened or shown, or the sample has a fault of its own.
    """
    return shown_images(spec, sample, partial(open_image, max_pixels=max_pixels))


def shown_images(spec: TaskSpec, sample: Sample, opening: OpenImage) -> list[LoadedImage]:
    """Return what :func:`open_sample` returns, each image opened as the run opens them."""
    if sample.fault is not None:
        raise sample.fault.error()
    opened = (opening(ref) for ref in sample.images)
    return [apply_view(image, spec.prompt.view, sample.boxes) for image in opened]


def wanted(spec: TaskSpec, sample: Sample | None) -> Choose | Generate | Embed:
    """Return what a task wants to know of a sample; of none, without its options or texts.

    Raises:
        SampleError: the sample lacks a field that the options or texts name.
    """
    if isinstance(spec.ask, ChooseSpec):
        options = () if sample is None else options_as_sent(spec, sample)
        return Choose(options, match=spec.ask.match)
    if isinstance(spec.ask, GenerateSpec):
        return Generate(spec.ask.max_new_tokens, spec.ask.stop, spec.ask.temperature)
    return Embed() if sample is None else Embed(texts_to_embed(spec, sample))


def task_reasoning(spec: TaskSpec) -> Reasoning:
    """Return what a task says of reasoning in its written answers."""
    return spec.ask.reasoning if isinstance(spec.ask, GenerateSpec) else AUTO


def _is_shot(sample: Sample, turns: Sequence[Turn]) -> bool:
    """Whether one of the few-shot examples has the text and the images of the question itself."""
    *before, question = [(turn.role, turn.text, [one.key for one in turn.images]) for turn in turns]
    return question in before and bool(turns[-1].images or not sample.images)


def request_seed(seed: int, task: str, sample: str) -> int:
    """Return a 63-bit seed that depends on names alone, never on order."""
    digest = hashlib.blake2b(f"{seed}|{task}|{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
