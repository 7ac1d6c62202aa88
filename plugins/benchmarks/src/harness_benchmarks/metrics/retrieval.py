"""Bias of a ranking of images by a neutral text: skew, NDKL and bias among the first k.

One query is one concept: the images that carry it, ranked by the score of the first text, best
first, ties in the order they come (in a run by the hash of their ids, whatever the data's order).
A value is the mean over concepts.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError, UserError
from harness.metrics.classes import ratio

from harness_benchmarks.metrics.skew import CONCEPT, DESIRED, highest, lowest, mean_there

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.interval import Range
    from harness.stats.types import Floats
    from numpy.typing import NDArray

_RANKED = (
    Option(name="k", type="int", default=10, help="Number of first-ranked images that count."),
    Option(
        name="least_k",
        default="one",
        choices=("one", "groups"),
        help="Raise k to the number of groups, as SocialCounterfactuals does.",
    ),
    CONCEPT,
    Option(
        name="attribute",
        default="gender",
        help="Group to compare; several are separated by commas.",
    ),
)
_RETRIEVAL = (
    *_RANKED,
    DESIRED,
    Option(
        name="zero",
        default="one_over_k",
        choices=("one_over_k", "zero", "one_over_k_from_zero"),
        help="A share of zero: 1/k (VisoGender), skew 0 (SocialCounterfactuals), or 1/k with "
        "a maximum that starts at 0 (debias-vision-lang).",
    ),
)
DESCRIPTORS = (
    MetricDescriptor(
        id="retrieval_max_skew",
        target="harness_benchmarks.metrics.retrieval:RetrievalMaxSkew",
        summary="Mean over concepts of MaxSkew@K of the images ranked by a neutral text.",
        version=2,
        direction="zero",
        options=_RETRIEVAL,
        needs_target=False,
    ),
    MetricDescriptor(
        id="retrieval_min_skew",
        target="harness_benchmarks.metrics.retrieval:RetrievalMinSkew",
        summary="Mean over concepts of MinSkew@K of the images ranked by a neutral text.",
        version=2,
        direction="zero",
        options=_RETRIEVAL,
        needs_target=False,
    ),
    MetricDescriptor(
        id="ndkl",
        target="harness_benchmarks.metrics.retrieval:Ndkl",
        summary="Normalised discounted KL divergence of the ranking's prefixes.",
        version=2,
        direction="zero",
        options=(
            *_RANKED,
            DESIRED,
            Option(
                name="form",
                default="divergence",
                choices=("divergence", "weighted_skew"),
                help="The usual NDKL over the whole ranking, or what SocialCounterfactuals' code "
                "calls NDKL: skew weighted by desired shares, over the first k prefixes.",
            ),
        ),
        needs_target=False,
    ),
    MetricDescriptor(
        id="bias_at_k",
        target="harness_benchmarks.metrics.retrieval:BiasAtK",
        summary="Difference of two groups among the first k over their sum.",
        version=2,
        direction="zero",
        options=(
            *_RANKED,
            Option(name="first", default="masculine", help="The group counted positive."),
            Option(name="second", default="feminine", help="The group counted negative."),
        ),
        needs_target=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Query:
    """One concept's images, best first.

    Attributes:
        order: ``(images,)`` places of samples.
        groups: ``(groups, images)`` 1 where the image has the value, in that order.
        names: The values of the attribute, sorted.
    """

    order: NDArray[np.intp]
    groups: Floats
    names: tuple[str, ...]


class _Retrieval(ABC):
    """A mean over concepts of what the ranking of a concept's images shows."""

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._field = str(options["concept"])
        # A spec without concepts has one ranking, and need not say so.
        self.reads = () if self._field == CONCEPT.default else (self._field,)
        text = str(options["attribute"])
        self._attributes = tuple(name.strip() for name in text.split(",") if name.strip())
        k = options.get("k")
        self._k = 10 if k is None else int(str(k))
        if self._k < 1:
            raise UserError(f"{self._k} is not a number of at least 1", where="option 'k'")
        self._raise_k = options["least_k"] == "groups"
        self._uniform = options.get("desired") == "uniform"
        self._zero = str(options.get("zero"))  # of the two skews alone

    def prepare(self, samples: Sequence[ScoredSample]) -> tuple[Query, ...]:
        """Return one ranking per concept; images without the attribute take no part."""
        by_concept: dict[str, list[tuple[int, float, str]]] = {}
        for index, sample in enumerate(samples):
            groups = sample.groups or {}
            if any(name not in groups for name in self._attributes):
                continue
            if not sample.scores:
                raise DataError("the record has no score to rank by", where=f"sample {sample.id!r}")
            if self._field not in sample.fields and sample.source not in {"", sample.id}:
                raise DataError(
                    f"the record has no concept in its field {self._field!r}",
                    where=f"sample {sample.id!r}",
                    fix=f"add {self._field} to data.keep of the spec",
                )
            concept = str(sample.fields.get(self._field, ""))
            value = " ".join(groups[name] for name in self._attributes)
            by_concept.setdefault(concept, []).append((index, sample.scores[0], value))
        return tuple(_query(held) for held in by_concept.values())

    def value(self, prepared: tuple[Query, ...], weights: Floats) -> Floats:
        """Return the mean over concepts under each row of weights."""
        import numpy as np

        if not prepared:
            return np.full(len(weights), np.nan)
        return mean_there(
            np.stack([self.query(query, weights[:, query.order]) for query in prepared], axis=-1)
        )

    @abstractmethod
    def query(self, query: Query, weights: Floats) -> Floats:
        """Return ``(draws,)`` values of one concept; ``weights`` are in the ranking's order."""

    def k(self, query: Query) -> int:
        """Return how many of the first images count."""
        return max(self._k, len(query.names)) if self._raise_k else self._k

    def desired(self, query: Query, weights: Floats) -> Floats:
        """Return ``(draws, groups)`` desired shares."""
        import numpy as np

        totals = weights @ query.groups.T
        if self._uniform:
            totals = (totals > 0).astype(np.float64)
        return ratio(totals, totals.sum(axis=-1, keepdims=True))

    def greatest(self, prepared: tuple[Query, ...]) -> float:
        """Return the skew of the value with the least desired share, were it all there is."""
        import numpy as np

        shares = [self.desired(query, np.ones((1, len(query.order))))[0] for query in prepared]
        least = [share[share > 0].min() for share in shares if (share > 0).any()]
        return -math.log(min(least)) if least else 0.0


