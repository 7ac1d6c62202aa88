"""What metrics of class labels share: positions of labels, and means that may leave some out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from harness.descriptors import Json, Option
from harness.errors import DataError, UserError, unknown

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

ABSENT_CLASS = Option(
    name="absent_class",
    default="leave_out",
    choices=("leave_out", "zero"),
    help="Leave a class without samples out of the mean over classes, or count it as 0.",
)


Absent = Literal["leave_out", "zero"]


class Classes:
    """A task's labels and their positions.

    Raises:
        UserError: when the task has no labels.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        if not labels:
            raise UserError("this metric needs the labels of a choice task", where="metrics")
        self.labels = tuple(labels)
        self._places = {label: place for place, label in enumerate(self.labels)}

    def __len__(self) -> int:
        return len(self.labels)

    def target(self, sample: ScoredSample) -> int:
        """Return the position of a sample's right label; DataError when it is not a label."""
        code = self._places.get(sample.target) if isinstance(sample.target, str) else None
        if code is None:
            raise DataError(
                f"the target {sample.target!r} is not among the task's labels",
                where=f"sample {sample.id!r}",
            )
        return code

    def answer(self, sample: ScoredSample) -> int | None:
        """Return the position of a sample's answer; ``None`` when it names no label."""
        return self._places.get(sample.answer) if isinstance(sample.answer, str) else None

    def place(self, label: str) -> int:
        """Return a label's position; UserError when it is not one."""
        if label not in self._places:
            raise unknown("label", label, self.labels, where="option 'label'")
        return self._places[label]


def absent_class(options: Mapping[str, Json]) -> Absent:
    """Return the option ``absent_class``; UserError for another value."""
    value = options["absent_class"]
    if value == "leave_out":
        return "leave_out"
    if value == "zero":
        return "zero"
    raise unknown("value", str(value), ("leave_out", "zero"), where="option 'absent_class'")


def ratio(above: Floats, below: Floats) -> Floats:
    """Return ``above / below``; NaN where ``below`` is 0."""
    import numpy as np

    quotient = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def mean_of_classes(values: Floats, absent: Absent) -> Floats:
    """Return the mean over the last axis, where NaN marks a class that is not there.

    Args:
        values: ``(..., classes)``.
        absent: ``leave_out`` takes the mean over the classes that are there (NaN when none is),
            ``zero`` counts the others as 0.
    """
    import numpy as np

    defined = ~np.isnan(values)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    if absent == "zero":
        return np.asarray(total / values.shape[-1], dtype=np.float64)
    return ratio(total, defined.sum(axis=-1).astype(np.float64))
