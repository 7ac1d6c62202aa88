"""The metric contract: sums over clusters, ranks under weights, or a comparison of groups."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from harness.descriptors import Json
from harness.stats.interval import Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.stats.types import Floats, Label


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """One line of ``samples.jsonl`` as a metric sees it; samples that errored never reach it.

    Attributes:
        target: As the reader gave it; ``None`` for metrics that need none.
        answer: The extracted answer (a label, or ``[x, y]``); ``None`` when unparsed.
        scores: One score per option (or text of an ``embed`` task), normalised, or ``None``.
        labels: Labels of a choice task, in the order of ``scores``.
        size: Width and height in pixels of the first image, or ``None`` when it was not opened.
        groups: Slice to value.
        fields: The fields the spec keeps for metrics (``data.keep``).
        stratum: Clusters are resampled within it.
        source: Id of the sample before the spec asked it about each of several values.
        score_kind: ``logprob``, ``similarity``, ``label``; empty without scores.
        vectors: Unit vectors of the image and each text in base64 of little-endian float32, where
            the spec keeps them; else empty.
    """

    id: str
    cluster: str
    target: Json
    answer: Json
    scores: tuple[float, ...] | None = None
    labels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    groups: Mapping[str, str] | None = None
    fields: Mapping[str, Json] = field(default_factory=dict)
    stratum: str = ""
    source: str = ""
    score_kind: str = ""
    vectors: str = ""


@runtime_checkable
class AdditiveMetric(Protocol):
    """A metric computed from sums over samples, so that a bootstrap is one matrix product.

    A metric of any kind may declare its range, ``range = (0.0, 1.0)`` (``None`` for an open
    end): intervals are clipped to it, and a value outside it is an error of the plugin. It may
    declare the fields of a sample that it reads, ``reads = ("scene",)``: a spec that does not keep
    one of them is refused before a model is asked. It may say when it has no
    value, ``undefined = "no answer is yes"``, which the record and the table repeat.

    A metric whose statistics are correct answers at 0 (or fractions from 0 to 1) and answers at
    1, and whose value is their ratio, may set ``proportion = True``: it gets a Wilson interval
    if answers are binary and samples independent, and if all answers are equal.

    Attributes:
        size: Length of the statistics vector; it may grow while samples arrive, and positions never
            change. If they depend on the order of samples, so do bootstrap draws.
    """

    size: int

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return a sample's non-zero statistics by position; the harness adds them per cluster."""
        ...

    def finalize(self, totals: Floats) -> Floats:
        """Return the metric's value from summed statistics.

        Args:
            totals: ``(..., size)`` float64, one row per bootstrap draw.

        Returns:
            ``(...)`` float64; NaN where the metric is not defined.
        """
        ...


@runtime_checkable
class SampleScore(Protocol):
    """A metric with a value for each sample; ``samples.jsonl`` records the headline metric's."""

    def score(self, sample: ScoredSample) -> float:
        """Return one sample's value."""
        ...


@runtime_checkable
class RankMetric(Protocol):
    """A metric of ranks (average precision, AUC): a bootstrap passes it weights of samples."""

    def prepare(self, samples: Sequence[ScoredSample]) -> Any:
        """Return arrays for :meth:`value`, such as sorted scores."""
        ...

    def value(self, prepared: Any, weights: Floats) -> Floats:
        """Return the value under each row of weights.

        Args:
            prepared: What :meth:`prepare` returned.
            weights: ``(draws, samples)`` float64: how often each sample was drawn.

        Returns:
            ``(draws,)`` float64; NaN where the metric is not defined.
        """
        ...


@runtime_checkable
class TellsNotes(Protocol):
    """A metric of ranks that excludes some samples and reports how many."""

    def notes(self, samples: Sequence[ScoredSample]) -> Mapping[str, int]:
        """Return the kinds of samples that the number excludes, in a few words, with counts."""
        ...


@runtime_checkable
class RangeOfData(Protocol):
    """A metric of ranks whose range depends on the data, such as on shares of groups."""

    def range_of(self, prepared: Any) -> Range:
        """Return the range of the value, given the prepared arrays."""
        ...


@runtime_checkable
class HasUnits(Protocol):
    """A metric of ranks that is the fraction of correct units (such as questions)."""

    def units(self, prepared: Any) -> tuple[NDArray[np.intp], Floats]:
        """Return two arrays ``(units,)``: the index of a sample of each, and 1 if it is correct."""
        ...


