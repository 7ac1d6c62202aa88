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
    """A metric of sums: a bootstrap is then one matrix product.

    A metric of any kind may say between which values it lies, ``range = (0.0, 1.0)`` (``None`` for
    no end): no interval reads beyond. A value outside it is an error of the plugin.

    A metric whose statistics are right answers at 0 (or shares of one, from 0 to 1) and answers at
    1, and whose value is their ratio, may say ``proportion = True``: it gets a Wilson interval
    where answers are right or wrong and samples are independent, and where all are alike.

    Attributes:
        size: Length of the statistics vector; it may grow while samples come, and positions that
            were handed out stay. Where they follow the order of samples, so do bootstrap draws.
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
    """A metric of which a single sample has a value: a headline's stands in ``samples.jsonl``."""

    def score(self, sample: ScoredSample) -> float:
        """Return one sample's value."""
        ...


@runtime_checkable
class RankMetric(Protocol):
    """A metric of ranks (average precision, AUC): it takes weights of records instead."""

    def prepare(self, samples: Sequence[ScoredSample]) -> Any:
        """Return arrays that :meth:`value` reads (sorted once)."""
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
        """Return what is excluded from the number, in a few words, and how often in all samples."""
        ...


@runtime_checkable
class RangeOfData(Protocol):
    """A metric of ranks whose range follows from the data, such as from shares of groups."""

    def range_of(self, prepared: Any) -> Range:
        """Return the range of the value, given the prepared arrays."""
        ...


@runtime_checkable
class HasUnits(Protocol):
    """A metric of ranks that is the share of units (such as questions) that are right."""

    def units(self, prepared: Any) -> tuple[NDArray[np.intp], Floats]:
        """Return ``(units,)`` the place of one sample of each, and 1 where it is right, else 0."""
        ...


class GroupCounts(Protocol):
    """Statistics of a metric that compares groups; metrics with equal keys share them.

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
        """Return the positions in the order in which totals hold them, once all samples are in.

        The order in which samples came must not matter: what is named sorts by name.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """A table beside a number, before intervals are added.

    Attributes:
        name: Such as ``by attribute``.
        keys: Key of each row, such as ``{"concept": "doctor"}``.
        values: ``(..., rows)``.
        counts: Named counts, each ``(rows,)``; NaN is written as nothing.
        simultaneous: Whether the rows are the metric's components, in order: they get its band.
    """

    name: str
    keys: Sequence[Mapping[str, str]]
    values: Floats
    counts: Mapping[str, Floats] = field(default_factory=dict)
    simultaneous: bool = False


@runtime_checkable
class CountsMerge(Protocol):
    """Counts of a metric of groups whose positions depend on the answers, such as bins of scores.

    Two evaluations are compared position by position, so each learns the other's first.
    """

    def merge(self, other: Any) -> None:
        """Know every position of another evaluation's counts of the same key too."""
        ...


@runtime_checkable
class CountsTellNotes(Protocol):
    """Counts of a metric of groups that know what has no value, and say so."""

    def notes(self) -> Mapping[str, int]:
        """Return what is left out of the number in a few words, and how often."""
        ...


class Comparison(Protocol):
    """A metric of groups, with everything decided that depends on all of the data.

    The value is ``combine(components(totals))``. ``combine`` never falls when a component rises,
    so that a band of the components gives a band of the value. It may say between which values
    these lie (:class:`Bounded`).
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
    """A comparison that says between which values its numbers lie on these data."""

    def bounds(self) -> tuple[Floats, Floats]:
        """Return the least and the greatest of each component, ``(components,)`` each."""
        ...

    def range(self) -> Range:
        """Return between which values the number lies that :meth:`Comparison.combine` gives."""
        ...


@runtime_checkable
class GroupMetric(Protocol):
    """A metric that compares groups of samples with each other, such as skew.

    Metrics that make other components of the same counts say so by a ``family``, a text.

    Attributes:
        counts: What it counts; the harness feeds one of all that have the same key.
        extreme: Which tail of the values expected by chance speaks against chance.
    """

    counts: GroupCounts
    extreme: Literal["low", "high"]

    def parts(self, labels: Sequence[Label]) -> Sequence[Label]:
        """Return the parts compared; a sample is in each part that its label contains."""
        ...

    def settle(self, counts: Any, parts: Sequence[Label], totals: Floats) -> Comparison:
        """Return the comparison that the data ``(parts, size)`` define.

        Args:
            counts: What counted the samples.
            parts: As :meth:`parts` gave them.
            totals: Sums over all samples.
        """
        ...

    def beside(self, counts: Any, labels: Sequence[Label], totals: Floats) -> Sequence[Rows]:
        """Return tables without intervals, from sums ``(labels, size)`` of each whole label."""
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
