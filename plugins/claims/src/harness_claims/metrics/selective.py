"""Confidence ranked: calibration error, risk and coverage, accuracy of the most confident."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ratio

from harness_claims.probabilities import confidence, is_right

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

DESCRIPTORS = (
    MetricDescriptor(
        id="calibration_error",
        target="harness_claims.metrics.selective:CalibrationError",
        summary="Mean distance of confidence and accuracy over bins of equal mass (ECE).",
        direction="lower",
        version=3,
        options=(
            Option(name="bins", type="int", default=15, least=1, help="Bins of equal mass."),
            Option(
                name="debiased",
                type="bool",
                default=True,
                help="Subtract what few samples in a bin add by chance.",
            ),
            Option(
                name="norm",
                type="int",
                default=1,
                least=1,
                most=2,
                help="1: mean distance; 2: root of the mean squared one, unbiased before the root.",
            ),
        ),
    ),
    MetricDescriptor(
        id="risk_coverage",
        target="harness_claims.metrics.selective:RiskCoverage",
        summary="Area under the share of wrong answers over coverage, the most confident first.",
        direction="lower",
    ),
    MetricDescriptor(
        id="selective_accuracy",
        target="harness_claims.metrics.selective:SelectiveAccuracy",
        summary="Accuracy on the share of the samples with the highest confidence.",
        options=(
            Option(name="coverage", type="float", default=0.8, least=0, most=1,
                   help="Share of the samples that are answered, above 0."),
        ),
    ),
)  # fmt: skip

_CELLS = 1_000_000
"""Weights in memory at once: 8 MB per array, whatever the number of draws."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Samples from the highest confidence to the lowest; equal confidences are one level.

    Attributes:
        order: ``(samples,)``.
        right: ``(samples,)`` 1 for a right answer, in that order.
        starts: Where each level begins.
        levels: ``(levels,)`` confidences.
    """

    order: NDArray[np.intp]
    right: Floats
    starts: NDArray[np.intp]
    levels: Floats


class _OfConfidence(ABC):
    """A metric of confidence and right answers, in which equal confidences are taken alike."""

    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options
        if not labels:
            raise UserError("confidence needs the labels of a choice task")

    def prepare(self, samples: Sequence[ScoredSample]) -> Ranked:
        """Return the samples by confidence."""
        import numpy as np

        confidences = np.array([confidence(sample) for sample in samples], dtype=np.float64)
        right = np.array([is_right(sample) for sample in samples], dtype=np.float64)
        order = np.argsort(-confidences, kind="stable")
        ranked = confidences[order]
        starts = np.flatnonzero(np.diff(ranked, prepend=np.inf) != 0)
        return Ranked(order, right[order], starts, ranked[starts])

    def value(self, prepared: Ranked, weights: Floats) -> Floats:
        """Return the value under each row of weights."""
        import numpy as np

        if not len(prepared.order):
            return np.full(len(weights), np.nan)
        step = max(1, _CELLS // len(prepared.order))
        return np.concatenate(
            [
                self.of(prepared.levels, *_by_level(prepared, weights[start : start + step]))
                for start in range(0, max(1, len(weights)), step)
            ]
        )

    @abstractmethod
    def of(self, levels: Floats, mass: Floats, hits: Floats, squares: Floats) -> Floats:
        """Return the value of each draw.

        Args:
            levels: ``(levels,)`` confidences, highest first.
            mass: ``(draws, levels)`` samples of each level.
            hits: ``(draws, levels)`` right answers among them.
            squares: ``(draws, levels)`` sums of squared weights: above mass where samples repeat.
        """


def _by_level(prepared: Ranked, weights: Floats) -> tuple[Floats, Floats, Floats]:
    import numpy as np

    ranked = weights[:, prepared.order]
    return (
        np.add.reduceat(ranked, prepared.starts, axis=1),
        np.add.reduceat(ranked * prepared.right, prepared.starts, axis=1),
        np.add.reduceat(ranked * ranked, prepared.starts, axis=1),
    )


class CalibrationError(_OfConfidence):
    """``sum_b w_b |confidence_b - accuracy_b|`` over bins that hold equal shares of the samples.

    A level of confidence lies in one bin. In a bin of few samples accuracy is off by chance, and
    the distance is too large. ``debiased`` takes off by how much it would grow if accuracy varied
    once more, normally with variance ``accuracy (1 - accuracy) / n`` (Kumar et al. 2019, with the
    mean of a folded normal in place of draws): a part of the bias, most where there is a true
    error. What remains is not below 0. With ``norm`` 2 the distance is squared, less ``accuracy
    (1 - accuracy) / (n - 1)``, which is all of the bias (the same paper), and the root is taken.

    In a draw of a bootstrap accuracy varies twice, since samples come by chance and are repeated
    by chance. There ``n`` is ``(sum of weights)^2 / sum of squared weights`` (Kish), which is the
    number of samples where each weighs 1, and about half of it in a draw: draws are as little off
    as the value, and their interval holds the truth.

    Of fewer samples than bins no bin has an accuracy, only answers: such an error is undefined.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._bins = int(str(options["bins"]))
        self._debiased = bool(options["debiased"])
        self._squared = int(str(options["norm"])) == 2

    def value(self, prepared: Ranked, weights: Floats) -> Floats:
        """Return the value under each row of weights; NaN of fewer samples than bins."""
        import numpy as np

        if len(prepared.order) < self._bins:
            return np.full(len(weights), np.nan)
        return super().value(prepared, weights)

    def notes(self, samples: Sequence[ScoredSample]) -> Mapping[str, int]:
        """Return how many samples there are where those are fewer than the bins."""
        few = 0 < len(samples) < self._bins
        return (
            {f"samples, too few for {self._bins} bins of confidence": len(samples)} if few else {}
        )

    def of(self, levels: Floats, mass: Floats, hits: Floats, squares: Floats) -> Floats:
        """Return the calibration error of each draw."""
        import numpy as np

        total = mass.sum(-1, keepdims=True)
        middles = ratio(np.cumsum(mass, axis=-1) - mass / 2, total)
        bins = np.minimum((np.nan_to_num(middles) * self._bins).astype(np.intp), self._bins - 1)
        error = np.zeros(len(mass))
        for bin_number in range(self._bins):
            inside = np.where(bins == bin_number, mass, 0.0)
            n = inside.sum(-1)
            accuracy = ratio(np.where(bins == bin_number, hits, 0.0).sum(-1), n)
            distance = np.abs(ratio((inside * levels).sum(-1), n) - accuracy)
            if self._squared:
                distance = distance**2
            if self._debiased:
                distance = self._less_chance(
                    distance,
                    accuracy,
                    ratio(n * n, np.where(bins == bin_number, squares, 0.0).sum(-1)),
                )
            error += np.where(n > 0, n * distance, 0.0)
        defined: Floats = np.maximum(ratio(error, total[:, 0]), 0.0)
        return np.sqrt(defined) if self._squared else defined

    def _less_chance(self, distance: Floats, accuracy: Floats, n: Floats) -> Floats:
        """Return distances without what chance adds to them, ``(draws,)`` each."""
        import numpy as np
        from scipy.special import ndtr

        varies = accuracy * (1 - accuracy)
        if self._squared:
            unbiased: Floats = distance - varies / np.maximum(n - 1, 1.0)
            return unbiased
        spread = np.sqrt(ratio(varies, n))
        away = ratio(distance, spread)
        by_chance = spread * np.sqrt(2 / math.pi) * np.exp(-(away**2) / 2)
        folded = by_chance + distance * (1 - 2 * ndtr(-away))
        return np.where(spread > 0, 2 * distance - folded, distance)


