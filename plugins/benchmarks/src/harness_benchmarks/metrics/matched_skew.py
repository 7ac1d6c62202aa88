"""Skew that cannot be bought with "yes": every concept is assigned to the same share of images.

Skew@C counts whom a model names, so a model that names everybody has none. Here answers are ranked
by their log odds, and what is compared does not depend on where the model puts its threshold:

- ``matched_max_skew``, ``matched_min_skew``: each concept is assigned to the share ``share`` of the
  images asked about it, those with the highest log odds. It is Skew@k of a ranking (Geyik et al.
  2019, arXiv 1905.01989) with k a share of the images.
- ``skew_area``: the mean of ``|skew|`` over nineteen such shares, 5 % to 95 %.
- ``auc_gap``: by how much the probability that a random image of one value is ranked above a random
  one of the other values exceeds one half (a Mann-Whitney statistic; ties count one half).

All four take per concept the extreme over attribute values, and the mean over concepts. Log odds
are counted in bins ``resolution`` wide, so that a bootstrap is a sum; images of one bin are tied,
and of a tie the share that is needed is taken from everybody alike. A concept whose answers are all
tied ranks nobody and has no value, never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Literal

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ratio

from harness_benchmarks.metrics.skew import (
    KINDS,
    SKEW_OPTIONS,
    MinSkew,
    Settled,
    SkewCounts,
    highest,
    lowest,
)

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.interval import Range
    from harness.stats.types import Codes, Floats
    from numpy.typing import NDArray

SHARES = tuple(step / 20 for step in range(1, 20))
"""Shares of the images at which ``skew_area`` takes the skew."""

_LIMIT = 30.0  # log odds beyond this are one bin: the probability is 1 within 1e-13
_COSINE_SCALE = 100.0  # a dual encoder's usual logit scale, for similarities
_RESOLUTION = Option(
    name="resolution",
    type="float",
    default=0.05,
    help="Width of the bins of log odds; answers of one bin are tied.",
)
_RANKED = (
    *(held for held in SKEW_OPTIONS if held.name not in {"estimator", "min_assigned"}),
    _RESOLUTION,
)
_SHARE = Option(
    name="share",
    type="float",
    default=0.25,
    help="Share of the images asked about a concept that are assigned to it, above 0, below 1.",
)
_SELDOM = 5  # images; with fewer the interval covers too little where a bias is strong (skew.md)
_SELDOM_NOTE = (
    "values of which a concept is assigned to fewer than five images, where a strong bias may lie "
    "outside the interval of one value"
)
_UNUSED = {"desired", "zero", "alpha"}  # a ranking compares groups without a desired share
DESCRIPTORS = (
    MetricDescriptor(
        id="matched_max_skew",
        target="harness_benchmarks.metrics.matched_skew:MatchedMaxSkew",
        summary="MaxSkew with every concept assigned to the same share of images.",
        direction="zero",
        version=2,
        options=(*_RANKED, _SHARE),
        needs_target=False,
    ),
    MetricDescriptor(
        id="matched_min_skew",
        target="harness_benchmarks.metrics.matched_skew:MatchedMinSkew",
        summary="MinSkew with every concept assigned to the same share of images.",
        direction="zero",
        version=2,
        options=(*_RANKED, _SHARE),
        needs_target=False,
    ),
    MetricDescriptor(
        id="skew_area",
        target="harness_benchmarks.metrics.matched_skew:SkewArea",
        summary="Mean over thresholds of the size of the skew, highest over values.",
        direction="lower",
        version=2,
        options=_RANKED,
        needs_target=False,
    ),
    MetricDescriptor(
        id="auc_gap",
        target="harness_benchmarks.metrics.matched_skew:AucGap",
        summary="Chance above one half that a value is ranked before others, highest over values.",
        direction="lower",
        version=2,
        options=tuple(held for held in _RANKED if held.name not in _UNUSED),
        needs_target=False,
    ),
)


class RankedCounts(SkewCounts):
    """How many images of each concept have log odds in each bin.

    Statistics: one position for each concept and bin that occurs, of the images in it.

    Args:
        options: The metric's.
        labels: Labels of the task.

    Raises:
        UserError: options that do not fit the task, a share or resolution out of range.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__({**options, "estimator": "soft"}, labels)
        # Bins make a metric of sums out of a ranking, so that a bootstrap draw is a matrix product.
        self._width = float(str(options["resolution"]))
        if not 0 < self._width < _LIMIT:
            raise UserError(
                f"{self._width:g} is not a valid width of bins",
                where="option 'resolution'",
                fix="0.05",
            )
        self._labels = tuple(labels) or (self._positive,)
        self._at = 0 if self.choice else self._labels.index(self._positive)
        self._bins: dict[tuple[str, int], int] = {}
        self._sliced: tuple[int, tuple[tuple[str, ...], list[slice]]] = 0, ((), [])
        self.key = ("ranked", self._width, *self.key)

    @property
    def size(self) -> int:
        """Number of bins that occurred so far."""
        return len(self._bins)

    @property
    def concepts(self) -> tuple[str, ...]:
        """Concepts asked about, sorted."""
        return self._by_concept()[0]

    def columns(self) -> tuple[int, ...]:
        """Return the bins by concept, and from the highest log odds to the lowest."""
        return tuple(self._bins[key] for key in self._sorted())

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return a sample's bin of each concept that it was asked about."""
        if not self.choice:
            concept = self.concept_of(sample)
            if concept is None:
                return {}
            key = concept, self._bin(log_odds(sample, self._labels)[self._at])
            return {self._bins.setdefault(key, len(self._bins)): 1.0}
        odds = log_odds(sample, self._labels)
        return {
            self._bins.setdefault((label, self._bin(odds[position])), len(self._bins)): 1.0
            for position, label in enumerate(self._labels)
            if label in self._names
        }

    def kinds_of(self, samples: Sequence[ScoredSample]) -> Codes | None:
        """Return each sample's bin, where all have log-probabilities of two options."""
        import numpy as np

        scores = [sample.scores for sample in samples if sample.scores]
        kinds = {sample.score_kind for sample in samples}
        if self.choice or kinds != {"logprob"} or 2 * _LIMIT / self._width >= KINDS:
            return None
        if len(scores) < len(samples) or {*map(len, scores)} != {2}:
            return None
        flat = chain.from_iterable(scores)
        pairs = np.fromiter(flat, np.float64, 2 * len(scores)).reshape(-1, 2)
        with np.errstate(invalid="ignore", over="ignore"):  # of infinite scores, see below
            odds = pairs[:, self._at] - pairs[:, 1 - self._at]
        if not np.isfinite(odds).all():
            return None
        bins: Codes = np.rint(np.clip(odds, -_LIMIT, _LIMIT) / self._width).astype(np.int64)
        return bins

    def merge(self, other: RankedCounts) -> None:
        """Know the bins of another evaluation too, so that both have the same positions."""
        for key in other._bins:
            self._bins.setdefault(key, len(self._bins))

    def _bin(self, odds: float) -> int:
        # Infinite odds, of answers in words, go to the outermost bins and stay ranked.
        if not -_LIMIT < odds < _LIMIT:
            odds = min(_LIMIT, max(-_LIMIT, odds))
        return round(odds / self._width)

    def _sorted(self) -> list[tuple[str, int]]:
        return sorted(self._bins, key=lambda key: (key[0], -key[1]))

    def histograms(self, totals: Floats) -> Iterator[Floats]:
        """Yield each concept's images by log odds, from the highest down, ``(..., bins)``."""
        for columns in self._by_concept()[1]:
            yield totals[..., columns]

    def _by_concept(self) -> tuple[tuple[str, ...], list[slice]]:
        """Return the concepts, sorted, and where the bins of each stand in totals."""
        if self._sliced[0] != len(self._bins):
            bins = Counter(concept for concept, _ in self._sorted())
            ends = pairwise([0, *accumulate(bins.values())])
            self._sliced = len(self._bins), (tuple(bins), [slice(*edges) for edges in ends])
        return self._sliced[1]

    def asked(self, totals: Floats) -> Floats:
        """Return images asked about each concept, ``(..., concepts)``."""
        import numpy as np

        counts: Floats = np.stack([bins.sum(-1) for bins in self.histograms(totals)], axis=-1)
        return counts

    def assigned_at(self, totals: Floats, shares: Sequence[float]) -> Floats:
        """Return the images assigned to each concept when a share of those asked is.

        Args:
            totals: ``(..., parts, size)``; part 0 holds everything, and decides the threshold.
            shares: Shares among the images asked about a concept.

        Returns:
            ``(shares, ..., parts, concepts)``; of the bin at the threshold everybody has the same
            share.
        """
        import numpy as np

        assigned = []
        for bins in self.histograms(totals):
            everybody = bins[..., 0, :, np.newaxis]
            through = np.cumsum(everybody, axis=-2)
            wanted = np.array(shares) * through[..., -1:, :]
            # The share of each bin above the threshold: 1 higher up, 0 below, a fraction at it.
            # In place, as there are as many as draws x bins x shares; an empty bin has nobody.
            taken = wanted - (through - everybody)
            taken /= np.where(everybody > 0, everybody, 1.0)
            assigned.append(np.matmul(bins, np.clip(taken, 0.0, 1.0, out=taken)))
        return np.moveaxis(np.stack(assigned, axis=-1), -2, 0)

    def ranks(self, totals: Floats) -> NDArray[np.bool_]:
        """Return which concepts rank images at all, ``(concepts,)``: answers differ.

        Args:
            totals: ``(parts, size)``; part 0 holds everything.
        """
        import numpy as np

        return np.array([(bins > 0).sum() > 1 for bins in self.histograms(totals[0])], dtype=bool)


