"""Accuracy, recall of one class, and their mean over classes; an unparsed answer is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ABSENT_CLASS, Classes, absent_class, mean_of_classes, ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="accuracy", target="harness.metrics.accuracy:Accuracy", summary="Share of right answers."
    ),
    MetricDescriptor(
        id="mean_class_accuracy",
        target="harness.metrics.accuracy:MeanClassAccuracy",
        summary="Mean over classes of the share of right answers (mean recall).",
        options=(ABSENT_CLASS,),
    ),
    MetricDescriptor(
        id="recall",
        target="harness.metrics.accuracy:Recall",
        summary="Share of one class's samples answered right.",
        options=(Option(name="label", help="Class whose recall is measured."),),
    ),
)


class Accuracy:
    """Share of right answers: answer equal to target, in ``[0, 1]``."""

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options, labels

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers at 0 and answers at 1."""
        return {0: float(_right(sample)), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return right answers over answers."""
        return ratio(totals[..., 0], totals[..., 1])


class MeanClassAccuracy:
    """Mean over classes of the share of a class's samples answered right (balanced accuracy).

    Equals scikit-learn's ``balanced_accuracy_score``. A class without samples leaves the mean, or
    counts as 0 with the option ``absent_class=zero``.
    """

    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._classes = Classes(labels)
        self._absent = absent_class(options)
        self.size = 2 * len(self._classes)

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers of class k at 2k and samples of class k at 2k + 1."""
        at = 2 * self._classes.target(sample)
        return {at: float(_right(sample)), at + 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean recall."""
        return mean_of_classes(ratio(totals[..., 0::2], totals[..., 1::2]), self._absent)


class Recall:
    """Share of one class's samples answered right; the class is the option ``label``.

    Equals scikit-learn's ``recall_score`` for that class; NaN when no sample has it.
    """

    size = 2
    proportion = True
    range = (0.0, 1.0)
    undefined = "no sample has the label"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._classes = Classes(labels)
        label = options.get("label")
        if label is None:
            raise UserError("the metric recall needs the option 'label'", where="metrics")
        self._place = self._classes.place(str(label))

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers at 0 and samples at 1; nothing for other classes."""
        if self._classes.target(sample) != self._place:
            return {}
        return {0: float(_right(sample)), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the class's recall."""
        return ratio(totals[..., 0], totals[..., 1])


def _right(sample: ScoredSample) -> bool:
    if isinstance(sample.answer, str) and isinstance(sample.target, int | float):
        problem = f"the right answer of {sample.id!r} is the number {sample.target}, not a text"
        raise UserError(problem, fix="write it as text in the data, or choose among labels")
    return sample.answer is not None and sample.answer == sample.target