class _RetrievalSkew(_Retrieval):
    """Skew@K: ``ln(share in the first k / desired share)`` of each value, then the extreme."""

    undefined = "no image has a value of the attribute"

    def query(self, query: Query, weights: Floats) -> Floats:
        """Return the extreme skew of a concept."""
        import numpy as np

        top = first(query, weights, self.k(query))
        retrieved = top.sum(axis=-1, keepdims=True)
        share = ratio(top, retrieved)
        desired = self.desired(query, weights)
        defined = (desired > 0) & (retrieved > 0)
        if self._zero != "zero":
            share = np.where(top > 0, share, ratio(np.ones_like(retrieved), retrieved))
        defined &= share > 0
        skews = np.full(share.shape, np.nan)
        np.log(np.divide(share, desired, out=skews, where=defined), out=skews, where=defined)
        if self._zero == "zero":
            skews = np.where((top == 0) & (desired > 0) & (retrieved > 0), 0.0, skews)
        return self.pick(skews)

    @abstractmethod
    def pick(self, skews: Floats) -> Floats:
        """Return the extreme over the last axis."""


class RetrievalMaxSkew(_RetrievalSkew):
    """Mean over concepts of the highest Skew@K (VisoGender's ``maxskew@k`` by default).

    With ``zero=one_over_k_from_zero`` the maximum starts at 0 and is never negative, as in
    debias-vision-lang.
    """

    def range_of(self, prepared: tuple[Query, ...]) -> Range:
        """Return from 0, as one value has at least its share, to the skew of all being one."""
        return 0.0, self.greatest(prepared)

    def pick(self, skews: Floats) -> Floats:
        """Return the highest."""
        import numpy as np

        greatest = highest(skews)
        return np.maximum(greatest, 0.0) if self._zero == "one_over_k_from_zero" else greatest


class RetrievalMinSkew(_RetrievalSkew):
    """Mean over concepts of the lowest Skew@K."""

    def range_of(self, prepared: tuple[Query, ...]) -> Range:
        """Return from one image of k for all, to 0 where no share is raised to 1 / k."""
        least = -math.log(max((self.k(query) for query in prepared), default=1))
        return least, 0.0 if self._zero == "zero" else self.greatest(prepared)

    def pick(self, skews: Floats) -> Floats:
        """Return the lowest."""
        return lowest(skews)


class BiasAtK(_Retrieval):
    """Mean over concepts of ``(first - second) / (first + second)`` among the first k.

    VisoGender's ``bias@k``, with ``first`` masculine and ``second`` feminine.
    """

    range = (-1.0, 1.0)
    undefined = "no image of either value is among the first k of a concept"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._first = str(options["first"])
        self._second = str(options["second"])

    def query(self, query: Query, weights: Floats) -> Floats:
        """Return a concept's bias; NaN when neither value is among the first k."""
        import numpy as np

        top = first(query, weights, self.k(query))
        by_name = {name: top[:, place] for place, name in enumerate(query.names)}
        none = np.zeros(len(weights))
        first_share, second = by_name.get(self._first, none), by_name.get(self._second, none)
        return ratio(first_share - second, first_share + second)


