"""The model contract: a light identity first, weights only when something is to be answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from harness.arguments import Device, Several, Threads, check_fields
from harness.descriptors import Json, Offer
from harness.requests import AnnotatorAnswer, Choose, Embed, Generate, Request, Response
from harness.samples import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """How a model runs on this machine.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``auto`` (as the checkpoint's config says), ``float32``, ``bfloat16``, ``float16``.
        batch_size: Requests a forward pass takes at most; ``None`` lets the model choose.
        deterministic: Fixed shapes, so that records are byte-equal at any batch size.
        cache: Folder for features of frozen encoders, which later runs reuse.
        kv_budget: Maximum bytes of KV cache; ``None`` leaves it to the model.
        threads: PyTorch threads on CPU: a number, ``auto`` (by the model's size and the machine's
            load), or ``None`` to change nothing.
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
    """An answerer that may report how its answers were computed."""

    def notes(self) -> list[str]:
        """Return notes for readers of the record; each is printed once and recorded."""
        ...


@runtime_checkable
class PreparesImages(Protocol):
    """An answerer that can process the images of a block ahead of time."""

    def prepare(self, requests: Sequence[Request]) -> None:
        """Start the work that depends on images only, in background threads, and return at once.

        Called from the thread that opens images, with requests of a later ``answer``. ``answer``
        may also come without this call, and no number depends on it. Its memory must be bounded.
        """
        ...


@runtime_checkable
class HasSize(Protocol):
    """An answerer that knows the size of its model, from which the harness derives its threads."""

    def parameters(self) -> int:
        """Return the number of the model's weights."""
        ...


@runtime_checkable
class HasWeights(Protocol):
    """A model that knows the size of its weights before they are loaded; the plan prints it."""

    def weight_bytes(self, runtime: Runtime) -> int | None:
        """Return the bytes that the weights take in memory, or ``None`` if unknown."""
        ...


@runtime_checkable
class ChecksItself(Protocol):
    """An answerer that checks its first answers of a task, and computes them another way if needed.

    All workers of an evaluation must compute the same way: one of them runs the check, and the
    others adopt its verdict.
    """

    def verdict(self, task: str) -> Mapping[str, Json] | None:
        """Return the verdict of the check as plain data; ``None`` before the check has run."""
        ...

    def adopt(self, task: str, verdict: Mapping[str, Json], *, settled: bool) -> None:
        """Use this verdict for a task instead of running the check.

        Args:
            task: The task's id.
            verdict: Verdict of another worker, on this task or on the previous one.
            settled: Whether it is of this task, which then needs no check.
        """
        ...


@runtime_checkable
class StandsForAnnotators(Protocol):
    """An answerer that returns the annotators' own labels; it receives no request."""

    def annotators(self, sample: Sample) -> Sequence[AnnotatorAnswer]:
        """Return each annotator's answer with those of the others; empty for fewer than two."""
        ...


class Model(Protocol):
    """A configured model whose weights are not loaded yet."""

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        """Return everything that can change this model's numbers, as plain data.

        It holds weight hash or revision, image processor, template, resolved dtype and options; its
        hash is the model's fingerprint. The call loads no weights and does not import torch.

        Raises:
            UserError: when the checkpoint is missing or belongs to another model.
        """
        ...

    def load(self, runtime: Runtime) -> Answerer:
        """Load the weights.

        Raises:
            UserError: when they cannot be loaded, or the device is not available.
        """
        ...


class Trainable(Model, Protocol):
    """A model that offers ``train`` (gradients for its weights) or ``hidden`` (its hidden states).

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
    """A model that offers ``tower``: its vision tower can be loaded by itself and probed."""

    def load_tower(self, runtime: Runtime) -> tuple[Any, Callable[[Sequence[Any]], object]]:
        """Load the vision tower; return it and a function that runs it on images as the model does.

        The first is a ``torch.nn.Module`` with a stack of transformer blocks. The second takes
        :class:`harness.samples.images.LoadedImage` objects; its return value is ignored.

        Raises:
            UserError: this checkpoint has no separate vision tower.
        """
        ...


OFFERED_METHODS: Mapping[Offer, str] = {
    "train": "load_model",
    "hidden": "load_model",
    "tower": "load_tower",
}
"""Further methods of a model besides those of :class:`Model`, by what its descriptor offers."""


@runtime_checkable
class RefusesTasks(Protocol):
    """A model that cannot answer every task of its capabilities, by its options or its data."""

    def refuses(self, want: Choose | Generate | Embed) -> str:
        """Return why it cannot answer a task, empty when it can; the plan says so.

        It may read the train split and loads no weights.

        Args:
            want: What the task asks for, as in :class:`TellsUnused`.

        Raises:
            UserError: data that it needs are missing or damaged.
        """
        ...


@runtime_checkable
class TellsUnused(Protocol):
    """A model with options that only some kinds of task use."""

    def unused(self, want: Choose | Generate | Embed) -> Sequence[str]:
        """Return given options that change no answer to a task, each as ``NAME (WHY NOT)``.

        The plan, the record and the table say so.

        Args:
            want: What the task asks for; options and texts may depend on the sample and be empty.
        """
        ...


class TaskHandle(Protocol):
    """What a baseline may use of a task: its labels and its train split.

    ``samples`` serves no baseline: only annotators' labels and the ids of recorded answers.
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
