"""Every metric says between which values it lies, and its values do."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.skew import MinSkew
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evaluation.collectors import make_metric
from harness.metrics.contract import Bounded, GroupMetric, RangeOfData, ScoredSample, range_of
from harness.plugins import plugins
from harness.stats.labelled import Labelled, Labels
from harness.stats.rows import distinct_rows
from tests import made

LABELS = ("yes", "no")
SKEW_OPTIONS = [
    {"desired": desired, "zero": zero, "alpha": alpha}
    for desired, zero, alpha in itertools.product(
        ("pool", "uniform"), ("add_alpha", "one_over_k", "zero"), (0.0, 1.0)
    )
]


NAMED = {"label": "yes", "names": "yes", "abstain": "no", "first": "woman", "second": "man"}


@pytest.mark.parametrize("descriptor", plugins().metrics().values(), ids=lambda content: content.id)
def test_every_metric_of_the_harness_declares_its_range(descriptor: Any) -> None:
    options = {option.name: option.default for option in descriptor.options}
    options |= {name: text for name, text in NAMED.items() if name in options}
    metric = make_metric(descriptor.id, options, LABELS)
    declares = isinstance(metric, RangeOfData) or range_of(metric) != (None, None)
    assert declares or isinstance(metric, GroupMetric)  # the comparison that it settles does


PEOPLE = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from("AB"), st.sampled_from(("", "x", "y", "z")),
        st.booleans(),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


def settled_on(
    metric: MinSkew, people: list[tuple[int, str, str, bool]]
) -> tuple[Any, np.ndarray[Any, Any]]:
    from harness.stats.collect import Statistics

    statistics, labels = Statistics(), Labels()
    for index, (_, concept, race, yes) in enumerate(people):
        sample = ScoredSample(
            str(index), str(index), None, "yes" if yes else "no", fields={"concept": concept},
            groups={"race": race} if race else {},
        )  # fmt: skip
        statistics.add(metric.counts.statistics(sample))
        labels.add(metric.counts.label(sample))
    columns = list(metric.counts.columns())
    size = metric.counts.size
    rows = statistics.matrix(size)[:, columns]
    clusters = np.unique([item[0] for item in people], return_inverse=True)[1]
    labelled = Labelled(rows, labels.codes(), labels.names, clusters, np.arange(len(people)))
    parts = metric.parts(labelled.names)
    merged = distinct_rows(labelled.by_cluster(parts))
    totals = merged.sums(merged.counts[None, :].astype(float)).reshape(len(parts), size)
    return metric.settle(metric.counts, parts, totals), totals


GROUP_METRICS = (
    "min_skew",
    "max_skew",
    "matched_min_skew",
    "matched_max_skew",
    "skew_area",
    "auc_gap",
)


@given(PEOPLE, st.sampled_from(SKEW_OPTIONS), st.sampled_from(GROUP_METRICS))
@settings(deadline=None, max_examples=150)
def test_skews_lie_in_the_range_that_they_declare(
    people: list[tuple[int, str, str, bool]], options: dict[str, Any], name: str
) -> None:
    taken = {option.name for option in plugins().metrics()[name].options}
    options = {key: value for key, value in options.items() if key in taken}
    settled, totals = settled_on(made.metric(name, LABELS, **options), people)
    bounded: Any = settled
    assert isinstance(bounded, Bounded)
    components = settled.components(totals)
    least, most = bounded.bounds()
    listed = ~np.isnan(components)
    assert (components[listed] <= most[listed] + 1e-12).all()
    assert (components[listed] >= least[listed]).all()
    value, (low, high) = float(settled.combine(components)), bounded.range()
    if not math.isnan(value):
        assert low is None or value >= low - 1e-12
        assert high is None or value <= high + 1e-12


def test_four_equal_groups_leave_a_greatest_skew_of_the_logarithm_of_four() -> None:
    people = [(index, "A", race, race == "x") for index, race in enumerate("wxyz" * 5)]
    settled, _ = settled_on(made.metric("max_skew", LABELS), people)
    assert settled.range() == pytest.approx((0.0, math.log(4)))
    settled, _ = settled_on(made.metric("min_skew", LABELS), people)
    assert settled.range() == (None, 0.0)


RANKED = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from(("masculine", "feminine", "x")),
              st.integers(0, 5)),
    min_size=1, max_size=20,
)  # fmt: skip


@given(
    RANKED,
    st.sampled_from(("retrieval_max_skew", "retrieval_min_skew", "ndkl", "bias_at_k")),
    st.fixed_dictionaries(
        {
            "k": st.integers(1, 8),
            "desired": st.sampled_from(("pool", "uniform")),
            "zero": st.sampled_from(("one_over_k", "zero", "one_over_k_from_zero")),
            "form": st.sampled_from(("divergence", "weighted_skew")),
        }
    ),
)
@settings(deadline=None, max_examples=250)
def test_rankings_lie_in_the_range_that_they_declare(
    ranked: list[tuple[str, str, int]], name: str, options: dict[str, Any]
) -> None:
    listed = {option.name for option in plugins().metrics()[name].options}
    metric = made.metric(name, **{key: value for key, value in options.items() if key in listed})
    samples = [
        ScoredSample(str(index), str(index), None, None, (float(score),),
                     groups={"gender": gender}, fields={"concept": concept})
        for index, (concept, gender, score) in enumerate(ranked)
    ]  # fmt: skip
    prepared = metric.prepare(samples)
    value = float(metric.value(prepared, np.ones((1, len(samples))))[0])
    low, high = range_of(metric, prepared)
    if not math.isnan(value):
        assert low is None or value >= low - 1e-12
        assert high is None or value <= high + 1e-12