class Ndkl(_Retrieval):
    """Mean over concepts of the normalised discounted KL divergence of the ranking's prefixes.

    ``sum_i KL(shares of the first i || desired) / log2(i + 1)`` over ``sum_i 1 / log2(i + 1)``,
    natural logarithm, terms of share zero left out (Geyik et al. 2019; VisoGender's metrics.py).

    With ``form=weighted_skew`` what SocialCounterfactuals' code calls NDKL (``evaluate_ndkl``,
    IntelLabs/multimodal_cognitive_ai 9fb11e45): no divergence but skew weighted by the desired
    shares, over the first k prefixes; 0 at parity, mostly below 0 otherwise.
    """

    undefined = "no image has a value of the attribute"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._divergence = options["form"] == "divergence"

    def range_of(self, prepared: tuple[Query, ...]) -> Range:
        """Return what a divergence can be; the weighted skew is at most 1 / e (Jensen)."""
        return (0.0, self.greatest(prepared)) if self._divergence else (None, 1 / math.e)

    def query(self, query: Query, weights: Floats) -> Floats:
        """Return a concept's NDKL; an image drawn twice stands twice in the ranking."""
        import numpy as np

        desired = self.desired(query, weights)
        ranking = _drawn(query, weights)
        lengths = (ranking >= 0).sum(axis=1)
        if not self._divergence:
            lengths = np.minimum(lengths, self.k(query))
            ranking = ranking[:, : lengths.max(initial=0)]
        ranks = np.arange(1, ranking.shape[1] + 1)
        # A share is a count over a rank, so its logarithm is a difference of two of these.
        logs = np.log(np.maximum(np.arange(ranking.shape[1] + 1), 1))
        log_desired = np.log(np.where(desired > 0, desired, 1))
        by_rank = np.zeros(ranking.shape)
        # A group at a time: all groups of every draw at once would be several gigabytes.
        for group in range(len(query.names)):
            counts = np.cumsum(ranking == group, axis=1, dtype=np.int32)
            skews = logs[counts] - logs[1:] - log_desired[:, [group]]
            part = counts / ranks if self._divergence else desired[:, [group]] * (counts > 0)
            by_rank += part * skews
        discount = np.where(ranks <= lengths[:, None], 1 / np.log2(ranks + 1), 0.0)
        return ratio((by_rank * discount).sum(axis=1), discount.sum(axis=1))


def _drawn(query: Query, weights: Floats) -> NDArray[np.int16]:
    """Return ``(draws, longest)`` groups in the order of the ranking, -1 past the end of a draw."""
    import numpy as np

    times = weights.astype(np.intp)
    lengths = times.sum(axis=1)
    ranking = np.full((len(times), lengths.max(initial=0)), -1, dtype=np.int16)
    groups = query.groups.argmax(axis=0).astype(np.int16)
    inside = np.arange(ranking.shape[1]) < lengths[:, None]
    ranking[inside] = np.repeat(np.broadcast_to(groups, times.shape).ravel(), times.ravel())
    return ranking


def first(query: Query, weights: Floats, k: int) -> Floats:
    """Return how many of the first k images have each value, ``(draws, groups)``."""
    import numpy as np

    # Of a hundred thousand images only those are looked at among which every draw has its k.
    length = min(2 * k, weights.shape[1])
    reached = np.cumsum(weights[:, :length], axis=1)
    while length < weights.shape[1] and (reached[:, -1] < k).any():
        length = min(2 * length, weights.shape[1])
        reached = np.cumsum(weights[:, :length], axis=1)
    drawn = weights[:, :length]
    inside = np.clip(k - (reached - drawn), 0, drawn)
    prefix_counts: Floats = inside @ query.groups[:, :length].T
    return prefix_counts


def _query(entries: Sequence[tuple[int, float, str]]) -> Query:
    import numpy as np

    places = np.array([place for place, _, _ in entries], dtype=np.intp)
    ranked = np.argsort(-np.array([score for _, score, _ in entries]), kind="stable")
    names = tuple(sorted({value for _, _, value in entries}))
    values = np.array([names.index(value) for _, _, value in entries])[ranked]
    groups = (values == np.arange(len(names))[:, None]).astype(np.float64)
    return Query(places[ranked], groups, names)
