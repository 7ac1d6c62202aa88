"""Accuracy where a question has an answer, for tasks in which to abstain may be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError, unknown
from harness.metrics.classes import ratio

from harness_claims.probabilities import is_right

if TYPE_CHECKING:
    from harness.metrics import ScoredSample
    from harness.stats.types import Floats

_ABSTAIN = Option(
    name="abstain", default="cannot tell", help="The label that says that nobody can tell."
)
DESCRIPTORS = (
    MetricDescriptor(
        id="answerable_accuracy",
        target="harness_claims.metrics.abstention:AnswerableAccuracy",
        summary="Accuracy on samples whose right answer is not to abstain.",
        options=(_ABSTAIN,),
    ),
    MetricDescriptor(
        id="abstention_accuracy",
        target="harness_claims.metrics.abstention:AbstentionAccuracy",
        summary="Share of the samples that nobody can answer on which the model abstains.",
        options=(_ABSTAIN,),
    ),
)


class AnswerableAccuracy:
    """Right answers over samples that have one; to abstain there is wrong."""

    size = 2
    proportion = True
    range = (0.0, 1.0)
    answerable = True
    undefined = "the right answer of each is to abstain"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._abstain = str(options["abstain"])
        if not labels:
            raise UserError("abstention needs the labels of a choice task")
        if self._abstain not in labels:
            raise unknown("label", self._abstain, labels, where="option 'abstain'")

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers at 0 and samples at 1; nothing for samples of the other kind."""
        if (sample.target != self._abstain) is not self.answerable:
            return {}
        return {0: float(is_right(sample)), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return right answers over samples; NaN without any."""
        return ratio(totals[..., 0], totals[..., 1])


class AbstentionAccuracy(AnswerableAccuracy):
    """Abstentions over samples whose right answer is to abstain."""

    answerable = False
    undefined = "the right answer of none is to abstain"