class RiskCoverage(_OfConfidence):
    """Mean over coverages of the share of wrong answers among the most confident (AURC).

    Geifman and El-Yaniv 2017; at a coverage within a level that level is taken whole.
    """

    def of(self, levels: Floats, mass: Floats, hits: Floats, squares: Floats) -> Floats:
        """Return the area of each draw."""
        import numpy as np

        del levels, squares
        covered = np.cumsum(mass, axis=-1)
        risk = np.cumsum(mass - hits, axis=-1) / np.where(covered > 0, covered, 1.0)
        return ratio((mass * risk).sum(-1), covered[:, -1])


class SelectiveAccuracy(_OfConfidence):
    """Accuracy on the most confident share of the samples; of a level everybody counts alike."""

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._coverage = float(str(options["coverage"]))
        if not 0 < self._coverage <= 1:
            raise UserError(
                f"{self._coverage:g} is not a valid coverage", where="option 'coverage'",
                fix="above 0, at most 1: 0.8",
            )  # fmt: skip

    def of(self, levels: Floats, mass: Floats, hits: Floats, squares: Floats) -> Floats:
        """Return the accuracy of each draw."""
        import numpy as np

        del levels, squares
        wanted = self._coverage * mass.sum(-1, keepdims=True)
        taken = np.clip(wanted - (np.cumsum(mass, axis=-1) - mass), 0.0, mass)
        shares = taken / np.where(mass > 0, mass, 1.0)
        return ratio((hits * shares).sum(-1), wanted[:, 0])
