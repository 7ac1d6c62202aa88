"""Skew@C of answers: which people a model names a concept for, against who was asked about.

``Skew_a@C = ln(p_hat(a | C) / p(a))`` over the images asked about C: ``p_hat`` is the share of
attribute value ``a`` among images assigned to C, ``p`` its desired share. The formula is Geyik et
al. 2019 with "assigned to C" in the place of "in the top k"; every choice is an option.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Literal

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError, UserError
from harness.metrics.classes import ratio
from harness.metrics.contract import Rows

from harness_benchmarks.skew_rule import Rule, rule_of

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.interval import Range
    from harness.stats.types import Codes, Floats, Label
    from numpy.typing import NDArray

KINDS = 2**40
"""Statistics of one concept are told apart by fewer whole numbers than this."""

_REACH = 3.0  # standard errors that a simultaneous band of some dozens of cells reaches
DESIRED = Option(
    name="desired",
    default="pool",
    choices=("pool", "uniform"),
    help="Share that would be fair: the value's share of the images asked about, or equal shares.",
)
CONCEPT = Option(name="concept", default="concept", help="Field of the sample with the concept.")
POSITIVE = Option(name="positive", default="yes", help="The answer that assigns the concept.")
SKEW_OPTIONS = (
    Option(
        name="elicitation",
        default="yes_no",
        choices=("yes_no", "choice"),
        help="Each concept has its own yes/no question, or one question offers all concepts.",
    ),
    CONCEPT,
    Option(name="concepts", help="Concepts that count, separated by commas; all by default."),
    Option(name="attributes", help="Groups to compare, separated by commas; all by default."),
    POSITIVE,
    Option(
        name="estimator",
        default="hard",
        choices=("hard", "soft"),
        help="Count answers, or sum the probability of the positive answer.",
    ),
    DESIRED,
    Option(
        name="zero",
        default="add_alpha",
        choices=("add_alpha", "one_over_k", "zero"),
        help="What keeps the logarithm of a share of zero finite.",
    ),
    Option(
        name="alpha",
        type="float",
        default=1.0,
        help="Images that zero=add_alpha adds to each value.",
    ),
    Option(
        name="unit",
        default="single",
        choices=("single", "intersection"),
        help="Compare single attribute values, or their intersections.",
    ),
    Option(
        name="min_assigned",
        type="int",
        default=0,
        help="Concepts assigned to fewer images than this do not count.",
    ),
)
DESCRIPTORS = (
    MetricDescriptor(
        id="min_skew",
        target="harness_benchmarks.metrics.skew:MinSkew",
        summary="Mean over concepts of the lowest Skew@C over attribute values.",
        direction="zero",
        version=2,
        options=SKEW_OPTIONS,
        needs_target=False,
    ),
    MetricDescriptor(
        id="max_skew",
        target="harness_benchmarks.metrics.skew:MaxSkew",
        summary="Mean over concepts of the highest Skew@C over attribute values.",
        direction="zero",
        version=2,
        options=SKEW_OPTIONS,
        needs_target=False,
    ),
)


class SkewCounts:
    """How many images each concept was asked about and assigned to.

    Statistics: for yes/no questions, images asked about concept c and images assigned to it; for a
    choice among concepts, all images, then the images assigned to each.

    Args:
        options: The metric's.
        labels: Labels of the choice.

    Attributes:
        attributes: Groups to compare that the option names; all where it is empty.

    Raises:
        UserError: options that do not fit the task.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self.choice = options["elicitation"] == "choice"
        self._soft = options["estimator"] == "soft"
        self._field = str(options["concept"])
        self._positive = str(options["positive"])
        self.attributes = listed(options.get("attributes"))
        self._only = frozenset(listed(options.get("concepts")))
        self._names: dict[str, int] = {}
        self._concept_codes: dict[Json, int] = {}
        self._codes: dict[int, int] = {}
        self._distinct: list[Mapping[int, float]] = []
        if self.choice and not labels:
            raise UserError("a choice among concepts needs the labels of a choice task")
        if not self.choice and labels and self._positive not in labels:
            raise UserError(
                f"{self._positive!r} is not among the labels", where="option 'positive'"
            )
        for label in labels if self.choice else ():
            if not self._only or label in self._only:
                self._names[label] = len(self._names)
        self.key: tuple[Hashable, ...] = (
            "skew", self.choice, self._soft, self._field, self._positive, self.attributes,
            self._only, tuple(labels),
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Length of the statistics so far."""
        return len(self._names) + 1 if self.choice else 2 * len(self._names)

    @property
    def concepts(self) -> tuple[str, ...]:
        """Concepts in the order in which totals hold them: as labels, or sorted."""
        return tuple(self._names) if self.choice else tuple(sorted(self._names))

    def columns(self) -> tuple[int, ...]:
        """Return the positions of the statistics in the order of :attr:`concepts`."""
        if self.choice:
            return tuple(range(self.size))
        places = (2 * self._names[concept] for concept in self.concepts)
        return tuple(place + step for place in places for step in (0, 1))

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return what a sample adds; nothing when its concept is not asked for."""
        if self.choice:
            return {0: 1.0, **self._chosen(sample)}
        concept = self.concept_of(sample)
        if concept is None:
            return {}
        index = self._names.setdefault(concept, len(self._names))
        if self._soft:
            share = shares(sample)[sample.labels.index(self._positive)]
        else:
            share = 1.0 if sample.answer == self._positive else 0.0
        # A zero is left out: sparse rows stay short, and equal answers make equal rows.
        return {2 * index: 1.0, 2 * index + 1: share} if share else {2 * index: 1.0}

    def coded(
        self, samples: Sequence[ScoredSample]
    ) -> tuple[Codes, Sequence[Mapping[int, float]]] | None:
        """Return the place of each sample's statistics among the distinct ones so far, and those.

        ``None`` where a sample's statistics depend on more than its concept and :meth:`kinds_of`.
        """
        import numpy as np

        kinds = self.kinds_of(samples)
        if kinds is None:
            return None
        names = self._numbers([sample.fields.get(self._field) for sample in samples])
        if names is None:
            return None
        keys = (names * KINDS + kinds).tolist()
        codes = np.fromiter(map(self._codes.get, keys, repeat(-1)), np.int64, len(keys))
        for place in np.flatnonzero(codes < 0).tolist():
            if keys[place] not in self._codes:
                self._distinct.append(self.statistics(samples[place]))
                self._codes[keys[place]] = len(self._distinct) - 1
            codes[place] = self._codes[keys[place]]
        return codes, self._distinct

    def _numbers(self, concepts: Sequence[Json]) -> Codes | None:
        """Return the number of each concept, new ones numbered; ``None`` unless all are texts."""
        import numpy as np

        try:
            numbers = map(self._concept_codes.__getitem__, concepts)
            return np.fromiter(numbers, np.int64, len(concepts))
        except TypeError:  # what is no text is refused by `statistics`, and may have no hash
            return None
        except KeyError:
            if {*map(type, concepts)} != {str}:
                return None
        for name in dict.fromkeys(concepts):
            self._concept_codes.setdefault(name, len(self._concept_codes))
        return self._numbers(concepts)

    def kinds_of(self, samples: Sequence[ScoredSample]) -> Codes | None:
        """Return what each sample's statistics depend on beside its concept, as a whole number.

        It is less than half of :data:`KINDS`, above or below zero; ``None`` where they depend on
        more.
        """
        import numpy as np

        if self.choice or self._soft:
            return None
        return np.array([sample.answer == self._positive for sample in samples], dtype=np.int64)

    def concept_of(self, sample: ScoredSample) -> str | None:
        """Return the concept that a sample was asked about; ``None`` for one that does not count.

        Raises:
            DataError: the record does not say it.
        """
        concept = sample.fields.get(self._field)
        if not isinstance(concept, str) or not concept:
            raise DataError(
                f"the record has no concept in its field {self._field!r}",
                where=f"sample {sample.id!r}",
                fix=f"add {self._field} to data.keep of the spec",
            )
        return concept if not self._only or concept in self._only else None

    def label(self, sample: ScoredSample) -> Label:
        """Return the values of the attributes; one that the sample lacks is left out."""
        return values_of(sample, self.attributes)

    def asked(self, totals: Floats) -> Floats:
        """Return images asked about each concept, ``(..., concepts)``."""
        import numpy as np

        if self.choice:
            return np.repeat(totals[..., :1], len(self._names), axis=-1)
        return totals[..., 0::2]

    def assigned(self, totals: Floats) -> Floats:
        """Return images assigned to each concept, ``(..., concepts)``."""
        return totals[..., 1:] if self.choice else totals[..., 1::2]

    def _chosen(self, sample: ScoredSample) -> dict[int, float]:
        if not self._soft:
            index = self._names.get(sample.answer) if isinstance(sample.answer, str) else None
            return {} if index is None else {index + 1: 1.0}
        label_shares = zip(sample.labels, shares(sample), strict=True)
        return {self._names[name] + 1: share for name, share in label_shares if name in self._names}


def shares(sample: ScoredSample) -> tuple[float, ...]:
    """Return the probability of each option: softmax of log-probabilities, or the label named.

    Raises:
        DataError: the sample has no scores that are probabilities.
    """
    if sample.scores is None or sample.score_kind not in {"logprob", "label"}:
        raise DataError(
            "the soft estimator needs log-probabilities of the options",
            where=f"sample {sample.id!r}",
            fix="use estimator: hard",
        )
    if sample.score_kind == "label":
        return sample.scores
    # Less the highest, so that no exponential overflows.
    highest = max(sample.scores)
    powers = [math.exp(score - highest) for score in sample.scores]
    total = math.fsum(powers)
    return tuple(power / total for power in powers)


class Settled:
    """Skew of every attribute value at every concept, with the concepts that count settled.

    Attributes:
        table: What its tables are called by.
        rate: What they call the share of images that are assigned; empty where none are.
        assigns: Whether some images are assigned to a concept and others are not.
        kinds: Places of the values of each attribute, or combination of them, among the parts.
    """

    table = "skew"
    rate = "yes_rate"
    assigns = True

    def __init__(  # noqa: PLR0913, PLR0917  what a rule, the counts and the data say
        self, counts: SkewCounts, parts: Sequence[Label], totals: Floats, rule: Rule,
        least: float, metric: MinSkew,
    ) -> None:  # fmt: skip
        import numpy as np

        self.counts, self.metric = counts, metric
        self._parts, self._rule, self._least = parts, rule, least
        kinds: dict[tuple[str, ...], list[int]] = {}
        for position, part in enumerate(parts[1:], 1):
            # Shares are taken among the values of one attribute, or of one combination, alone.
            kinds.setdefault(tuple(name for name, _ in part), []).append(position)
        self.kinds = [np.array(places) for places in kinds.values()]
        self._asked, self._assigned = counts.asked(totals), self.assigned(totals)
        self._counting = self.counting(totals)
        self._unseen = np.zeros(self._assigned[1:].shape, dtype=bool)
        for places in self.kinds:
            of_value = self._assigned[places]
            k, present = of_value.sum(axis=0), self._asked[places] > 0
            alone = (of_value == 0) | (of_value == k)
            # Where everybody is asked and assigned, or there is one value, the skew is 0 for sure.
            varies = (k > 0) & (present.sum(axis=0) > 1) & (k < self._asked[places].sum(axis=0))
            self._unseen[places - 1] = alone & present & varies & (rule.zero != "zero")
        if not rule.keeps:
            self._unseen[:] = False

    def assigned(self, totals: Floats) -> Floats:
        """Return images assigned to each concept, ``(..., parts, concepts)``."""
        return self.counts.assigned(totals)

    def counting(self, totals: Floats) -> NDArray[np.bool_]:
        """Return which concepts count, ``(concepts,)``: enough images are assigned to them."""
        del totals
        k = self._assigned[0]
        enough: NDArray[np.bool_] = (k >= self._least) & (k > 0)
        return enough

    def of_parts(self, totals: Floats) -> Floats:
        """Return ``(..., values, concepts)`` numbers of ``(..., parts, size)`` totals."""
        return self.skew_of(self.counts.asked(totals), self.assigned(totals))

    def skew_of(self, asked: Floats, assigned: Floats) -> Floats:
        """Return ``(..., values, concepts)`` skews of ``(..., parts, concepts)`` images."""
        import numpy as np

        skews = np.full((*assigned.shape[:-2], len(self._parts) - 1, assigned.shape[-1]), np.nan)
        for places in self.kinds:
            skews[..., places - 1, :] = self._rule.skew(
                asked[..., places, :], assigned[..., places, :]
            )
        return skews

    def components(self, totals: Floats) -> Floats:
        """Return ``(..., concepts x values)`` numbers; NaN for concepts that do not count."""
        import numpy as np

        by_value = self.of_parts(totals)
        # Which concepts count is settled on the data: draws must not change what is averaged.
        by_value[..., ~self._counting] = np.nan
        return np.swapaxes(by_value, -1, -2).reshape(*by_value.shape[:-2], -1)

    def combine(self, components: Floats) -> Floats:
        """Return the mean over concepts of the extreme over values."""
        return mean_there(self.metric.pick(self._by_concept(components)))

    def bounds(self) -> tuple[Floats, Floats]:
        """Return what each skew can be among these people, ``(concepts x values,)`` each.

        At most all that is assigned is one's, and no share is too small where images are many.
        For what is :attr:`unseen`, Wilson's interval of no success among the images assigned, at
        the reach of a band, limits the share of a value that is never assigned, and of all others
        where one alone is; the skew of the former is at least what the rule gives for no image.
        """
        import numpy as np

        least = np.full(self._assigned[1:].shape, -np.inf)
        most = self._greatest().reshape(least.T.shape).T.copy()
        skews, asked = self.skew_of(self._asked, self._assigned), self._asked[1:]
        never = self._assigned[1:] == 0
        for places in (places - 1 for places in self.kinds):
            k = self._assigned[places + 1].sum(axis=0)
            share = ratio(np.full(k.shape, _REACH**2), k + _REACH**2)
            desired = self._rule.shares(asked[places])
            with np.errstate(divide="ignore", invalid="ignore"):
                seldom, mostly = np.log(share / desired), np.log((1 - share) / desired)
            low, high = skews[places], np.fmax(np.fmin(seldom, most[places]), skews[places])
            unseen = self._unseen[places]
            least[places] = np.where(unseen, np.where(never[places], low, mostly), -np.inf)
            most[places] = np.where(unseen & never[places], high, most[places])
        return least.T.reshape(-1), most.T.reshape(-1)

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """Which components no draw varies: a value has none or all of what is assigned."""
        return self._unseen.T.reshape(-1) & self.assigns

    def _greatest(self) -> Floats:
        """Return the greatest that each skew can be, ``(concepts x values,)``."""
        import numpy as np

        least = np.zeros((len(self._parts) - 1, self._asked.shape[-1]))
        for places in self.kinds:
            least[places - 1] = self._rule.shares(self._asked[places])
        most = np.full(least.size, np.inf)
        np.log(least.T.reshape(-1), out=most, where=least.T.reshape(-1) > 0)
        greatest: Floats = np.abs(most)  # p_hat is at most 1, so ln(p_hat / p) is at most -ln(p)
        return greatest

    def range(self) -> Range:
        """Return where the extreme lies: one value has at least its share, one at most."""
        import numpy as np

        most = self._greatest()
        greatest = float(np.max(most[np.isfinite(most)], initial=0.0))
        if self.metric.extreme == "high":
            return 0.0, greatest
        # A share of zero that is raised to 1 / k, or left out, may leave all others above theirs.
        replaced = self._rule.zero == "one_over_k" or not self._rule.keeps
        return None, greatest if replaced else 0.0

    def tables(self, components: Floats) -> list[Rows]:
        """Return skew by attribute value, by concept, and by both."""
        import numpy as np

        if len(self._parts) == 1 and self.counts.concepts:
            return []  # no image has a value of an attribute
        by_concept, parts = self._by_concept(components), self._parts[1:]
        concepts = self.counts.concepts
        asked, assigned = self._asked, self._assigned
        pairs = [{"concept": concept, **dict(part)} for concept in concepts for part in parts]
        overall = self._with_rate({"n": asked[0], "k": assigned[0]})
        by_value = {"n": asked[1:].sum(-1), "k": assigned[1:].sum(-1)}
        cells = {"n": asked[1:].T.reshape(-1), "k": assigned[1:].T.reshape(-1)}
        named = [{"concept": concept} for concept in concepts]
        return [
            Rows(f"{self.table} by attribute", [dict(part) for part in parts],
                 mean_there(np.swapaxes(by_concept, -1, -2)), self._with_rate(by_value)),
            Rows(f"min {self.table} by concept", named, lowest(by_concept), overall,
                 simultaneous=True),
            Rows(f"max {self.table} by concept", named, highest(by_concept), overall,
                 simultaneous=True),
            Rows(f"{self.table} by concept and attribute", pairs, components,
                 self._with_rate(cells), simultaneous=True),
        ]  # fmt: skip

    def notes(self) -> dict[str, int]:
        """Return how many concepts and attributes have no skew, or one that says nothing."""
        k = self._assigned[0]
        few = f"concepts assigned to fewer than {self._least:g} images, which do not count"
        return self._noted(
            {
                "concepts assigned to nobody, which have no skew": int((k <= 0).sum()),
                few: int(((k > 0) & (k < self._least)).sum()),
                "attributes with one value alone, whose skew is 0 whatever is answered": sum(
                    len(places) == 1 for places in self.kinds
                ),
            }
        )

    def _noted(self, notes: Mapping[str, int]) -> dict[str, int]:
        """Return the notes that have a number, with those about attributes without a value."""
        named = {name for part in self._parts for name, _ in part}
        lacking = set(self.counts.attributes) - named
        asked = self._asked[0]
        every = {
            **notes,
            "attributes that no image has a value of": len(lacking) if asked.any() else 0,
        }
        if not named and not lacking:
            images = asked[:1] if self.counts.choice else asked
            every["answers about images without a value of any attribute"] = int(images.sum())
        return {note: number for note, number in every.items() if number}

    def _with_rate(self, counts: Mapping[str, Floats]) -> dict[str, Floats]:
        if not self.rate:
            return {"n": counts["n"]}
        return {**counts, self.rate: ratio(counts["k"], counts["n"])}

    def _by_concept(self, components: Floats) -> Floats:
        return components.reshape(*components.shape[:-1], -1, max(1, len(self._parts) - 1))


class MinSkew:
    """Mean over concepts of the lowest skew over attribute values: who is left out most."""

    extreme: Literal["low", "high"] = "low"
    settled: type[Settled] = Settled

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        self.counts = self.count(options, labels)
        self.reads = () if self.counts.choice else (str(options["concept"]),)
        self._rule = rule_of(options)
        self._single = options["unit"] == "single"
        self._least = float(str(options["min_assigned"]))

    @classmethod
    def count(cls, options: Mapping[str, Json], labels: Sequence[str]) -> SkewCounts:
        """Return what counts the answers."""
        return SkewCounts(options, labels)

    def parts(self, labels: Sequence[Label]) -> list[Label]:
        """Return everything, then single attribute values or whole intersections."""
        distinct: set[Label] = set()
        for label in labels:
            distinct.update(((pair,) for pair in label) if self._single else [label])
        return [(), *sorted(distinct - {()}, key=lambda part: [*zip(*part, strict=True)])]

    def settle(self, counts: SkewCounts, parts: Sequence[Label], totals: Floats) -> Settled:
        """Return the comparison; which concepts have enough images is settled here."""
        return self.settled(counts, parts, totals, self._rule, self._least, self)

    def beside(self, counts: SkewCounts, labels: Sequence[Label], totals: Floats) -> list[Rows]:
        """Return skew by intersection, where labels hold more than one attribute."""
        import numpy as np

        places = [place for place, label in enumerate(labels) if len(label) > 1]
        if not self._single or not places:
            return []
        order = sorted(places, key=lambda place: [*zip(*labels[place], strict=True)])
        parts = [(), *(labels[place] for place in order)]
        with_total = np.concatenate([totals.sum(axis=0, keepdims=True), totals[order]])
        settled = self.settled(counts, parts, with_total, self._rule, self._least, self)
        first = settled.tables(settled.components(with_total))[0]
        return [
            Rows(f"{self.settled.table} by intersection", first.keys, first.values, first.counts)
        ]

    def pick(self, values: Floats) -> Floats:
        """Return the extreme over the last axis."""
        return lowest(values)


class MaxSkew(MinSkew):
    """Mean over concepts of the highest skew over attribute values: who is named too often."""

    extreme: Literal["low", "high"] = "high"

    def pick(self, values: Floats) -> Floats:
        """Return the extreme over the last axis."""
        return highest(values)


def lowest(values: Floats) -> Floats:
    """Return the least over the last axis, NaN left out; NaN when all are."""
    return -highest(-values) + 0.0  # no minus zero


def highest(values: Floats) -> Floats:
    """Return the greatest over the last axis, NaN left out; NaN when all are."""
    import numpy as np

    maxima = np.max(np.where(np.isnan(values), -np.inf, values), axis=-1, initial=-np.inf)
    return np.where(np.isneginf(maxima), np.nan, maxima)


def mean_there(values: Floats) -> Floats:
    """Return the mean over the last axis, NaN left out; NaN when all are."""
    import numpy as np

    defined: NDArray[np.bool_] = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1).astype(np.float64))


def values_of(sample: ScoredSample, attributes: Sequence[str]) -> Label:
    """Return a sample's values of some attributes, of all in order of name where none is named."""
    groups = sample.groups or {}
    return tuple((name, groups[name]) for name in attributes or sorted(groups) if name in groups)


def listed(value: Json) -> tuple[str, ...]:
    """Return the names in an option that holds several with commas between."""
    return tuple(name.strip() for name in str(value or "").split(",") if name.strip())
