"""What changes with the attribute alone, in sets of images that differ in nothing else.

For data in counterfactual sets (SocialCounterfactuals, CMSC), whose clusters are the sets:

- ``counterfactual_consistency``: the share of sets, each with one question, whose answers are all
  the same. A concept that everybody, or nobody, is said to fit does not count: a model that always
  answers the same is consistent and knows nothing.
- ``counterfactual_shift``: by how much the probability of the positive answer is higher for images
  with an attribute value than for the other images of the same set; the mean over sets, of it the
  highest over values, and of that the mean over concepts. A concept to which every image has the
  same probability has no value, never 0: no image was distinguished.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.metrics.classes import ratio

from harness_benchmarks.metrics.matched_skew import log_odds
from harness_benchmarks.metrics.skew import SKEW_OPTIONS, listed, mean_there, values_of

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats, Label
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

_OPTIONS: tuple[Option, ...] = tuple(
    held for held in SKEW_OPTIONS if held.name in {"elicitation", "concept", "attributes"}
)
_LEAST_ODDS = 700.0  # the exponential of more is no float
_POSITIVE = tuple(held for held in SKEW_OPTIONS if held.name == "positive")
DESCRIPTORS = (
    MetricDescriptor(
        id="counterfactual_consistency",
        target="harness_benchmarks.metrics.counterfactual:Consistency",
        summary="Share of counterfactual sets whose answers are all the same.",
        options=_OPTIONS,
        needs_target=False,
    ),
    MetricDescriptor(
        id="counterfactual_shift",
        target="harness_benchmarks.metrics.counterfactual:Shift",
        summary="Change in the probability of yes within counterfactual sets, highest over values.",
        direction="zero",
        version=2,
        options=(*_OPTIONS, *_POSITIVE),
        needs_target=False,
    ),
)


class _InSets:
    """Reads which set, concept and group each sample belongs to."""

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._choice = options["elicitation"] == "choice"
        self._field = str(options["concept"])
        self.reads = () if self._choice else (self._field,)
        self._attributes = listed(options.get("attributes"))

    def concept(self, sample: ScoredSample) -> str:
        """Return what a sample was asked about; one question for all in a choice."""
        return "" if self._choice else str(sample.fields.get(self._field, ""))

    def groups(self, sample: ScoredSample) -> Label:
        """Return a sample's attribute values."""
        return values_of(sample, self._attributes)

    def sets(self, samples: Sequence[ScoredSample]) -> dict[tuple[str, str], list[int]]:
        """Return the places of the samples of each set and concept that compare anybody."""
        sets: dict[tuple[str, str], list[int]] = defaultdict(list)
        for position, sample in enumerate(samples):
            sets[sample.cluster, self.concept(sample)].append(position)
        return {
            key: places
            for key, places in sets.items()
            if len({self.groups(samples[place]) for place in places}) > 1
        }


class Consistency(_InSets):
    """Share of sets, each with one question, whose answers are all the same.

    An unparsed answer is an answer unlike any other but an unparsed one.
    """

    range = (0.0, 1.0)
    undefined = "no set of images with different groups is of a concept with different answers"

    def prepare(self, samples: Sequence[ScoredSample]) -> tuple[NDArray[np.intp], Floats]:
        """Return ``(sets,)`` the place of one sample of each that counts, and 1 where all agree."""
        import numpy as np

        sets = self._counting(samples)
        same = [len({samples[at].answer for at in places}) == 1 for places in sets.values()]
        first = [places[0] for places in sets.values()]
        return np.array(first, dtype=np.intp), np.array(same, dtype=np.float64)

    def value(self, prepared: tuple[NDArray[np.intp], Floats], weights: Floats) -> Floats:
        """Return ``(draws,)`` shares; the images of a set are drawn together."""
        first, same = prepared
        drawn = weights[:, first]
        return ratio(drawn @ same, drawn.sum(-1))

    def units(self, prepared: tuple[NDArray[np.intp], Floats]) -> tuple[NDArray[np.intp], Floats]:
        """Return the sets."""
        return prepared

    def notes(self, samples: Sequence[ScoredSample]) -> Mapping[str, int]:
        """Return how many sets do not count since their concept has one answer for everybody."""
        constant = len(self.sets(samples)) - len(self._counting(samples))
        text = "counterfactual sets of a concept that every image has the same answer to"
        return {text: constant} if constant else {}

    def _counting(self, samples: Sequence[ScoredSample]) -> dict[tuple[str, str], list[int]]:
        answers: dict[str, set[Hashable]] = defaultdict(set)
        for sample in samples:
            answer = sample.answer
            answers[self.concept(sample)].add(answer if isinstance(answer, Hashable) else None)
        sets = self.sets(samples)
        return {key: places for key, places in sets.items() if len(answers[key[1]]) > 1}


