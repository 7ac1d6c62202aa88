"""Probabilities against the right answer and against annotators' votes: means over samples."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ratio

from harness_claims.probabilities import (
    floored_probabilities,
    is_right,
    log_probabilities,
    probabilities,
    target_place,
    votes_of,
)

if TYPE_CHECKING:
    from harness.metrics import ScoredSample
    from harness.stats.types import Floats

_VOTES = Option(
    name="votes", default="votes", help="Field of the sample with the votes; keep it (data.keep)."
)


def _single(default: str) -> Option:
    return Option(
        name="single",
        default=default,
        choices=("keep", "drop"),
        help="A label with a single vote has it, or counts as one without, as in FER+.",
    )


def _least(default: float | None) -> Option:
    return Option(
        name="least",
        type="float",
        default=default,
        help="Probabilities below count as this, and a model without log-probabilities has 0 and 1;"
        " unset, log-probabilities are needed and nothing is cut.",
    )


DESCRIPTORS = (
    MetricDescriptor(
        id="brier",
        target="harness_claims.metrics.votes:Brier",
        summary="Mean squared distance of the probabilities to the right answer, or to the votes.",
        direction="lower",
        options=(
            Option(
                name="against",
                default="target",
                choices=("target", "votes"),
                help="Compare probabilities with 1 for the right answer, or with the shares of "
                "the votes.",
            ),
            _VOTES,
        ),
    ),
    MetricDescriptor(
        id="votes_cross_entropy",
        target="harness_claims.metrics.votes:CrossEntropy",
        summary="Mean cross-entropy of the probabilities to the annotators' votes, in nats.",
        direction="lower",
        options=(_VOTES, _single("keep"), _least(None)),
        needs_target=False,
    ),
    MetricDescriptor(
        id="vote_cross_entropy",
        target="harness_claims.metrics.votes:CrossEntropy",
        summary="Older name of votes_cross_entropy with single: drop and least: 1e-6, as FER+.",
        direction="lower",
        options=(_VOTES, _single("drop"), _least(1e-6)),
        needs_target=False,
    ),
    MetricDescriptor(
        id="votes_divergence",
        target="harness_claims.metrics.votes:Divergence",
        summary="Mean Kullback-Leibler divergence of the votes from the probabilities, in nats.",
        direction="lower",
        options=(_VOTES,),
        needs_target=False,
    ),
    MetricDescriptor(
        id="agreement_accuracy",
        target="harness_claims.metrics.votes:AgreementAccuracy",
        summary="Accuracy on samples of which a share of the annotators gave the same answer.",
        options=(
            _VOTES,
            Option(name="least", type="float", default=0.0, least=0, most=1,
                   help="Samples whose most frequent answer has at least this share of the votes."),
            Option(name="below", type="float", default=None, least=0, most=1,
                   help="Samples whose most frequent answer has less than this share of the "
                   "votes; no limit by default."),
        ),
    ),
)  # fmt: skip


class _Mean(ABC):
    """A mean over samples."""

    size = 2
    range: tuple[float | None, float | None] = (0.0, None)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._votes = str(options["votes"])
        self.reads: tuple[str, ...] = (self._votes,)
        if not labels:
            raise UserError("probabilities need the labels of a choice task")

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return the sample's value at 0 and the sample at 1."""
        return {0: self.of(sample), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean."""
        return ratio(totals[..., 0], totals[..., 1])

    @abstractmethod
    def of(self, sample: ScoredSample) -> float:
        """Return one sample's value."""


class Brier(_Mean):
    """``mean of sum_k (p_k - y_k)^2`` (Brier 1950), from 0 to 2.

    Equals scikit-learn's ``brier_score_loss`` with ``scale_by_half=False``.
    """

    range = (0.0, 2.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._soft = options.get("against") == "votes"
        self.reads = (self._votes,) if self._soft else ()

    def of(self, sample: ScoredSample) -> float:
        """Return one sample's squared distance."""
        if self._soft:
            wanted: Sequence[float] = votes_of(sample, self._votes)
        else:
            target = target_place(sample)
            wanted = [float(at == target) for at in range(len(sample.labels))]
        pairs = zip(probabilities(sample), wanted, strict=True)
        return math.fsum((share - right) ** 2 for share, right in pairs)


class CrossEntropy(_Mean):
    """``- mean of sum_k q_k ln p_k`` for votes ``q``; finite where a probability rounds to 0.

    With ``single`` and ``least`` it is that of FER+'s specs (Barsoum et al. 2016 take single votes
    off): a vote that a model without log-probabilities misses costs ``-ln least``.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._single = options.get("single") != "drop"
        least = options.get("least")
        self._least = None if least is None else float(str(least))
        if self._least is not None and not 0 < self._least < 1:
            raise UserError(f"{self._least:g} is not a probability", where="option 'least'")

    def of(self, sample: ScoredSample) -> float:
        """Return one sample's cross-entropy."""
        votes = votes_of(sample, self._votes, single=self._single)
        if self._least is None:
            logarithms = log_probabilities(sample)
        else:
            logarithms = tuple(map(math.log, floored_probabilities(sample, self._least)))
        pairs = zip(votes, logarithms, strict=True)
        return -math.fsum(vote * logarithm for vote, logarithm in pairs if vote)


class Divergence(CrossEntropy):
    """``mean of sum_k q_k ln(q_k / p_k)``: cross-entropy less the entropy of the votes."""

    def of(self, sample: ScoredSample) -> float:
        """Return one sample's divergence."""
        votes = votes_of(sample, self._votes)
        entropy = -math.fsum(vote * math.log(vote) for vote in votes if vote)
        return max(0.0, super().of(sample) - entropy)


class AgreementAccuracy(_Mean):
    """Accuracy where annotators agree to a degree: the share of their most frequent answer."""

    proportion = True
    range = (0.0, 1.0)
    undefined = "annotators agree on none of them as far as the option says"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._least = float(str(options["least"]))
        below = options.get("below")
        self._below = math.inf if below is None else float(str(below))
        if self._below <= self._least:
            raise UserError(
                f"no share is at least {self._least:g} and below {self._below:g}", where="options"
            )

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return whether the answer is right at 0 and the sample at 1; nothing for other levels."""
        share = max(votes_of(sample, self._votes))
        return super().statistics(sample) if self._least <= share < self._below else {}

    def of(self, sample: ScoredSample) -> float:
        """Return 1 for a right answer."""
        return float(is_right(sample))
