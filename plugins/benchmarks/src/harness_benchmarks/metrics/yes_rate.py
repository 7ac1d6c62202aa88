"""Share of positive answers: what a skew has to be read beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor
from harness.metrics.classes import ratio

from harness_benchmarks.metrics.skew import POSITIVE

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="yes_rate",
        target="harness_benchmarks.metrics.yes_rate:YesRate",
        summary="Share of positive answers.",
        direction="none",
        options=(POSITIVE,),
        needs_target=False,
    ),
)


class YesRate:
    """Share of answers that are the positive one; an unparsed answer is not."""

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._positive = str(options["positive"])

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return positive answers at 0 and answers at 1."""
        return {0: float(sample.answer == self._positive), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return positive answers over answers."""
        return ratio(totals[..., 0], totals[..., 1])
