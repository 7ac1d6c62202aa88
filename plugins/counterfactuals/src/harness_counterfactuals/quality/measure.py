"""Measure a folder in one pass, which keeps sums, moments and a bounded number of features."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from harness.descriptors import Json
from scipy.special import stdtrit

from harness_counterfactuals.filters.encoder import SharedEncoder
from harness_counterfactuals.filters.words import sources
from harness_counterfactuals.manifest import Row
from harness_counterfactuals.quality.distances import Moments, fewest_for_fid, frechet, kid
from harness_counterfactuals.quality.features import Network
from harness_counterfactuals.quality.images import Batch, ImageFolder

KID_IMAGES = 5000
FEWEST_FOR_KID = 3


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over sets.

    Attributes:
        low: Lower end of Student's interval over sets at 95 %; NaN for fewer than two.
        high: Upper end.
        sets: How many there are.
    """

    value: float
    low: float
    high: float
    sets: int

    def to_json(self) -> dict[str, Json]:
        """Return it as plain data."""
        ends = {key: None if math.isnan(end) else end
                for key, end in (("low", self.low), ("high", self.high))}  # fmt: skip
        return {"value": self.value, **ends, "sets": self.sets}


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean of values, one for each set."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Mean(mean, math.nan, math.nan, n)
    half = float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Mean(mean, mean - half, mean + half, n)


@dataclass(slots=True)
class _Direction:
    """The sum of unit vectors: all that the mean cosine of all pairs needs."""

    count: int = 0
    total: Any = 0.0

    def add(self, vectors: Any) -> None:
        self.count += len(vectors)
        self.total = self.total + vectors.sum(axis=0)

    def diversity(self) -> float:
        """Return 1 minus the mean cosine of all pairs; NaN for fewer than two."""
        n = self.count
        if n < 2:
            return math.nan
        return 1 - (float(self.total @ self.total) - n) / (n * (n - 1))


@dataclass(slots=True)
class Measured:
    """What one pass over a folder found.

    Attributes:
        moments: Moments of the network's features.
        kept: ``(hash, name, cluster, features)`` of the images that KID takes: those of the
            smallest hashes of their names, whatever the order of the images.
    """

    folder: ImageFolder
    moments: Moments = field(default_factory=Moments)
    kept: list[tuple[int, str, str, Any]] = field(default_factory=list)
    clip: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    consistency: dict[str, list[float]] = field(default_factory=dict)
    directions: dict[str, _Direction] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Images that took part."""
        return self.moments.count

    def diversity(self) -> dict[str, float]:
        """Return diversity by concept; the empty name is all images."""
        return {name: each.diversity() for name, each in self.directions.items()}

    def clip_scores(self) -> dict[str, Mean]:
        """Return 100 times the cosine of image and prompt, by concept."""
        return {
            concept: mean_of([math.fsum(values) / len(values) for values in sets.values()])
            for concept, sets in self.clip.items()
        }

    def set_consistency(self) -> Mean | None:
        """Return the cosine of edits with their source; ``None`` where there is no edit."""
        values = [math.fsum(each) / len(each) for each in self.consistency.values() if each]
        return mean_of(values) if values else None


def measure(
    folder: ImageFolder,
    network: Network,
    encoder: SharedEncoder | None,
    each: Callable[[int], None],
    kid_images: int = KID_IMAGES,
) -> Measured:
    """Read a folder once.

    Args:
        folder: Its images.
        network: What FID and KID compare.
        encoder: For diversity, prompts and consistency; ``None`` leaves them out.
        each: Called with the number of images of each batch.
        kid_images: Features that are kept at most.
    """
    measured = Measured(folder)
    for batch in folder.batches():
        features = network.features(batch.images, batch.hashes)
        measured.moments.add(features)
        _keep(measured, batch, features, kid_images)
        if encoder is not None:
            _compare(measured, batch, encoder)
        each(len(batch.images))
    return measured


def _keep(measured: Measured, batch: Batch, features: Any, most: int) -> None:
    clusters = [row.set for row in batch.rows] or list(batch.names)
    for name, cluster, row in zip(batch.names, clusters, features, strict=True):
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        # A heap of the smallest: its first is the largest of them.
        entry = (-int.from_bytes(digest, "big"), name, cluster, row.astype(np.float32))
        if len(measured.kept) < most:
            heapq.heappush(measured.kept, entry)
        elif entry[0] > measured.kept[0][0]:
            heapq.heapreplace(measured.kept, entry)


def _compare(measured: Measured, batch: Batch, encoder: SharedEncoder) -> None:
    vectors = encoder.images(batch.images, batch.hashes)
    if not batch.rows:
        measured.directions.setdefault("", _Direction()).add(vectors)
        return
    from_place = sources(batch.rows)
    # Edits resemble their source by design: diversity is that of the sources.
    firsts = sorted(set(from_place))
    concept = batch.rows[0].concept
    for name in ("", concept):
        measured.directions.setdefault(name, _Direction()).add(vectors[firsts])
    prompts = encoder.texts([row.prompt for row in batch.rows])
    cosines = 100 * (vectors * prompts).sum(axis=1)
    by_set = measured.clip.setdefault(concept, defaultdict(list))
    for row_number, row in enumerate(batch.rows):
        by_set[row.set].append(float(cosines[row_number]))
        similar = measured.consistency.setdefault(row.set, [])
        if from_place[row_number] != row_number:
            similar.append(float(vectors[row_number] @ vectors[from_place[row_number]]))


def distances(measured: Measured, reference: Measured) -> dict[str, Json]:
    """Return FID (``None`` with the reason where there are too few images) and KID."""
    fewest = fewest_for_fid(len(measured.moments.mean))
    fid: float | None = None
    refused = ""
    for name, each in (("the set", measured), ("the reference", reference)):
        if each.images < fewest:
            refused = f"FID needs {fewest:,} images on each side; {name} has {each.images:,}"
    if not refused:
        fid = frechet(measured.moments, reference.moments)
    body: dict[str, Json] = {"fid": fid, "fid_refused": refused or None}
    x, y = (sorted(each.kept, reverse=True, key=lambda one: one[:2])
            for each in (measured, reference))  # fmt: skip
    if min(len(x), len(y)) < FEWEST_FOR_KID:
        return {**body, "kid": None, "kid_refused": f"KID needs {FEWEST_FOR_KID} images"}
    value = kid(
        np.stack([one[3] for one in x]).astype(np.float64),
        np.stack([one[3] for one in y]).astype(np.float64),
        [one[2] for one in x],
    )
    ends = [None if math.isnan(end) else end for end in (value.low, value.high)]
    return {**body, "kid": value.value, "kid_low": ends[0], "kid_high": ends[1],
            "kid_images": [len(x), len(y)]}  # fmt: skip


def balance(rows: Sequence[Row]) -> dict[str, dict[str, Json]]:
    """Return by attribute, and concept, the images of each value and their evenness.

    Evenness is the entropy over its maximum: 1 where all values are equally frequent.
    """
    parts = ["concept", *(rows[0].attributes if rows else ())]
    report: dict[str, dict[str, Json]] = {}
    for part in parts:
        counts = Counter(row.concept if part == "concept" else row.attributes[part] for row in rows)
        shares = [count / len(rows) for count in counts.values()]
        entropy = -math.fsum(share * math.log(share) for share in shares)
        even = entropy / math.log(len(counts)) if len(counts) > 1 else None
        report[part] = {"evenness": even, "images": dict(sorted(counts.items()))}
    return report
