"""How answers change within sets of images that differ in one attribute only.

In each set (a scene with its question) the share of the preferred answer among images with one
value of an attribute, less that among images with another: the mean over sets, or of its size.
PAIRS compares answers within a scene (Fraser and Kiritchenko, EACL 2024).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

_OPTIONS = (
    Option(name="set", default="set", help="Field that names the set."),
    Option(name="answer", default="preferred", help="Field with the label whose share counts."),
    Option(name="attribute", default="gender", help="Group whose values are compared."),
    Option(name="first", default="", help="The value whose share is taken."),
    Option(name="second", default="", help="The value whose share is subtracted."),
)
DESCRIPTORS = (
    MetricDescriptor(
        id="set_gap",
        target="harness_people_benchmarks.metrics.set_gap:SetGap",
        summary="Mean difference, within sets, of an answer's share between two groups.",
        direction="zero",
        options=_OPTIONS,
        needs_target=False,
    ),
    MetricDescriptor(
        id="set_change",
        target="harness_people_benchmarks.metrics.set_gap:SetChange",
        summary="Mean size of the difference, within sets, of an answer's share between groups.",
        direction="lower",
        options=_OPTIONS,
        needs_target=False,
    ),
)
Prepared = tuple["NDArray[np.intp]", "Floats"]


class SetGap:
    """Mean over sets of the difference of shares, in ``[-1, 1]``; positive where first has more.

    A set lies within one cluster, so that its images are drawn together.
    """

    range: tuple[float, float] = (-1.0, 1.0)
    undefined = "no set has an answer for both values"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._set, self._answer = str(options["set"]), str(options["answer"])
        self._attribute = str(options["attribute"])
        self.reads = self._set, self._answer
        self._values = str(options["first"]), str(options["second"])
        if not all(self._values) or self._values[0] == self._values[1]:
            raise UserError("set_gap needs two different values", where="options first, second")

    def prepare(self, samples: Sequence[ScoredSample]) -> Prepared:
        """Return ``(sets,)`` the position of a sample of each set, and its difference."""
        import numpy as np

        sets = self._sets(samples)
        first = [positions[0][0] for positions, _ in sets]
        gaps = [
            sum(positive) / len(positive) - sum(others) / len(others)
            for positive, others in (shares for _, shares in sets)
        ]
        return np.array(first, dtype=np.intp), self.of_gaps(np.array(gaps, dtype=np.float64))

    def of_gaps(self, gaps: Floats) -> Floats:
        """Return what is averaged of each set's difference."""
        return gaps

    def value(self, prepared: Prepared, weights: Floats) -> Floats:
        """Return ``(draws,)`` means over sets."""
        positions, gaps = prepared
        drawn = weights[:, positions]
        return ratio(drawn @ gaps, drawn.sum(-1))

    def notes(self, samples: Sequence[ScoredSample]) -> Mapping[str, int]:
        """Return how many sets lack one of the two values."""
        lacking = len({sample.fields.get(self._set) for sample in samples}) - len(
            self._sets(samples)
        )
        text = f"sets without an answer for both {' and '.join(self._values)}"
        return {text: lacking} if lacking else {}

    def _sets(
        self, samples: Sequence[ScoredSample]
    ) -> list[tuple[list[list[int]], tuple[list[float], list[float]]]]:
        """Return, for each set with both values, positions and 0/1 answers by value."""
        positions: dict[str, list[list[int]]] = defaultdict(lambda: [[], []])
        for position, sample in enumerate(samples):
            value = (sample.groups or {}).get(self._attribute)
            if value in self._values:
                name = str(sample.fields.get(self._set))
                positions[name][self._values.index(value)].append(position)
        return [
            (sides, (self._shares(samples, sides[0]), self._shares(samples, sides[1])))
            for sides in positions.values()
            if all(sides)
        ]

    def _shares(self, samples: Sequence[ScoredSample], positions: Sequence[int]) -> list[float]:
        return [
            float(samples[at].answer == samples[at].fields.get(self._answer)) for at in positions
        ]


class SetChange(SetGap):
    """Mean over sets of the size of the difference, in ``[0, 1]``."""

    range: tuple[float, float] = (0.0, 1.0)

    def of_gaps(self, gaps: Floats) -> Floats:
        """Return sizes."""
        import numpy as np

        return np.abs(gaps)
