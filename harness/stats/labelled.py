"""Statistics by group: sums per cluster and part, and permuted labels for the chance level.

Labels are permuted within clusters where most clusters hold several (counterfactual sets: each
image keeps its answers, the set keeps its people), and otherwise across clusters of a stratum,
each of which has one label. The question stays with its sample.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from harness.stats.collect import counted, sums_by
from harness.stats.interval import Chance
from harness.stats.rows import ROWS, DistinctRows, Matrix, generator, merged_rows
from harness.stats.types import Codes, Floats, Label

PERMUTATIONS = 200
_DENSE = 0.125
"""From this share of non-zero cells on, a product is faster on a dense array."""


class Labels:
    """The label of each sample in four bytes; labels are numbered in sorted order."""

    def __init__(self) -> None:
        self._places: dict[Label, int] = {}
        self._codes = array("i")

    def add(self, label: Label, number: int = 1) -> int:
        """Add the label of the next samples and return its code, which :meth:`again` takes."""
        code = self._places.setdefault(label, len(self._places))
        self._codes.extend(repeat(code, number))
        return code

    def again(self, code: int) -> None:
        """Add the next sample's label by the code that :meth:`add` returned."""
        self._codes.append(code)

    @property
    def names(self) -> tuple[Label, ...]:
        """Labels by number."""
        return tuple(sorted(self._places))

    def codes(self) -> Codes:
        """Return the number of each sample's label."""
        number = np.zeros(len(self._places), dtype=np.int64)
        number[[self._places[name] for name in self.names]] = np.arange(len(self._places))
        return number[np.asarray(self._codes, dtype=np.int64)]


