"""What metrics of calibration read of a sample: probabilities of options, votes, confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.errors import DataError

if TYPE_CHECKING:
    from harness.descriptors import Json
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


def votes_of(sample: ScoredSample, field: str) -> tuple[float, ...]:
    """Return the share of annotators' votes that each label has.

    Args:
        sample: Its field holds counts or shares by label, or in the order of the labels.
        field: Name of the field.

    Raises:
        DataError: no votes, votes for what is no label, below 0, or shares that do not sum to 1.
    """
    votes, where = sample.fields.get(field), f"sample {sample.id!r}, field {field!r}"
    labels = sample.labels
    if isinstance(votes, Mapping):
        unknown = sorted(set(votes) - set(labels))
        if unknown:
            raise DataError(f"votes for {unknown[0]!r}, which is no label", where=where)
        counts: Sequence[Json] = [votes.get(label, 0) for label in labels]
    elif isinstance(votes, list) and len(votes) == len(labels):
        counts = votes
    else:
        raise DataError(
            "no votes: counts by label, or one for each label in order",
            where=where,
            fix=f"add {field} to data.keep of the spec",
        )
    numbers = [float(one) for one in counts if isinstance(one, int | float)]
    if len(numbers) < len(labels) or not all(0 <= one < math.inf for one in numbers):
        raise DataError("votes are numbers of at least 0", where=where)
    total = math.fsum(numbers)
    if not total:
        raise DataError("nobody voted", where=where)
    if any(one != int(one) for one in numbers) and abs(total - 1) > _OFF:
        raise DataError(f"shares of votes sum to {total:.4g}, not to 1", where=where)
    return tuple(one / total for one in numbers)


def target_place(sample: ScoredSample) -> int:
    """Return the place of the right answer among the labels.

    Raises:
        DataError: it is none of them.
    """
    if sample.target not in sample.labels:
        raise DataError(
            f"the target {sample.target!r} is none of the labels", where=f"sample {sample.id!r}"
        )
    return sample.labels.index(str(sample.target))


def confidence(sample: ScoredSample) -> float:
    """Return the probability of the most probable option."""
    return max(probabilities(sample))


def is_right(sample: ScoredSample) -> bool:
    """Whether the answer is the target; an unparsed one is not."""
    return sample.answer is not None and sample.answer == sample.target
