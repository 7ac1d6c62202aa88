"""The metric contract: statistics that add up over clusters, or ranks that take record weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.descriptors import Json

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """One line of ``samples.jsonl`` as a metric sees it; samples that errored never reach it.

    Attributes:
        target: As the reader gave it; ``None`` for metrics that need none.
        answer: The extracted answer (a label, or ``[x, y]``); ``None`` when unparsed.
        scores: One score an option after normalisation, or ``None``.
        labels: Labels of a choice task, in the order of ``scores``.
        size: Width and height in pixels of the first image, or ``None`` when it was not opened.
        groups: Slice to value.
        fields: The fields the spec keeps for metrics (``data.keep``).
        stratum: Clusters are resampled within it.
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


@runtime_checkable
class AdditiveMetric(Protocol):
    """A metric of sums: a bootstrap is then one matrix product.

    Attributes:
        size: Length of the statistics vector.
    """

    size: int

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return a sample's non-zero statistics by position; the harness adds them per cluster."""
        ...

    def finalize(self, totals: Floats) -> Floats:
        """Return the metric's value from summed statistics.

        Args:
            totals: ``(..., size)`` float64, one row a bootstrap draw.

        Returns:
            ``(...)`` float64; NaN where the metric is not defined.
        """
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
