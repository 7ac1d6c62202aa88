"""The majority baseline: the train split's most frequent label, or its mean point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
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


class Majority(Baseline):
    """Answers every question as the train split is mostly answered.

    Equally frequent labels: the one the task lists first. Several people's answers count as the
    most frequent of them. Points: the mean over samples of the mean over their annotators.
    """

    name = "majority"

    def __init__(self, options: Mapping[str, Json], task: TaskHandle) -> None:
        del options
        self._task = task

    def refuses(self, want: Choose | Generate | Embed) -> str:
        """Return why the train split has no most frequent answer, empty when it has one."""
        del want
        return self._answer[1]

    def replier(self) -> Callable[[Request], Result]:
        """Read the train split and return the function that repeats its answer.

        Raises:
            UserError: when the train split has no sample, or answers of another kind.
        """
        target, why = self._answer
        if why:
            raise UserError(f"the majority baseline cannot answer: {why}", where=self._task.id)
        text = self._task.render_answer(target)
        labels = self._task.options

        def reply(request: Request) -> Result:
            if isinstance(request.want, Choose):
                index = labels.index(target) if target in labels else -1
                return Scores(
                    "label", tuple(float(k == index) for k in range(len(request.want.options)))
                )
            return Text(text) if isinstance(request.want, Generate) else unsupported("majority")

        return reply

    @cached_property
    def _answer(self) -> tuple[Any, str]:
        return _most_common(self._task)


def _most_common(task: TaskHandle) -> tuple[Any, str]:
    """Return the train split's most frequent answer, or why there is none."""
    counts: Counter[str] = Counter()
    across = down = 0.0
    samples = 0
    for sample in task.train_samples():
        samples += 1
        label = as_label(sample.target)
        if label is not None:
            counts[label] += 1
            continue
        points = as_points(sample.target)
        if not points:
            return None, OTHER_ANSWERS
        across += sum(x for x, _ in points) / len(points)
        down += sum(y for _, y in points) / len(points)
    if not samples:
        return None, NO_SAMPLES
    if not counts:
        return [[across / samples, down / samples]], ""
    order = {label: place for place, label in enumerate(task.options)}
    listed = {label: count for label, count in counts.items() if not order or label in order}
    if not listed:
        return None, "its train split holds none of its labels"
    return min(listed, key=lambda label: (-listed[label], order.get(label, 0), label)), ""
