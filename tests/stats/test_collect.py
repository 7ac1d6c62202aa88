from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import ClusterTotals

SAMPLES = st.lists(
    st.tuples(
        st.sampled_from("abcdé"),
        st.dictionaries(st.integers(0, 4), st.integers(-3, 3).map(float), max_size=3),
    ),
    max_size=40,
)


@given(SAMPLES)
def test_sums_are_per_cluster_in_order_of_first_appearance(
    samples: list[tuple[str, dict[int, float]]],
) -> None:
    totals = ClusterTotals(5)
    expected: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for cluster, statistics in samples:
        totals.add(cluster, statistics)
        row = expected.setdefault(cluster, np.zeros(5))
        for position, value in statistics.items():
            row[position] += value
    matrix = totals.matrix()
    assert len(totals) == len(samples)
    assert matrix.shape == (len(expected), 5)
    assert matrix.toarray().tolist() == [row.tolist() for row in expected.values()]
    names = list(expected)
    assert totals.codes().tolist() == [names.index(cluster) for cluster, _ in samples]


def test_a_position_outside_the_vector_is_refused() -> None:
    with pytest.raises(IndexError, match="statistic 5 of a vector of 5"):
        ClusterTotals(5).add("a", {5: 1.0})


def test_a_sample_costs_less_than_a_hundred_bytes() -> None:
    totals = ClusterTotals(2)
    tracemalloc.start()
    for index in range(20_000):
        totals.add(f"a rather long name of an image/{index}", {0: 1.0, 1: 1.0})
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 100 * 20_000
