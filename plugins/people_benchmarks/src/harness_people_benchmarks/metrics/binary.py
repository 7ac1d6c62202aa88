"""Precision and F1 of one label, as for yes among yes and no (POPE)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import unknown
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

_LABEL = Option(name="label", default="yes", help="The label that counts as positive.")
DESCRIPTORS = (
    MetricDescriptor(
        id="precision",
        target="harness_people_benchmarks.metrics.binary:Precision",
        summary="Share of one label's answers that are right.",
        options=(_LABEL,),
    ),
    MetricDescriptor(
        id="f1",
        target="harness_people_benchmarks.metrics.binary:F1",
        summary="Harmonic mean of one label's precision and recall.",
        options=(_LABEL,),
    ),
)


class Precision:
    """Right answers of one label over its answers; NaN when it is never answered.

    Equals scikit-learn's ``precision_score`` for that label.
    """

    size = 3
    range = (0.0, 1.0)
    undefined = "the label is never answered"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._label = str(options["label"])
        if labels and self._label not in labels:
            raise unknown("label", self._label, labels, where="option 'label'")

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers at 0, answers at 1 and samples of the label at 2."""
        answered, meant = sample.answer == self._label, sample.target == self._label
        return {0: float(answered and meant), 1: float(answered), 2: float(meant)}

    def finalize(self, totals: Floats) -> Floats:
        """Return right answers over answers."""
        return ratio(totals[..., 0], totals[..., 1])


class F1(Precision):
    """``2 right / (answers + samples)`` of one label; equals scikit-learn's ``f1_score``."""

    undefined = "the label is neither answered nor right"

    def finalize(self, totals: Floats) -> Floats:
        """Return the harmonic mean of precision and recall."""
        return ratio(2 * totals[..., 0], totals[..., 1] + totals[..., 2])