def log_odds(sample: ScoredSample, labels: Sequence[str]) -> list[float]:
    """Return the log odds of each of a task's labels against the others.

    An answer without scores, which names an option and no more, has infinite ones. Similarities
    are multiplied by 100, the usual scale of dual encoders.
    """
    scores = sample.scores
    if scores is None or sample.score_kind not in {"logprob", "similarity"}:
        return [math.inf if label == sample.answer else -math.inf for label in labels]
    if sample.score_kind == "similarity":
        scores = tuple(_COSINE_SCALE * score for score in scores)
    # With two options the normalisation cancels: exact where exp would underflow.
    if len(scores) == 2 and math.isfinite(first := scores[0] - scores[1]):
        return [first, -first]
    odds = []
    for position, score in enumerate(scores):
        others = [other for rival, other in enumerate(scores) if rival != position]
        greatest = max(others, default=-math.inf)
        if math.isinf(greatest):
            odds.append(math.inf if score > greatest else -math.inf)
            continue
        log_rest = greatest + math.log(math.fsum(math.exp(other - greatest) for other in others))
        odds.append(score - log_rest)
    return odds


class _Ranking(Settled):
    """What is compared where answers are ranked: nobody is assigned, every concept counts."""

    rate = ""
    counts: RankedCounts
    assigns = False

    def skew_of(self, asked: Floats, assigned: Floats) -> Floats:
        """Return skews; NaN where an attribute has one value, which has no other beside it."""
        skews = super().skew_of(asked, assigned)
        for places in self.kinds:
            if len(places) == 1:
                skews[..., places - 1, :] = math.nan
        return skews

    def assigned(self, totals: Floats) -> Floats:
        """Return the images asked about: all of them are ranked."""
        return self.counts.asked(totals)

    def counting(self, totals: Floats) -> NDArray[np.bool_]:
        """Return which concepts rank anybody."""
        return self.counts.ranks(totals)

    def notes(self) -> dict[str, int]:
        """Return how many concepts and attributes have no value, and why."""
        return self._noted(
            {
                "concepts whose answers are all tied, which rank nobody": int(
                    (~self._counting).sum()
                ),
                "attributes with one value alone, which compare nobody": sum(
                    len(places) == 1 for places in self.kinds
                ),
            }
        )


