"""F1 over all answers (micro) and averaged over classes (macro)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor
from harness.metrics.classes import ABSENT_CLASS, Classes, absent_class, mean_of_classes, ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="f1_micro",
        target="harness_benchmarks.metrics.f1:F1Micro",
        summary="F1 over all answers together; equals accuracy with one answer a sample.",
    ),
    MetricDescriptor(
        id="f1_macro",
        target="harness_benchmarks.metrics.f1:F1Macro",
        summary="Mean over classes of F1.",
        options=(ABSENT_CLASS,),
    ),
)


class F1Micro:
    """``2 TP / (answers + samples)`` over all classes together.

    With one answer per sample that equals accuracy, as HaGRID's run.py reports it (torchmetrics'
    ``F1Score(task="multiclass")``, whose default average is micro). An unparsed answer counts as
    an answer of no class: it is wrong, it does not vanish.
    """

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options
        self._classes = Classes(labels)

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return true positives at 0 and answers (equal to samples) at 1."""
        right = self._classes.target(sample) == self._classes.answer(sample)
        return {0: float(right), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return micro F1."""
        return ratio(2 * totals[..., 0], 2 * totals[..., 1])


class F1Macro:
    """Mean over classes of ``2 TP / (answers of the class + samples of the class)``.

    Equals scikit-learn's ``f1_score(average="macro")``. A class that neither a target nor an
    answer names leaves the mean, or counts as 0 with the option ``absent_class=zero``.
    """

    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._classes = Classes(labels)
        self._absent = absent_class(options)
        self.size = 2 * len(self._classes)

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return true positives of class k at 2k; answers plus samples of class k at 2k + 1."""
        target, answer = self._classes.target(sample), self._classes.answer(sample)
        if answer == target:
            return {2 * target: 1.0, 2 * target + 1: 2.0}
        totals = {2 * target + 1: 1.0}
        if answer is not None:
            totals[2 * answer + 1] = 1.0
        return totals

    def finalize(self, totals: Floats) -> Floats:
        """Return macro F1."""
        return mean_of_classes(ratio(2 * totals[..., 0::2], totals[..., 1::2]), self._absent)
