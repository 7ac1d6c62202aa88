"""The random baseline: scores and answers drawn uniformly, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import chain
from random import Random

from harness.descriptors import Json
from harness.models._baseline import (
    NO_SAMPLES,
    OTHER_ANSWERS,
    Baseline,
    Result,
    as_label,
    as_points,
    unsupported,
)
from harness.models.contract import TaskHandle
from harness.requests import Choose, Embed, Generate, Request, Scores, Text


class RandomAnswers(Baseline):
    """Draws a score an option, a label, or a point in the image.

    A draw depends on the option ``seed``, the request's seed and the sample, never on the order of
    requests.
    """

    name = "random"

    def __init__(self, options: Mapping[str, Json], task: TaskHandle) -> None:
        self._seed = options["seed"]
        self._task = task

    def details(self) -> Mapping[str, Json]:
        """Return the seed."""
        return {"seed": self._seed}

    def refuses(self, want: Choose | Generate | Embed) -> str:
        """Return why there is nothing to draw a written answer from, empty when there is."""
        return self._drawable[1] if isinstance(want, Generate) else ""

    def replier(self) -> Callable[[Request], Result]:
        """Return the function that draws."""
        return self._reply

    def _reply(self, request: Request) -> Result:
        # Random() hashes a text seed with SHA-512: equal on every machine and in every process.
        draw = Random(f"{self._seed}|{request.seed}|{request.task}|{request.sample}")
        if isinstance(request.want, Choose):
            return Scores("similarity", tuple(draw.random() for _ in request.want.options))
        if not isinstance(request.want, Generate):
            return unsupported(self.name)
        labels, _ = self._drawable
        target: Json = draw.choice(labels) if labels else [[draw.random(), draw.random()]]
        return Text(self._task.render_answer(target))

    @cached_property
    def _drawable(self) -> tuple[tuple[str, ...], str]:
        """Return labels to draw from, the task's or the train split's, or why there is nothing.

        There are no labels where answers are points.
        """
        if self._task.options:
            return self._task.options, ""
        targets = (sample.target for sample in self._task.train_samples())
        first = next(targets, None)
        if as_label(first) is not None:
            labels = (as_label(target) for target in chain([first], targets))
            return tuple(sorted({label for label in labels if label is not None})), ""
        why = NO_SAMPLES if first is None else OTHER_ANSWERS
        return (), "" if as_points(first) else why