class _Matched(_Ranking):
    """Skew of every value at every concept, each concept assigned to one share of the images."""

    table = "matched skew"
    rate = "share"
    metric: MatchedMinSkew
    assigns = True

    def assigned(self, totals: Floats) -> Floats:
        """Return the images assigned at the metric's share."""
        assigned: Floats = self.counts.assigned_at(totals, [self.metric.share])[0]
        return assigned

    def notes(self) -> dict[str, int]:
        """Return those of a ranking, and how many values have intervals that may be too short."""
        import numpy as np

        seldom = (self._asked[1:] > 0) & (self._assigned[1:] < _SELDOM) & self._counting
        for places in self.kinds:
            if len(places) == 1:
                seldom[places - 1] = False  # it has no value
        number = int(np.any(seldom, axis=1).sum())
        return {**super().notes(), **({_SELDOM_NOTE: number} if number else {})}


class _OfRanks(MinSkew):
    """What metrics of rankings have in common; they rank, so that no answer needs a threshold."""

    @property
    def family(self) -> str:
        """What its components are; metrics of one family differ in what they pick."""
        return self.settled.table

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__({**options, "estimator": "soft", "min_assigned": 0}, labels)

    @classmethod
    def count(cls, options: Mapping[str, Json], labels: Sequence[str]) -> RankedCounts:
        """Return what counts log odds; metrics of one key share it."""
        return RankedCounts(options, labels)

    def pick(self, values: Floats) -> Floats:
        """Return the greatest over the last axis."""
        return highest(values)