@dataclass(frozen=True)
class Labelled:
    """Statistics of samples that carry labels.

    Attributes:
        rows: ``(samples, size)``.
        labels: ``(samples,)`` the number of each label.
        names: Labels by number; the empty label counts in the total only and is never permuted.
        clusters: ``(samples,)`` from 0 without gaps.
        units: ``(samples,)`` from 0 without gaps: what carries the label, such as an image.
        strata: ``(clusters,)`` or ``None``.
    """

    rows: Matrix
    labels: Codes
    names: Sequence[Label]
    clusters: Codes
    units: Codes
    strata: Codes | None = None

    def members(self, parts: Sequence[Label]) -> NDArray[np.bool_]:
        """Return ``(parts, labels)``: whether a label contains a part."""
        member = [[set(part) <= set(name) for name in self.names] for part in parts]
        return np.array(member, dtype=bool).reshape(len(parts), len(self.names))

    def by_cluster(self, parts: Sequence[Label]) -> Matrix:
        """Return ``(clusters, parts x size)`` sums."""
        pairs = self.clusters * max(1, len(self.names)) + self.labels
        named, codes = np.unique(pairs, return_inverse=True)
        sums = sums_by(codes, self.rows)
        clusters, labels = np.divmod(named, max(1, len(self.names)))
        number = int(self.clusters.max()) + 1 if len(self.clusters) else 0
        blocks = []
        for inside in self.members(parts):
            use = np.flatnonzero(inside[labels])
            adder = csr_array((np.ones(len(use)), (clusters[use], use)), (number, len(named)))
            blocks.append(adder @ sums)
        stacked: Matrix = hstack(blocks, format="csr")
        return stacked

    def distinct(self, parts: Sequence[Label]) -> DistinctRows:
        """Return the distinct rows of :meth:`by_cluster`, summed over a few clusters at a time."""
        number = int(self.clusters.max()) + 1 if len(self.clusters) else 0
        shape = number, len(parts) * self.rows.shape[1]
        return merged_rows(self._some_clusters(parts, number), shape, self.strata)

    def _some_clusters(self, parts: Sequence[Label], number: int) -> Iterator[Matrix]:
        if (self.clusters[1:] < self.clusters[:-1]).any():
            yield self.by_cluster(parts)
            return
        for start in range(0, number, ROWS):
            first, last = np.searchsorted(self.clusters, (start, start + ROWS))
            part = slice(int(first), int(last))
            some = replace(
                self, rows=self.rows[part], labels=self.labels[part],
                clusters=self.clusters[part] - start, units=self.units[part], strata=None,
            )  # fmt: skip
            yield some.by_cluster(parts)

    def by_label(self) -> Floats:
        """Return ``(labels, size)`` sums."""
        return self._by(self.labels, self.rows)

    def by_part(self, parts: Sequence[Label]) -> Floats:
        """Return ``(parts, size)`` sums."""
        sums: Floats = self.members(parts).astype(np.float64) @ self.by_label()
        return sums

    def permuted(self, parts: Sequence[Label], draws: int, seed: int) -> Iterator[Floats]:
        """Yield ``(parts, size)`` sums with labels permuted, one permutation after the other."""
        members = self.members(parts).astype(np.float64)
        labels, blocks, order, items = self._items
        unit_rows = _quick(sums_by(items, self.rows))
        counts = _counts(unit_rows)
        random = generator(seed)
        for _ in range(draws):
            permuted = shuffled(labels, blocks, order, random)
            if counts is None:
                yield members @ self._by(permuted, unit_rows)
                continue
            of_item, columns, weights = counts
            size = unit_rows.shape[1]
            cells = np.repeat(permuted * size, of_item)
            cells += columns
            sums = np.bincount(cells, weights, minlength=len(self.names) * size)
            yield members @ sums.reshape(len(self.names), size)

    def permuted_labels(self, draws: int, seed: int) -> Iterator[Codes]:
        """Yield the labels of samples, permuted; the same permutations as :meth:`permuted`."""
        labels, blocks, order, items = self._items
        random = generator(seed)
        for _ in range(draws):
            yield shuffled(labels, blocks, order, random)[items]

    @cached_property
    def within(self) -> bool:
        """Whether labels are permuted within clusters: most clusters of several units vary."""
        labels, clusters = self._unit_labels, self._unit_clusters
        units = np.bincount(clusters)
        pairs = np.unique(clusters * max(1, len(self.names)) + labels) // max(1, len(self.names))
        varying = np.bincount(pairs, minlength=len(units)) > 1
        return bool(varying.sum() * 2 > (units > 1).sum())

    @cached_property
    def _unit_labels(self) -> Codes:
        return self._of_unit(self.labels)

    @cached_property
    def _unit_clusters(self) -> Codes:
        return self._of_unit(self.clusters)

    def _of_unit(self, codes: Codes) -> Codes:
        unit_codes = np.zeros(int(self.units.max()) + 1 if len(self.units) else 0, dtype=np.int64)
        unit_codes[self.units] = codes
        return unit_codes

    @cached_property
    def _items(self) -> tuple[Codes, Codes, Codes, Codes]:
        """Return the items to permute: labels, blocks, order by block, and each sample's item."""
        if self.within:
            items, labels, blocks = self.units, self._unit_labels, self._unit_clusters
        else:
            items, labels = self.clusters, self._cluster_labels
            blocks = np.zeros(len(labels), dtype=np.int64) if self.strata is None else self.strata
        # Items without a label keep out of it: each is a block of its own.
        bare = np.array([not name for name in self.names], dtype=bool)[labels]
        if bare.any():
            alone = blocks.max(initial=0) + 1 + np.arange(len(labels))
            blocks = counted(np.where(bare, alone, blocks))
        return labels, blocks, np.argsort(blocks, kind="stable"), items

    @property
    def _cluster_labels(self) -> Codes:
        """The label of most units of each cluster, the first of several."""
        number = max(1, len(self.names))
        pairs, counts = np.unique(
            self._unit_clusters * number + self._unit_labels, return_counts=True
        )
        order = np.lexsort((pairs % number, -counts, pairs // number))
        clusters = (pairs // number)[order]
        firsts = np.flatnonzero(np.diff(clusters, prepend=-1))
        labels: Codes = (pairs % number)[order][firsts]
        return labels

    def _by(self, labels: Codes, rows: Any) -> Floats:
        """Return ``(labels, size)`` sums of items under their labels."""
        number = len(labels)
        ones = np.ones(number, dtype=rows.dtype)
        adder = csr_array((ones, (labels, np.arange(number))), shape=(len(self.names), number))
        sums = adder @ rows
        dense = sums if isinstance(sums, np.ndarray) else sums.toarray()
        return dense.astype(np.float64)


def _quick(sums: Matrix) -> Any:
    """Return sums in the form whose products are fastest and just as exact."""
    cells = sums.shape[0] * sums.shape[1]
    if sums.nnz <= _DENSE * cells:
        return sums
    # Whole numbers below 2^24 add up exactly in half the memory.
    small = bool((sums.data == np.rint(sums.data)).all()) and np.abs(sums.data).sum() < 2**24
    return sums.toarray().astype(np.float32 if small else np.float64)


def _counts(rows: Any) -> tuple[Codes, Codes, Floats | None] | None:
    """Return sparse whole numbers as cells: how many an item has, column and value of each.

    To count them by label is quicker than a sparse product, and as exact. Values that are all 1
    are left out; of other numbers nothing is returned.
    """
    if isinstance(rows, np.ndarray) or (rows.data != np.rint(rows.data)).any():
        return None
    weights = None if (rows.data == 1).all() else rows.data
    return np.diff(rows.indptr), rows.indices.astype(np.int64), weights


def shuffled(labels: Codes, blocks: Codes, order: Codes, random: np.random.Generator) -> Codes:
    """Return labels permuted within blocks.

    Args:
        labels: ``(items,)``.
        blocks: ``(items,)`` from 0.
        order: ``(items,)`` places sorted by block.
        random: Generator.
    """
    if not len(labels) or not blocks[order[-1]]:
        return random.permutation(labels)
    # A position in sorted order belongs to the same block before and after; blocks lie one after
    # the other already, which a merge sort makes use of.
    keys = blocks[order] + random.random(len(blocks))
    permuted = np.empty_like(labels)
    permuted[order] = labels[order][np.argsort(keys, kind="stable")]
    return permuted


def chance(value: float, drawn: Floats, extreme: str, *, within: bool) -> Chance | None:
    """Return the chance level of a number and its p value.

    Args:
        value: The value in the data.
        drawn: ``(draws,)`` with labels permuted; values that are not finite are left out.
        extreme: ``low`` or ``high``: which values speak against chance.
        within: Whether labels were permuted within clusters.
    """
    finite = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or 2 * len(finite) < len(drawn) or not len(finite):
        return None
    # Equal sums may differ in their last bits.
    slack = 1e-12 * max(1.0, abs(value))
    far = finite <= value + slack if extreme == "low" else finite >= value - slack
    low, high = np.quantile(finite, (0.025, 0.975))
    return Chance(
        mean=float(finite.mean()),
        low=float(low),
        high=float(high),
        p=float((1 + far.sum()) / (1 + len(finite))),
        draws=len(finite),
        method="labels permuted " + ("within clusters" if within else "across clusters"),
    )
