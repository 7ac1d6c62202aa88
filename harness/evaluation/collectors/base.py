"""What all kinds of metrics have in common: samples go in, values with intervals come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.errors import PluginError
from harness.evaluation.collectors.frame import Frame, Parts
from harness.guard import Contract
from harness.metrics import ScoredSample
from harness.runs.record import Detail, MetricValue
from harness.specs import MetricSpec
from harness.stats.interval import Chance, Interval, Range
from harness.stats.intervals import Resampled
from harness.stats.paired import Paired
from harness.stats.types import Floats

Shared = dict[Hashable, Any]
"""What collectors of one evaluation keep once for all of them; each kind has keys of its own."""

_SLACK = 1e-9


@dataclass(frozen=True)
class ByPart:
    """One metric in every part.

    Attributes:
        resampled: Values of all parts, in the data and in the same draws.
        intervals: The interval of each part's value.
        ranges: The range of each part's value.
        permuted: Yields the values of all parts with labels permuted, ``(parts,)`` each.
        within: Whether labels are permuted within clusters.
    """

    resampled: Resampled
    intervals: Sequence[Interval | None]
    ranges: Sequence[Range]
    permuted: Callable[[], Iterator[Floats]]
    within: bool


@dataclass(frozen=True)
class PairedParts:
    """One metric of two evaluations in every part that it has a value for.

    Attributes:
        first: ``(parts,)`` values in the first evaluation.
        second: ``(parts,)`` values in the second.
        paired: What a paired test says of each part.
        mcnemar: Exact p value of McNemar's test over everything, for independent right or wrong
            answers.
    """

    first: Floats
    second: Floats
    paired: Sequence[Paired]
    mcnemar: float | None = None


class Collector(ABC):
    """One metric over the scored samples of an evaluation; each kind of metric is a subclass.

    A kind is one file in this folder with a subclass of this; nothing lists it.

    Attributes:
        protocol: What a metric of this kind can do.
        wants: The methods of that, for a message about an object of no kind.
        rank: Place among the kinds; a metric that can do what several want is of the first.
    """

    protocol: ClassVar[type]
    wants: ClassVar[str]
    rank: ClassVar[int]

    def __init__(
        self, spec: MetricSpec, metric: Any, shared: Shared, *, needs_target: bool
    ) -> None:
        del shared
        self.spec, self.metric, self.needs_target = spec, metric, needs_target

    @staticmethod
    @abstractmethod
    def guarded(metric: Any, contract: Contract) -> Any:
        """Return a stand-in for a plugin's metric whose faults become one message.

        Raises:
            PluginError: the metric breaks its contract already.
        """

    @abstractmethod
    def add(self, *samples: ScoredSample) -> None:
        """Add the next samples."""

    @abstractmethod
    def point(self, frame: Frame) -> float:
        """Return the value over the samples so far, without an interval."""

    @abstractmethod
    def overall(self, frame: Frame, seed: int) -> MetricValue:
        """Return the value over all samples, with its interval."""

    @abstractmethod
    def by_slice(self, parts: Parts, frame: Frame, seed: int) -> ByPart | None:
        """Return the value in every part; ``None`` for a metric that has none in a slice."""

    @abstractmethod
    def paired(self, other: Any, parts: Parts, frame: Frame, seed: int) -> PairedParts:
        """Compare with the same metric of another evaluation of the same samples.

        Args:
            other: The other evaluation's collector; its samples came in the same order.
            parts: Everything, and the slices compared.
            frame: Where the samples of both belong.
            seed: Seed of draws and permutations.
        """

    def tables(self, frame: Frame, seed: int) -> list[Detail]:
        """Return the tables beside the value."""
        del frame, seed
        return []

    def notes(self) -> Mapping[str, int]:
        """Return what the metric leaves out of its value, and how often."""
        return {}

    def reason(self) -> str:
        """Say why the metric has no value, where it has none."""
        said = getattr(self.metric, "undefined", "") or "; ".join(self.notes())
        return said or "no sample gives it a value"

    def takes(self, sample: ScoredSample) -> bool:
        """Whether the metric sees a sample: most see none without a target."""
        return sample.target is not None or not self.needs_target

    def recorded(
        self,
        value: float,
        interval: Interval | None,
        possible: Range = (None, None),
        chance: Chance | None = None,
    ) -> MetricValue:
        """Return a value as it is recorded; an undefined one is ``None``.

        Raises:
            PluginError: the value is not in the range that the metric declares.
        """
        spec, defined = self.spec, bool(np.isfinite(value))
        low, high = possible
        if defined and not (
            (low is None or value >= low - _SLACK) and (high is None or value <= high + _SLACK)
        ):
            raise PluginError(
                f"metric {spec.id!r} gives {value:g}, outside the range {low} to {high} it "
                "declares",
                fix="the plugin that brings it declares another range, or mends the value",
            )
        return MetricValue(
            id=spec.id,
            column=spec.column,
            direction=spec.direction,
            scale=spec.scale,
            main=spec.main,
            value=float(value) if defined else None,
            interval=interval if defined else None,
            options=dict(spec.options),
            chance=chance if defined else None,
            range=possible,
            undefined="" if defined else self.reason(),
        )
