"""How far a model's probabilities are from the shares of people's votes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError, UserError
from harness.metrics.classes import ratio

from harness_people_benchmarks.metrics.probability import probability_of

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="vote_cross_entropy",
        target="harness_people_benchmarks.metrics.votes:VoteCrossEntropy",
        summary="Mean cross-entropy of a model's probabilities against the shares of votes.",
        direction="lower",
        options=(
            Option(name="votes", default="votes", help="Field with a number of votes per label."),
            Option(
                name="single",
                default="drop",
                choices=("drop", "keep"),
                help="A label with a single vote counts as none, as in FER+, or as it is.",
            ),
            Option(
                name="least",
                type="float",
                default=1e-6,
                help="Probabilities below this count as this, so that no sample is infinite.",
            ),
        ),
    ),
)


class VoteCrossEntropy:
    """Mean over samples of ``-sum q ln p`` in nats, ``q`` the share of votes for each label.

    Labels stand in the order of the field's numbers. Models without log-probabilities have
    probabilities of 0 and 1, which cost ``-ln least`` a vote missed.
    """

    size = 2
    range = (0.0, None)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        if not labels:
            raise UserError("vote_cross_entropy needs the labels of a choice task", where="metrics")
        self._labels = tuple(labels)
        self._votes = str(options["votes"])
        self._fewest = 2.0 if options["single"] == "drop" else 0.0
        self._least = float(str(options["least"]))
        if not 0 < self._least < 1:
            raise UserError(f"{self._least:g} is no probability", where="option 'least'")

    def score(self, sample: ScoredSample) -> float:
        """Return one sample's cross-entropy.

        Raises:
            DataError: its votes are none, or not one number a label.
        """
        votes = sample.fields.get(self._votes)
        if not isinstance(votes, list) or len(votes) != len(self._labels):
            raise DataError(f"{len(self._labels)} numbers of votes were expected",
                            where=f"sample {sample.id!r}")  # fmt: skip
        counted = [float(str(number)) for number in votes]
        counted = [number if number >= self._fewest else 0.0 for number in counted]
        total = math.fsum(counted)
        if total <= 0:
            raise DataError("no vote counts", where=f"sample {sample.id!r}")
        shares = zip(self._labels, counted, strict=True)
        return -math.fsum(
            number / total * math.log(max(self._least, probability_of(sample, label)))
            for label, number in shares
            if number
        )

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return the cross-entropy at 0 and samples at 1."""
        return {0: self.score(sample), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean."""
        return ratio(totals[..., 0], totals[..., 1])