@dataclass(frozen=True, slots=True)
class _Shifts:
    """Changes within sets, by concept and attribute value; columns stand by concept.

    Attributes:
        changes: ``(samples, columns)`` the mean probability with the value less that of the others,
            at one sample of each set, whose weight is the set's.
        sets: ``(samples, columns)`` 1 where there is such a change.
        starts: ``(concepts,)`` the first column of each concept.
    """

    changes: csr_array
    sets: csr_array
    starts: NDArray[np.intp]


class Shift(_InSets):
    """Mean over concepts of the highest mean change within sets, over attribute values."""

    range = (-1.0, 1.0)
    undefined = (
        "no set of images with different groups is of a concept with different probabilities"
    )

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._labels = tuple(labels)
        self._positive = str(options["positive"])

    def prepare(self, samples: Sequence[ScoredSample]) -> _Shifts:
        """Return the changes within sets."""
        import numpy as np
        from scipy.sparse import csr_array

        rows = list(self._changes(samples))
        names = sorted({(concept, pair) for _, concept, pair, _ in rows})
        column = {name: at for at, name in enumerate(names)}
        places = [place for place, *_ in rows], [column[name, pair] for _, name, pair, _ in rows]
        shape = len(samples), len(names)
        concepts = [concept for concept, _ in names]
        return _Shifts(
            csr_array(([change for *_, change in rows], places), shape, dtype=np.float64),
            csr_array((np.ones(len(rows)), places), shape),
            np.array([concepts.index(name) for name in dict.fromkeys(concepts)], dtype=np.intp),
        )

    def value(self, prepared: _Shifts, weights: Floats) -> Floats:
        """Return ``(draws,)`` means over concepts."""
        import numpy as np

        if not len(prepared.starts):
            return np.full(len(weights), np.nan)
        means = ratio(weights @ prepared.changes, weights @ prepared.sets)
        defined = np.where(np.isnan(means), -np.inf, means)
        extremes = np.maximum.reduceat(defined, prepared.starts, axis=-1)
        return mean_there(np.where(np.isneginf(extremes), np.nan, extremes))

    def notes(self, samples: Sequence[ScoredSample]) -> Mapping[str, int]:
        """Return how many concepts have no value since every image has one probability."""
        seen = self._probabilities(samples)
        tied = sum(len(set(of_images.values())) == 1 for of_images in seen.values())
        text = "concepts with one probability for every image, which nothing can shift"
        return {text: tied} if tied else {}

    def _probabilities(self, samples: Sequence[ScoredSample]) -> dict[str, dict[int, float]]:
        """Return for each concept the probability of its label at each place that is compared."""
        seen: dict[str, dict[int, float]] = defaultdict(dict)
        for (_, concept), places in self.sets(samples).items():
            for name, label in self._asked(concept):
                seen[name] |= {at: self._probability(samples[at], label) for at in places}
        return seen

    def _changes(
        self, samples: Sequence[ScoredSample]
    ) -> Iterator[tuple[int, str, tuple[str, str], float]]:
        """Yield a place, concept, attribute value and change for each set and value in it."""
        seen = self._probabilities(samples)
        varies = {name for name, of_images in seen.items() if len(set(of_images.values())) > 1}
        for (_, concept), places in self.sets(samples).items():
            for name, _ in self._asked(concept):
                if name not in varies:
                    continue
                probabilities = {at: seen[name][at] for at in places}
                groups = {at: self.groups(samples[at]) for at in places}
                for pair in sorted({pair for pairs in groups.values() for pair in pairs}):
                    # Others are those that have another value of the same attribute.
                    others = [
                        probabilities[at]
                        for at, pairs in groups.items()
                        if pair not in pairs and pair[0] in dict(pairs)
                    ]
                    with_value = [probabilities[at] for at in places if pair in groups[at]]
                    if others:
                        change = sum(with_value) / len(with_value) - sum(others) / len(others)
                        yield places[0], name, pair, change

    def _probability(self, sample: ScoredSample, label: str) -> float:
        """Return the probability of a label; 0 or 1 where an answer only names one."""
        odds = log_odds(sample, self._labels)[self._labels.index(label)]
        return 1 / (1 + math.exp(-odds)) if odds > -_LEAST_ODDS else 0.0

    def _asked(self, concept: str) -> Iterator[tuple[str, str]]:
        """Yield each concept of a question with the label that assigns it."""
        if self._choice:
            yield from ((label, label) for label in self._labels)
        else:
            yield concept, self._positive
