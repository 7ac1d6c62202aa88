"""The majority baseline: the train split's most frequent label, or its mean point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.models._baseline import Baseline, Result, as_label, unsupported
from harness.models.contract import TaskHandle
from harness.requests import Choose, Generate, Request, Scores, Text


class Majority(Baseline):
    """Answers every question as the train split is mostly answered.

    Equally frequent labels: the one the task lists first. Several people's answers count as the
    most frequent of them. Points: the mean over samples of the mean over their annotators.
    """

    name = "majority"

    def __init__(self, options: Mapping[str, Json], task: TaskHandle) -> None:
        del options
        self._task = task

    def replier(self) -> Callable[[Request], Result]:
        """Read the train split and return the function that repeats its answer.

        Raises:
            UserError: when the train split has no sample, or answers of another kind.
        """
        target = _most_common(self._task)
        text = self._task.render_answer(target)
        labels = self._task.options

        def reply(request: Request) -> Result:
            if isinstance(request.want, Choose):
                place = labels.index(target) if target in labels else -1
                return Scores(
                    "label", tuple(float(k == place) for k in range(len(request.want.options)))
                )
            return Text(text) if isinstance(request.want, Generate) else unsupported("majority")

        return reply


def _most_common(task: TaskHandle) -> Any:
    counts: Counter[str] = Counter()
    across = down = 0.0
    samples = 0
    for sample in task.train_samples():
        samples += 1
        label = as_label(sample.target)
        if label is not None:
            counts[label] += 1
            continue
        points = _points(sample.target)
        if not points:
            raise UserError(
                "the majority baseline knows labels and points only", where=f"task {task.id!r}"
            )
        across += sum(x for x, _ in points) / len(points)
        down += sum(y for _, y in points) / len(points)
    if not samples:
        raise UserError("the train split has no samples", where=f"task {task.id!r}")
    if not counts:
        return [[across / samples, down / samples]]
    order = {label: place for place, label in enumerate(task.options)}
    known = {label: count for label, count in counts.items() if not order or label in order}
    if not known:
        raise UserError(
            "the train split holds none of the task's labels", where=f"task {task.id!r}"
        )
    return min(known, key=lambda label: (-known[label], order.get(label, 0), label))


def _points(target: Json) -> list[tuple[float, float]]:
    found = []
    for point in target if isinstance(target, list) else []:
        if isinstance(point, list) and len(point) == 2:
            x, y = point
            if isinstance(x, int | float) and isinstance(y, int | float):
                found.append((float(x), float(y)))
    return found
