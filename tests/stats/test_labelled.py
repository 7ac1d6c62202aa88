"""Sums by part against a slow count; permutations that keep what they must."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from harness.stats import labelled as labelled_module
from harness.stats import rows as rows_module
from harness.stats.labelled import Labelled, Labels, chance, shuffled
from harness.stats.rows import distinct_rows
from harness.stats.types import Floats, Label

NAMES: list[Label] = [
    (("race", "a"), ("gender", "f")),
    (("race", "a"), ("gender", "m")),
    (("race", "b"), ("gender", "f")),
    (),
]
PARTS: list[Label] = [(), (("race", "a"),), (("race", "b"),), (("gender", "f"),), NAMES[1]]


def labelled(rows: list[tuple[int, int, float]], *, units: list[int] | None = None) -> Labelled:
    """Rows are cluster, label and a number; clusters are counted from 0 by first appearance."""
    clusters = np.array([cluster for cluster, _, _ in rows], dtype=np.int64)
    codes = np.unique(clusters, return_inverse=True)[1] if len(rows) else clusters
    return Labelled(
        csr_array(np.array([[1.0, value] for _, _, value in rows]).reshape(-1, 2)),
        np.array([label for _, label, _ in rows], dtype=np.int64),
        NAMES,
        codes,
        np.arange(len(rows)) if units is None else np.array(units),
    )


samples = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3).map(float)), min_size=1,
    max_size=30,
)  # fmt: skip


@given(samples)
@settings(deadline=None)
def test_sums_by_cluster_and_part_are_a_slow_count(rows: list[tuple[int, int, float]]) -> None:
    content = labelled(rows)
    result = content.by_cluster(PARTS).toarray().reshape(-1, len(PARTS), 2)
    assert content.by_part(PARTS) == pytest.approx(result.sum(axis=0))
    expected = np.zeros_like(result)
    for code, (_, label, value) in zip(content.clusters, rows, strict=True):
        for index, part in enumerate(PARTS):
            if set(part) <= set(NAMES[label]):
                expected[code, index] += (1.0, value)
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(content.by_label().sum(axis=0), expected[:, 0].sum(axis=0))


@given(samples, st.integers(0, 100))
@settings(deadline=None)
def test_permuting_keeps_the_whole_and_who_has_no_label(
    rows: list[tuple[int, int, float]], seed: int
) -> None:
    content = labelled(rows)
    parts = [(), *NAMES[:3]]
    full = content.by_cluster(parts).toarray().sum(axis=0).reshape(-1, 2)
    for sums in content.permuted(parts, 3, seed):
        np.testing.assert_allclose(sums[0], full[0])
        if content.within:
            np.testing.assert_allclose(sums[1:, 0], full[1:, 0])
    if content.within:
        for labels in content.permuted_labels(3, seed):
            assert ((labels == 3) == (content.labels == 3)).all()


@pytest.mark.parametrize(
    "values",
    [np.arange(1, 25) / 7, np.arange(1, 25) + 2.0**24, np.arange(1, 25) * 1.0],
    ids=["fractions", "whole and large", "whole and small"],
)
def test_permuted_sums_are_exact_whatever_the_numbers(values: Floats) -> None:
    rows = labelled([(index // 3, index % 3, value) for index, value in enumerate(values)])
    parts = [(), *NAMES[:3]]
    drawn = zip(rows.permuted(parts, 4, 5), rows.permuted_labels(4, 5), strict=True)
    for sums, labels in drawn:
        expected = [math.fsum(values), *(math.fsum(values[labels == at]) for at in range(3))]
        assert sums[:, 1].tolist() == pytest.approx(expected, rel=1e-14, abs=0)


@given(samples, st.booleans())
@settings(deadline=None)
def test_rows_summed_a_few_clusters_at_a_time_are_those_of_all(
    rows: list[tuple[int, int, float]], ordered: bool
) -> None:
    content = labelled(sorted(rows) if ordered else rows)
    content = replace(content, strata=np.array([0, 0, 1, 1, 1])[: content.clusters.max() + 1])
    full = distinct_rows(content.by_cluster(PARTS), content.strata)
    with pytest.MonkeyPatch.context() as patch:
        for module in (labelled_module, rows_module):
            patch.setattr(module, "ROWS", 2)
        result = content.distinct(PARTS)
        again = distinct_rows(content.by_cluster(PARTS), content.strata)
    for item in (result, again):
        np.testing.assert_array_equal(item.rows.toarray(), full.rows.toarray())
        assert item.counts.tolist() == full.counts.tolist()
        assert item.strata.tolist() == full.strata.tolist()


def test_sets_that_vary_are_permuted_within_and_others_across() -> None:
    sets = labelled([(index // 3, index % 3, float(index)) for index in range(30)])
    assert sets.within
    for labels in sets.permuted_labels(5, 0):
        for cluster in range(10):
            assert sorted(labels[sets.clusters == cluster]) == [0, 1, 2]
    people = labelled([(index // 3, index // 3 % 3, float(index)) for index in range(30)])
    assert not people.within
    drawn = list(people.permuted_labels(5, 0))
    assert any((labels != people.labels).any() for labels in drawn)
    for labels in drawn:
        assert all(len(set(labels[people.clusters == cluster])) == 1 for cluster in range(10))
        assert sorted(labels) == sorted(people.labels)


def test_where_half_of_the_clusters_vary_labels_are_permuted_across() -> None:
    # Two clusters of two different pictures, two of two alike: not most.
    rows = [(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 2, 1.0)]
    rows += [(2, 0, 1.0), (2, 0, 1.0), (3, 1, 1.0), (3, 1, 1.0)]
    assert not labelled(rows).within
    assert labelled(rows[:6]).within


def test_questions_about_one_picture_move_together() -> None:
    rows = [(index // 6, index // 2 % 3, 1.0) for index in range(60)]
    content = labelled(rows, units=[index // 2 for index in range(60)])
    assert content.within
    for labels in content.permuted_labels(4, 1):
        assert (labels[0::2] == labels[1::2]).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=30))
@settings(deadline=None)
def test_shuffling_stays_in_its_block(rows: list[tuple[int, int]]) -> None:
    blocks, labels = (np.array(column) for column in zip(*rows, strict=True))
    order = np.argsort(blocks, kind="stable")
    result = shuffled(labels, blocks, order, np.random.default_rng(0))
    for block in range(4):
        assert sorted(result[blocks == block]) == sorted(labels[blocks == block])


def test_shuffling_is_even() -> None:
    random = np.random.default_rng(0)
    blocks = np.array([0, 0, 0, 1, 1])
    seen = np.stack([shuffled(np.arange(5), blocks, np.arange(5), random) for _ in range(6000)])
    for index in range(3):
        assert np.bincount(seen[:, index], minlength=5)[:3] == pytest.approx(2000, rel=0.1)
    assert np.bincount(seen[:, 4], minlength=5)[3:] == pytest.approx(3000, rel=0.1)


def test_chance_counts_the_data_among_its_draws() -> None:
    drawn = np.array([0.0, 1.0, 2.0, 3.0, np.nan])
    high = chance(2.0, drawn, "high", within=True)
    low = chance(2.0, drawn, "low", within=False)
    assert high is not None
    assert low is not None
    assert (high.p, low.p) == (3 / 5, 4 / 5)
    assert (high.mean, high.draws, high.method) == (1.5, 4, "labels permuted within clusters")
    assert chance(np.nan, drawn, "low", within=True) is None
    assert chance(1.0, np.full(4, np.nan), "low", within=True) is None


def test_labels_are_numbered_as_they_sort() -> None:
    content = Labels()
    first = content.add((("gender", "male"),))
    content.add(())
    content.add((("gender", "female"),))
    content.again(first)
    assert content.codes().tolist() == [2, 0, 1, 2]
    assert content.names == ((), (("gender", "female"),), (("gender", "male"),))