class GroupCounts(Protocol):
    """The counts of a metric that compares groups; metrics with equal keys share them.

    Those that are faster on many samples at once may have ``coded(samples)``: an array of the place
    of each one's statistics in a list that only grows, and that list; ``None`` if it has no way.

    Attributes:
        key: Equal for metrics whose statistics and labels are equal.
        size: As in :class:`AdditiveMetric`.
    """

    key: Hashable

    @property
    def size(self) -> int:
        """Length of the statistics vector so far."""
        ...

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return a sample's non-zero statistics by position."""
        ...

    def label(self, sample: ScoredSample) -> Label:
        """Return the attribute values by which a sample is compared."""
        ...

    def columns(self) -> Sequence[int]:
        """Return the positions in the order of the totals' columns; called after all samples.

        It must not depend on the order of samples: sort named positions by name.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """A table beside a number, before intervals are added.

    Attributes:
        name: Such as ``by attribute``.
        keys: Key of each row, such as ``{"concept": "doctor"}``.
        values: ``(..., rows)``.
        counts: Named counts, each ``(rows,)``; NaN leaves the cell empty.
        simultaneous: Whether the rows are components, or their extremes: their band is the ends'.
    """

    name: str
    keys: Sequence[Mapping[str, str]]
    values: Floats
    counts: Mapping[str, Floats] = field(default_factory=dict)
    simultaneous: bool = False


@runtime_checkable
class CountsMerge(Protocol):
    """Counts of a metric of groups whose positions depend on the answers, such as bins of scores.

    Two evaluations are compared position by position, so each first adds the other's positions.
    """

    def merge(self, other: Any) -> None:
        """Add every position of another evaluation's counts with the same key."""
        ...


@runtime_checkable
class ComparisonTellsNotes(Protocol):
    """A comparison that reports which of what it compares has no value."""

    def notes(self) -> Mapping[str, int]:
        """Return the kinds of things left out of the number, in a few words, and their counts."""
        ...


class Comparison(Protocol):
    """A metric of groups after all samples were counted, when everything it depends on is fixed.

    The value is ``combine(components(totals))``. ``combine`` must not fall if a component rises,
    so that a band of the components gives a band of the value. A comparison may also declare
    the range of both (:class:`Bounded`).
    """

    def components(self, totals: Floats) -> Floats:
        """Return ``(..., components)`` from ``(..., parts, size)``; NaN where undefined."""
        ...

    def combine(self, components: Floats) -> Floats:
        """Return ``(...)`` values from ``(..., components)``."""
        ...

    def tables(self, components: Floats) -> Sequence[Rows]:
        """Return the tables beside the number, for any leading axes."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A comparison that declares the range of its numbers on these data.

    One may have ``unseen``, ``(components,)``: which get their bounds as a band, since draws show
    nothing of them, such as the share of a group that is never assigned.
    """

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the least and the greatest of each component, ``(components,)`` each."""
        ...

    def range(self) -> Range:
        """Return the range of the value that :meth:`Comparison.combine` returns."""
        ...


@runtime_checkable
class GroupMetric(Protocol):
    """A metric that compares groups of samples with each other, such as skew.

    Metrics that compute other components from the same counts differ in ``family``, a text.

    Attributes:
        counts: Its counts; the harness fills one object for all metrics with the same key.
        extreme: The tail of the chance distribution that counts as evidence against chance.
    """

    counts: GroupCounts
    extreme: Literal["low", "high"]

    def parts(self, labels: Sequence[Label]) -> Sequence[Label]:
        """Return the groups to compare; a sample is in each part that its label contains."""
        ...

    def settle(self, counts: Any, parts: Sequence[Label], totals: Floats) -> Comparison:
        """Return the comparison that the data ``(parts, size)`` define.

        Args:
            counts: The object that counted the samples.
            parts: As :meth:`parts` gave them.
            totals: Sums over all samples.
        """
        ...

    def beside(self, counts: Any, labels: Sequence[Label], totals: Floats) -> Sequence[Rows]:
        """Return tables without intervals, from sums ``(labels, size)`` over each full label."""
        ...


def range_of(metric: object, prepared: object = None) -> Range:
    """Return the range that a metric declares; no ends where it declares none.

    Args:
        metric: A metric of sums or of ranks.
        prepared: What a metric of ranks has prepared, where its range follows from the data.
    """
    if prepared is not None and isinstance(metric, RangeOfData):
        return metric.range_of(prepared)
    low, high = getattr(metric, "range", (None, None))
    return low, high
