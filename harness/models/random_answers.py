"""The random baseline: scores and answers drawn uniformly, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from harness.descriptors import Json
from harness.models._baseline import Baseline, Result, as_label, unsupported
from harness.models.contract import TaskHandle
from harness.requests import Choose, Generate, Request, Scores, Text


class RandomAnswers(Baseline):
    """Draws a score an option, a label, or a point in the picture.

    A draw depends on the option ``seed``, the request's seed and the sample, never on the order of
    requests.
    """

    name = "random"

    def __init__(self, options: Mapping[str, Json], task: TaskHandle) -> None:
        self._seed = options.get("seed") or 0
        self._task = task
        self._labels: tuple[str, ...] | None = None

    def details(self) -> Mapping[str, Json]:
        """Return the seed."""
        return {"seed": self._seed}

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
        labels = self._drawable()
        target: Json = draw.choice(labels) if labels else [[draw.random(), draw.random()]]
        return Text(self._task.render_answer(target))

    def _drawable(self) -> tuple[str, ...]:
        """Return the labels to draw from: the task's, else the train split's; none for points."""
        if self._labels is None:
            found = self._task.options
            if not found:
                first = next(iter(self._task.train_samples()), None)
                if first is not None and as_label(first.target) is not None:
                    labels = (as_label(sample.target) for sample in self._task.train_samples())
                    found = tuple(sorted({label for label in labels if label is not None}))
            self._labels = found
        return self._labels
