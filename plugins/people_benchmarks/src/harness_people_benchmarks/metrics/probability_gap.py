"""How much likelier one answer is for one group of people than for another, concept by concept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ratio

from harness_people_benchmarks.metrics.probability import probability_of

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

DESCRIPTORS = (
    MetricDescriptor(
        id="probability_gap",
        target="harness_people_benchmarks.metrics.probability_gap:ProbabilityGap",
        summary="Mean over concepts of the size of the gap in the probability of an answer.",
        direction="lower",
        options=(
            Option(name="concept", default="concept", help="Field that names the concept."),
            Option(name="positive", default="yes", help="The answer whose probability counts."),
            Option(name="attribute", default="gender", help="Group whose values are compared."),
            Option(name="first", default="", help="First value of the attribute."),
            Option(name="second", default="", help="Second value of the attribute."),
        ),
        needs_target=False,
    ),
)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Probabilities by concept and side: columns ``2c`` and ``2c + 1`` hold the two values.

    Attributes:
        probabilities: ``(samples, 2 concepts)`` the probability, at each sample's column.
        counts: The same, 1 for each sample.
    """

    probabilities: csr_array
    counts: csr_array


class ProbabilityGap:
    """Mean over concepts of ``|mean P(first) - mean P(second)|``, in ``[0, 1]``.

    A concept that nobody of one value was asked about has no gap.
    """

    range = (0.0, 1.0)
    undefined = "no concept has images of both values"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self._concept, self._positive = str(options["concept"]), str(options["positive"])
        self._attribute = str(options["attribute"])
        self.reads = (self._concept,)
        self._values = [str(options["first"]), str(options["second"])]
        if not all(self._values) or self._values[0] == self._values[1]:
            raise UserError(
                "probability_gap needs two different values", where="options first, second"
            )
        if labels and self._positive not in labels:
            raise UserError(
                f"{self._positive!r} is not among the labels", where="option 'positive'"
            )

    def prepare(self, samples: Sequence[ScoredSample]) -> _Sides:
        """Return each sample's probability at the column of its concept and side."""
        import numpy as np
        from scipy.sparse import csr_array

        names = sorted({str(sample.fields.get(self._concept)) for sample in samples})
        columns = {name: 2 * at for at, name in enumerate(names)}
        positions, places, shares = [], [], []
        for position, sample in enumerate(samples):
            value = (sample.groups or {}).get(self._attribute)
            if value in self._values:
                column = columns[str(sample.fields.get(self._concept))]
                positions.append(position)
                places.append(column + self._values.index(value))
                shares.append(probability_of(sample, self._positive))
        shape = len(samples), 2 * len(names)
        where: tuple[NDArray[np.intp], NDArray[np.intp]] = (
            np.array(positions, dtype=np.intp), np.array(places, dtype=np.intp),
        )  # fmt: skip
        return _Sides(
            csr_array((np.array(shares, dtype=np.float64), where), shape),
            csr_array((np.ones(len(shares)), where), shape),
        )

    def value(self, prepared: _Sides, weights: Floats) -> Floats:
        """Return ``(draws,)`` means over concepts with both sides."""
        import numpy as np

        means = ratio(weights @ prepared.probabilities, weights @ prepared.counts)
        gaps = np.abs(means[:, 0::2] - means[:, 1::2])
        defined = ~np.isnan(gaps)
        return ratio(np.where(defined, gaps, 0.0).sum(-1), defined.sum(-1).astype(np.float64))
