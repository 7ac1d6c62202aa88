"""The model contract: a light identity first, weights only when something is to be answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from harness.arguments import Device, Several, Threads, check_fields
from harness.descriptors import Capability, Json, Offer
from harness.requests import AnnotatorAnswer, Request, Response
from harness.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How a model runs on this machine.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``auto`` (as the checkpoint's config says), ``float32``, ``bfloat16``, ``float16``.
        batch_size: Requests a forward pass takes at most; ``None`` lets the model choose.
        deterministic: Fixed shapes, so that records are byte-equal at any batch size.
        cache: Folder for what is worth keeping between runs (features of frozen encoders).
        kv_budget: Maximum bytes of KV cache; ``None`` leaves it to the model.
        threads: Threads of PyTorch on a CPU: a number, ``auto`` (by the model's size and what else
            runs), or ``None`` to leave number and waiting as they are.
    """

    device: Device = "auto"
    dtype: str = "auto"
    batch_size: Several | None = None
    deterministic: bool = False
    cache: Path | None = None
    kv_budget: int | None = None
    threads: Threads | Literal["auto"] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


class Answerer(Protocol):
    """A loaded model."""

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        """Answer one block of requests, in any order, with one response per request.

        A request that cannot be answered gets ``Failed``, not an exception: an exception ends the
        task. The caller passes whole blocks and never mixes two.
        """
        ...

    def close(self) -> None:
        """Free what was loaded."""
        ...


@runtime_checkable
class TakesNotes(Protocol):
    """An answerer that may have something to say of how its answers were computed."""

    def notes(self) -> list[str]:
        """Return what whoever reads the record should know; printed once, and recorded."""
        ...


@runtime_checkable
class PreparesImages(Protocol):
    """An answerer that can begin with the images of a block before it is asked."""

    def prepare(self, requests: Sequence[Request]) -> None:
        """Begin with what is computed of images alone, in threads of its own, and return at once.

        Called from the thread that opens images, with requests that a later ``answer`` brings. That
        may also come without this, and no number depends on it. Memory for it must be bounded.
        """
        ...


@runtime_checkable
class HasSize(Protocol):
    """An answerer that knows how large its model is, which tells how many threads it can use."""

    def parameters(self) -> int:
        """Return the number of the model's weights."""
        ...


@runtime_checkable
class HasWeights(Protocol):
    """A model that knows the size of its weights before they are loaded; the plan says it."""

    def weight_bytes(self, runtime: Runtime) -> int | None:
        """Return the bytes that the weights take in memory, or ``None`` when files do not tell."""
        ...


@runtime_checkable
class ChecksItself(Protocol):
    """An answerer that checks itself on a task's first answers, and computes otherwise if it must.

    Several workers of one evaluation must compute alike: one of them makes the check, and the
    others adopt what it found.
    """

    def verdict(self, task: str) -> Mapping[str, Json] | None:
        """Return what the check found, as plain data; ``None`` while it is still to be made."""
        ...

    def adopt(self, task: str, verdict: Mapping[str, Json], *, settled: bool) -> None:
        """Answer a task as one whose check found this.

        Args:
            task: The task's id.
            verdict: What was found, on this task or on the one before it.
            settled: Whether it was found on this task, which needs no check then.
        """
        ...


@runtime_checkable
class StandsForAnnotators(Protocol):
    """An answerer in the place of the people who annotated a release; it is asked nothing."""

    def annotators(self, sample: Sample) -> Sequence[AnnotatorAnswer]:
        """Return each annotator's answer with what the others say; empty for fewer than two."""
        ...


class Model(Protocol):
    """A model that is known but not loaded."""

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change this model's numbers, as plain data.

        Weight hash or revision, image processor, template, resolved dtype, options. Its hash is the
        model's fingerprint. Loads no weight and imports no torch.

        Raises:
            UserError: when the checkpoint is not there or not this model's.
        """
        ...

    def load(self, runtime: Runtime) -> Answerer:
        """Load the weights.

        Raises:
            UserError: when they cannot be loaded, or the device is not there.
        """
        ...


class Trainable(Model, Protocol):
    """A model that offers ``train`` (its weights take gradients) or ``hidden`` (its states show).

    Example::

        class Mine:
            def load_model(self, runtime: Runtime) -> VisionLanguageModel:
                return MyModel(...)  # a subclass of harness.engine.contract.VisionLanguageModel
    """

    def load_model(self, runtime: Runtime) -> Any:
        """Load the weights; return a :class:`harness.engine.contract.VisionLanguageModel`.

        A model that offers ``vectors`` returns a ``harness_training.pairs.PairEncoder``.

        Raises:
            UserError: when they cannot be loaded, or this checkpoint cannot be trained.
        """
        ...


class HasTower(Model, Protocol):
    """A model that offers ``tower``: its vision tower can be taken out and probed."""

    def load_tower(self, runtime: Runtime) -> tuple[Any, Callable[[Sequence[Any]], object]]:
        """Load the vision tower; return it, and what runs it on images as the model does.

        The first is a ``torch.nn.Module`` with a stack of transformer blocks. The second takes
        :class:`harness.samples.images.LoadedImage` objects; what it returns is not used.

        Raises:
            UserError: this checkpoint has none that can be taken out.
        """
        ...


OFFERED_METHODS: Mapping[Offer, str] = {
    "train": "load_model",
    "hidden": "load_model",
    "tower": "load_tower",
}
"""Methods that a model has beside those of :class:`Model`, by what its descriptor offers."""


@runtime_checkable
class MayRefuse(Protocol):
    """A model of one task (``needs_task``) that may find that it cannot answer it."""

    def refusal(self, needed: Capability) -> str:
        """Return why it cannot answer its task, empty when it can; asked while a run is planned.

        May read the train split. Loads no weight.

        Args:
            needed: What the task asks for.

        Raises:
            UserError: data or a file that it needs are missing or damaged.
        """
        ...


class TaskHandle(Protocol):
    """What a baseline may know of a task: its labels and its train split.

    ``samples`` is for what stands for the evaluated split's annotators; a baseline never looks.
    """

    @property
    def id(self) -> str:
        """The task's id."""
        ...

    @property
    def options(self) -> tuple[str, ...]:
        """Labels of a choice task in the spec's order; empty for other tasks."""
        ...

    def train_samples(self) -> Iterator[Sample]:
        """Yield the train split."""
        ...

    def samples(self) -> Iterator[Sample]:
        """Yield the evaluated split, with its right answers."""
        ...

    def render_answer(self, target: Json) -> str:
        """Return a target as the text a model would have to write."""
        ...
