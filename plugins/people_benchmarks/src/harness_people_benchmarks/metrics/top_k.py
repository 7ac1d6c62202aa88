"""Share of samples whose right answer is among the k options with the highest scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="top_k_accuracy",
        target="harness_people_benchmarks.metrics.top_k:TopK",
        summary="Share of samples whose right answer has one of the k highest scores.",
        options=(
            Option(
                name="k", type="int", default=5, help="Number of highest-scored options that count."
            ),
        ),
    ),
)


class TopK:
    """Top-k accuracy, in ``[0, 1]``; of ties those listed first stand first.

    Equals scikit-learn's ``top_k_accuracy_score`` without ties. An answer without scores counts
    when it is right.
    """

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._k = int(str(options["k"]))
        if self._k < 1:
            raise UserError(f"{self._k} is less than 1", where="option 'k'")

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers at 0 and samples at 1."""
        if sample.scores is None or sample.target not in sample.labels:
            return {0: float(sample.answer is not None and sample.answer == sample.target), 1: 1.0}
        at = sample.labels.index(str(sample.target))
        mine = sample.scores[at]
        before = sum(
            score > mine or (score == mine and position < at)
            for position, score in enumerate(sample.scores)
        )
        return {0: float(before < self._k), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return right answers over samples."""
        return ratio(totals[..., 0], totals[..., 1])