class MatchedMinSkew(_OfRanks):
    """Mean over concepts of the lowest skew, every concept assigned to the same share."""

    settled = _Matched

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self.share = float(str(options["share"]))
        if not 0 < self.share < 1:
            raise UserError(
                f"{self.share:g} is not a valid share",
                where="option 'share'",
                fix="between 0 and 1: 0.25",
            )
        super().__init__(options, labels)

    def pick(self, values: Floats) -> Floats:
        """Return the least over the last axis."""
        return lowest(values)


class MatchedMaxSkew(MatchedMinSkew):
    """Mean over concepts of the highest skew, every concept assigned to the same share."""

    extreme: Literal["low", "high"] = "high"

    def pick(self, values: Floats) -> Floats:
        """Return the extreme over the last axis."""
        return highest(values)


class _Area(_Ranking):
    """The mean size of the skew over thresholds, of every value at every concept."""

    table = "skew area"

    def of_parts(self, totals: Floats) -> Floats:
        """Return ``(..., values, concepts)`` means over :data:`SHARES` of ``|skew|``."""
        import numpy as np

        assigned = self.counts.assigned_at(totals, SHARES)
        mean: Floats = np.abs(self.skew_of(self.counts.asked(totals), assigned)).mean(axis=0)
        return mean

    def bounds(self) -> tuple[Floats, Floats]:
        """Return 0 and no end for each component."""
        import numpy as np

        shape = self._greatest().shape
        return np.zeros(shape), np.full(shape, np.inf)

    def range(self) -> Range:
        """Return that a size is not negative."""
        return 0.0, None


class SkewArea(_OfRanks):
    """Mean over concepts of the highest mean size of the skew over thresholds."""

    extreme: Literal["low", "high"] = "high"
    settled = _Area


class _Ranked(_Ranking):
    """How much likelier than not each value is ranked before the others, at every concept."""

    table = "auc above one half"

    def of_parts(self, totals: Floats) -> Floats:
        """Return ``(..., values, concepts)`` areas under the curve less one half."""
        import numpy as np

        gaps = np.full(
            (*totals.shape[:-2], totals.shape[-2] - 1, len(self.counts.concepts)), np.nan
        )
        for concept, bins in enumerate(self.counts.histograms(totals)):
            for places in self.kinds:
                of_value = bins[..., places, :]
                everybody = of_value.sum(-2)
                n, total = of_value.sum(-1), everybody.sum(-1, keepdims=True)
                # Images of this kind that are ranked below each bin; half of those in it.
                below = total - np.cumsum(everybody, axis=-1) + everybody / 2
                wins = np.matmul(of_value, below[..., np.newaxis])[..., 0]
                # Against the same value half of all pairs are won.
                pairs = n * (total - n)
                gaps[..., places - 1, concept] = ratio(wins - n * n / 2, pairs) - 0.5
        return gaps

    def bounds(self) -> tuple[Floats, Floats]:
        """Return minus one half and one half for each component."""
        import numpy as np

        shape = self._greatest().shape
        return np.full(shape, -0.5), np.full(shape, 0.5)

    def range(self) -> Range:
        """Return that some value is ranked before the others, or all are alike."""
        return 0.0, 0.5


class AucGap(_OfRanks):
    """Mean over concepts of the highest chance above one half of being ranked first."""

    extreme: Literal["low", "high"] = "high"
    settled = _Ranked

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__({"desired": "pool", "zero": "add_alpha", "alpha": 0.0, **options}, labels)


__all__ = [
    "AucGap",
    "MatchedMaxSkew",
    "MatchedMinSkew",
    "RankedCounts",
    "SkewArea",
    "log_odds",
]
