"""Mean average precision: each class against the rest, ranked by its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError
from harness.metrics.classes import (
    ABSENT_CLASS,
    Absent,
    Classes,
    absent_class,
    mean_of_classes,
    ratio,
)

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

DESCRIPTORS = (
    MetricDescriptor(
        id="map",
        target="harness_benchmarks.metrics.average_precision:MeanAveragePrecision",
        summary="Mean over classes of average precision, each class against the rest.",
        version=3,
        options=(
            ABSENT_CLASS,
            Option(
                name="ranked_by",
                default="probability",
                choices=("probability", "likelihood"),
                help="Rank by log-probabilities normalised over the options, or by those of the "
                "model.",
            ),
        ),
    ),
)


_CELLS = 1_000_000
"""Weights in memory at once: 8 MB per array, whatever the number of draws."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One class's samples, best score first.

    Attributes:
        order: ``(samples,)`` positions of samples.
        positive: ``(samples,)`` 1 where the sample is of the class, in that order.
        starts: Where each distinct score begins in ``order``; ties share a threshold.
    """

    order: NDArray[np.intp]
    positive: Floats
    starts: NDArray[np.intp]


class MeanAveragePrecision:
    """Mean over classes of ``sum over thresholds of (R_n - R_{n-1}) P_n``, without interpolation.

    Equals scikit-learn's ``average_precision_score`` (ties share a threshold; weights of samples
    repeat them). A class without samples, in the data or in one bootstrap draw, leaves the mean,
    or counts as 0 with the option ``absent_class=zero``, as scikit-learn has it.

    Log-probabilities of different prompts do not compare: with ``ranked_by=probability`` a class is
    ranked by its share of the probability of all options (softmax over them); with ``likelihood``
    by the log-probability itself. Other scores are taken as they are.

    A sample without scores ranks by its label: 1 for the class it names, 0 for the others. An
    unparsed one gets the lowest score there is in every class.
    """

    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self.classes = Classes(labels)
        self._absent: Absent = absent_class(options)
        self._softmax = options["ranked_by"] == "probability"

    def prepare(self, samples: Sequence[ScoredSample]) -> tuple[Ranking, ...]:
        """Return one ranking per class."""
        scores = self._scores(samples)
        truth = self.truth(samples)
        return tuple(_rank(scores[:, k], truth[:, k]) for k in range(len(self.classes)))

    def truth(self, samples: Sequence[ScoredSample]) -> NDArray[np.bool_]:
        """Return ``(samples, classes)`` whether a sample is of a class."""
        import numpy as np

        targets = np.array([self.classes.target(sample) for sample in samples], dtype=np.intp)
        truth: NDArray[np.bool_] = targets.reshape(-1, 1) == np.arange(len(self.classes))
        return truth

    def value(self, prepared: tuple[Ranking, ...], weights: Floats) -> Floats:
        """Return the mean average precision under each row of weights."""
        import numpy as np

        draws, samples = weights.shape
        means = np.empty(draws)
        step = max(1, _CELLS // max(1, samples))
        for start in range(0, draws, step):
            part = weights[start : start + step]
            values = np.stack([self.of_class(ranking, part) for ranking in prepared], axis=-1)
            means[start : start + step] = mean_of_classes(values, self._absent)
        return means

    def of_class(self, ranking: Ranking, weights: Floats) -> Floats:
        """Return ``(draws,)`` average precisions; NaN where no sample of the class was drawn."""
        import numpy as np

        hits, above, precision = precisions(ranking, weights)
        area: Floats = np.einsum("ij,ij->i", hits, precision)
        return ratio(area, above[:, -1] if above.shape[1] else np.zeros(len(above)))

    def _scores(self, samples: Sequence[ScoredSample]) -> Floats:
        """Return ``(samples, classes)`` scores."""
        import numpy as np

        scores = np.full((len(samples), len(self.classes)), np.nan)
        for row, sample in enumerate(samples):
            if sample.scores is not None:
                if len(sample.scores) != len(self.classes):
                    raise DataError(
                        f"{len(sample.scores)} scores for {len(self.classes)} labels",
                        where=f"sample {sample.id!r}",
                    )
                scores[row] = sample.scores
                if self._softmax and sample.score_kind == "logprob":
                    scores[row] -= np.logaddexp.reduce(scores[row])
                continue
            answer = self.classes.answer(sample)
            if answer is not None:
                scores[row] = 0.0
                scores[row, answer] = 1.0
        lowest = np.min(scores, initial=0.0, where=~np.isnan(scores))
        return np.where(np.isnan(scores), lowest, scores)


def _rank(scores: Floats, positive: NDArray[np.bool_]) -> Ranking:
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    new = np.ones(len(ranked), dtype=bool)
    new[1:] = ranked[1:] != ranked[:-1]
    return Ranking(order, positive[order].astype(np.float64), np.flatnonzero(new))


def precisions(ranking: Ranking, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what each threshold adds to the samples of a class, their sum so far, and precision.

    Each ``(draws, thresholds)``; of no samples there is no threshold.
    """
    import numpy as np

    if not len(ranking.order):
        nothing = np.zeros((len(weights), 0))
        return nothing, nothing, nothing
    ranked = weights[:, ranking.order]
    rank_weights = np.add.reduceat(ranked, ranking.starts, axis=1)
    hits = np.add.reduceat(ranked * ranking.positive, ranking.starts, axis=1)
    above, below = np.cumsum(hits, axis=1), np.cumsum(rank_weights, axis=1)
    precision = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return hits, above, precision
