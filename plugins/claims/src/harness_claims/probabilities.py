"""What metrics of calibration read of a sample: probabilities of options, votes, confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import DataError

from harness_claims.annotators import counts_of

if TYPE_CHECKING:
    from harness.metrics import ScoredSample

_OFF = 1e-3  # shares of votes are often written with three digits


def probabilities(sample: ScoredSample) -> tuple[float, ...]:
    """Return the probability of each option: the softmax of their log-probabilities.

    Raises:
        DataError: the sample has no log-probabilities.
    """
    if sample.scores is None or sample.score_kind != "logprob":
        raise DataError(
            "calibration needs log-probabilities of the options",
            where=f"sample {sample.id!r}",
            fix="a choice task, and a model that scores options (harness models: logprobs)",
        )
    highest = max(sample.scores)
    powers = [math.exp(score - highest) for score in sample.scores]
    total = math.fsum(powers)
    return tuple(power / total for power in powers)


def log_probabilities(sample: ScoredSample) -> tuple[float, ...]:
    """Return the logarithms of :func:`probabilities`, finite where those round to 0."""
    normal = probabilities(sample)
    scores = sample.scores or ()
    highest = max(scores)
    # The greatest probability is at least one over the options, so that its logarithm is exact.
    total = highest - math.log(max(normal))
    return tuple(score - total for score in scores)


def floored_probabilities(sample: ScoredSample, least: float) -> tuple[float, ...]:
    """Return the probability of each option, ``least`` for those below.

    Of a model without log-probabilities they are its scores where those are probabilities, else 1
    for the label that it answered.
    """
    if sample.scores is not None and sample.score_kind == "logprob":
        shares: Sequence[float] = probabilities(sample)
    elif sample.scores is not None and sample.score_kind == "label":
        shares = sample.scores
    else:
        shares = [float(sample.answer == label) for label in sample.labels]
    return tuple(max(least, share) for share in shares)


def votes_of(sample: ScoredSample, field: str, *, single: bool = True) -> tuple[float, ...]:
    """Return the share of annotators' votes that each label has.

    Args:
        sample: Its field holds counts or shares by label, or in the order of the labels.
        field: Name of the field.
        single: Whether a label with one vote alone has it; FER+ takes such votes off.

    Raises:
        DataError: as :func:`harness_claims.annotators.counts_of`; nobody voted, or shares that do
            not sum to 1.
    """
    where = f"sample {sample.id!r}, field {field!r}"
    numbers = counts_of(sample.fields.get(field), sample.labels, where)
    counted = [one if single or one >= 2 else 0.0 for one in numbers]
    total = math.fsum(counted)
    if not total:
        raise DataError(
            "nobody voted" if single else "no label has two votes",
            where=where,
            fix="leave the sample out",
        )
    if any(one != int(one) for one in numbers) and abs(math.fsum(numbers) - 1) > _OFF:
        raise DataError(
            f"shares of votes sum to {math.fsum(numbers):.4g}, not to 1",
            where=where,
            fix="whole counts, or shares that sum to 1",
        )
    return tuple(one / total for one in counted)


def target_place(sample: ScoredSample) -> int:
    """Return the place of the right answer among the labels.

    Raises:
        DataError: it is none of them.
    """
    if sample.target not in sample.labels:
        raise DataError(
            f"the target {sample.target!r} is not one of the labels", where=f"sample {sample.id!r}"
        )
    return sample.labels.index(str(sample.target))


def confidence(sample: ScoredSample) -> float:
    """Return the probability of the most probable option."""
    return max(probabilities(sample))


def is_right(sample: ScoredSample) -> bool:
    """Whether the answer is the target; an unparsed one is not."""
    return sample.answer is not None and sample.answer == sample.target
