"""Share of answers that are among labels that nobody should get, such as denigrating ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError, unknown
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="unwanted_rate",
        target="harness_people_benchmarks.metrics.unwanted:UnwantedRate",
        summary="Share of answers that are among labels that nobody should get.",
        direction="lower",
        options=(
            Option(
                name="names", default="", help="Labels that nobody should get, separated by commas."
            ),
            Option(
                name="unlisted",
                default="refuse",
                choices=("refuse", "zero"),
                help="Refuse a label that the task does not offer, or take it as never answered.",
            ),
        ),
        needs_target=False,
    ),
)


class UnwantedRate:
    """Share of answers among the labels of the option, in ``[0, 1]``; an unparsed one is not.

    Raises:
        UserError: no label is named, or one that the task does not offer.
    """

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        named = [name.strip() for name in str(options["names"]).split(",")]
        self._labels = frozenset(filter(None, named))
        if not self._labels:
            raise UserError("unwanted_rate needs names of labels", where="option 'names'")
        if options["unlisted"] == "refuse":
            for name in sorted(self._labels - set(labels)):
                raise unknown("label", name, labels, where="option 'names'")

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return answers among the labels at 0 and answers at 1."""
        return {0: float(sample.answer in self._labels), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the share."""
        return ratio(totals[..., 0], totals[..., 1])
