from __future__ import annotations

import tracemalloc
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from harness.stats import collect
from harness.stats.collect import Clusters, Statistics, counted, sums_by

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
    clusters, content = Clusters(), Statistics()
    expected: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for cluster, statistics in samples:
        clusters.add(cluster)
        content.add(statistics)
        row = expected.setdefault(cluster, np.zeros(5))
        for position, value in statistics.items():
            row[position] += value
    codes = clusters.codes()
    matrix = content.totals(5, codes)
    assert len(codes) == len(samples)
    assert matrix.shape == (len(expected), 5)
    assert matrix.toarray().tolist() == [row.tolist() for row in expected.values()]
    names = list(expected)
    assert codes.tolist() == [names.index(cluster) for cluster, _ in samples]


def test_codes_in_any_order_sum_to_their_own_row() -> None:
    rows = csr_array(np.array([[1.0], [2.0], [3.0]]))
    assert sums_by(np.array([2, 0, 1]), rows).toarray().tolist() == [[2.0], [3.0], [1.0]]
    assert sums_by(np.array([0, 1, 2]), rows).toarray().tolist() == [[1.0], [2.0], [3.0]]


def test_rows_given_by_their_place_in_a_list_are_those_given_one_by_one() -> None:
    random = np.random.default_rng(2)
    distinct = [{0: 1.0}, {}, {1: 0.5, 3: 2.0}, {0: 1.0}, {4: 1.0}]
    statistics, singly = Statistics(), Statistics()
    for listed in (1, 3, 3, 5):  # the list grows between calls
        codes = random.integers(0, listed, size=7)
        statistics.add_coded(codes, distinct[:listed])
        statistics.add({2: 9.0})
        for code in codes:
            singly.add(distinct[code])
        singly.add({2: 9.0})
    assert statistics.matrix(5).toarray().tolist() == singly.matrix(5).toarray().tolist()


def test_equal_rows_are_kept_once_and_others_beyond_a_number_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collect, "SHARED", 3)
    content = Statistics()
    arguments = [{0: float(index % 5)} for index in range(40)]
    for statistics in arguments:
        content.add(statistics)
    assert content.matrix(1).toarray()[:, 0].tolist() == [item[0] for item in arguments]
    alike = Statistics()
    tracemalloc.start()
    for index in range(20_000):
        alike.add({0: float(index % 2), 1: 1.0})
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 6 * 20_000


def test_a_position_outside_the_vector_is_refused() -> None:
    statistics = Statistics()
    statistics.add({5: 1.0})
    with pytest.raises(IndexError, match="statistic 5 of a vector of 5"):
        statistics.matrix(5)


def test_a_sample_costs_less_than_a_hundred_bytes() -> None:
    clusters, statistics = Clusters(), Statistics()
    tracemalloc.start()
    for index in range(20_000):
        clusters.add(f"a rather long name of an image/{index}")
        statistics.add({0: 1.0, 1: 1.0})
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 100 * 20_000


@given(SAMPLES, st.integers(0, 2**16))
def test_a_part_of_the_samples_sums_as_if_it_were_all(
    samples: list[tuple[str, dict[int, float]]], seed: int
) -> None:
    clusters, content = Clusters(), Statistics()
    part_clusters, part = Clusters(), Statistics()
    members = np.flatnonzero(np.random.default_rng(seed).random(len(samples)) < 0.5)
    for index, (cluster, statistics) in enumerate(samples):
        clusters.add(cluster)
        content.add(statistics)
        if index in members:
            part_clusters.add(cluster)
            part.add(statistics)
    codes = counted(clusters.codes()[members])
    assert codes.tolist() == part_clusters.codes().tolist()
    result, expected = content.totals(5, codes, members), part.totals(5, part_clusters.codes())
    assert result.toarray().tolist() == expected.toarray().tolist()


@pytest.mark.parametrize("distinct", [3, 2**62])
def test_samples_are_sorted_by_cluster_and_hash_in_whatever_runs_they_come(distinct: int) -> None:
    random = np.random.default_rng(0)
    names = [f"c{cluster}" for cluster in random.integers(0, 9, size=200)]
    ids = random.integers(0, distinct, size=200).astype(np.uint64)
    clusters = Clusters()
    for name in names:
        clusters.add(name)
    order, codes = clusters.sorted(ids)
    digests = [blake2b(name.encode(), digest_size=16).digest() for name in names]
    halves = [tuple(np.frombuffer(digest, dtype=np.uint64)[::-1]) for digest in digests]
    assert order.tolist() == sorted(
        range(200), key=lambda position: (halves[position], ids[position])
    )
    assert codes.tolist() == [sorted(set(halves)).index(halves[position]) for position in order]
    seen: dict[str, int] = {}
    assert clusters.codes().tolist() == [seen.setdefault(name, len(seen)) for name in names]
