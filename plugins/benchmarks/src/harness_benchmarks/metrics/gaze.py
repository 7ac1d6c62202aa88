"""Distances between a named point and where annotators say a person looks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor
from harness.errors import DataError
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="l2_avg",
        target="harness_benchmarks.metrics.gaze:AverageL2",
        version=2,
        summary="Distance to the mean of the annotators' points, in shares of the image.",
        direction="lower",
    ),
    MetricDescriptor(
        id="l2_min",
        target="harness_benchmarks.metrics.gaze:MinimumL2",
        version=2,
        summary="Distance to the nearest annotator's point, in shares of the image.",
        direction="lower",
    ),
)


Point = tuple[float, float]
_MISSING: Point = (-1.0, -1.0)
_CORNERS: tuple[Point, ...] = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


def annotated_points(sample: ScoredSample) -> list[Point]:
    """Return a target's points as shares of width and height, one an annotator.

    A point of -1, -1 is an annotator's that is missing, and is dropped, as
    ``eval_on_gazefollow.py`` does.

    Raises:
        DataError: when the target is not a list of points, or none is left.
    """
    points = sample.target if isinstance(sample.target, list) else []
    parsed = [point for point in map(_point, points) if point is not None]
    if not parsed or len(parsed) != len(points):
        raise DataError("the target is not a list of [x, y]", where=f"sample {sample.id!r}")
    given_points = [point for point in parsed if point != _MISSING]
    if not given_points:
        raise DataError("no annotator gave a point", where=f"sample {sample.id!r}")
    return given_points


def named_point(sample: ScoredSample) -> Point | None:
    """Return the answer's point; ``None`` when it is unparsed."""
    return _point(sample.answer)


def _point(value: Json) -> Point | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    x, y = value
    if isinstance(x, int | float) and isinstance(y, int | float):
        return (float(x), float(y)) if math.isfinite(x) and math.isfinite(y) else None
    return None


class _MeanDistance(ABC):
    """A mean over samples, in shares of width and height; the farthest corner when unparsed."""

    size = 2
    range = (0.0, None)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options, labels

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return the distance at 0 and the sample at 1."""
        points, answer = annotated_points(sample), named_point(sample)
        answers = _CORNERS if answer is None else (answer,)
        return {0: max(self.distance(point, points) for point in answers), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean distance."""
        return ratio(totals[..., 0], totals[..., 1])

    @abstractmethod
    def distance(self, point: Point, annotated: Sequence[Point]) -> float:
        """Return the distance from a named point to the annotators' points."""


class AverageL2(_MeanDistance):
    """Distance to the *mean* of the annotators' points (``eval_on_gazefollow.py``, Chong et al.).

    Not the mean of the distances. Units are shares of width and height, so a diagonal is 1.414.
    """

    def distance(self, point: Point, annotated: Sequence[Point]) -> float:
        """Return the distance to the mean point."""
        middle = (
            math.fsum(x for x, _ in annotated) / len(annotated),
            math.fsum(y for _, y in annotated) / len(annotated),
        )
        return math.dist(point, middle)


class MinimumL2(_MeanDistance):
    """Least distance to any annotator's point (``eval_on_gazefollow.py``, Chong et al.)."""

    def distance(self, point: Point, annotated: Sequence[Point]) -> float:
        """Return the distance to the nearest annotated point."""
        return min(math.dist(point, other) for other in annotated)
