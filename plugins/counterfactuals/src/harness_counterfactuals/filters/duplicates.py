"""Near-duplicates between sets, by a perceptual hash; within a set images should look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from harness.descriptors import Json
from harness.packages import versions

from harness_counterfactuals.contract import Score

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.manifest import About, Row

_SIDE = 16  # of the hash: 256 bits


class NearDuplicates:
    """Distance of a base's source to the nearest source of an earlier set, in bits of 256.

    Sets come in the order of the plan: of two that look alike the later one is dropped.
    """

    name, version = "near_duplicates", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:  # noqa: ARG002
        self._most = int(str(options["most"]))
        self._hashes = np.empty((1024, _SIDE * _SIDE // 64), np.uint64)
        self._count = 0
        self.needs = versions("ImageHash", "pillow", "scipy", "numpy")

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:
        """Return ``bits`` for each source; none for edits, and for the first set."""
        hashes = [_hash(one) if row.is_source else None
                  for one, row in zip(images, rows, strict=True)]  # fmt: skip
        scores = [self._score(value) for value in hashes]
        for value in hashes:
            if value is not None:
                self._add(value)
        return scores

    def _score(self, value: np.ndarray[tuple[int], np.dtype[np.uint64]] | None) -> Score:
        if value is None or not self._count:
            return Score({"bits": None})
        differ = np.bitwise_count(self._hashes[: self._count] ^ value).sum(axis=1)
        bits = int(differ.min())
        return Score(
            {"bits": float(bits)}, "looks like an earlier set" if bits <= self._most else ""
        )

    def _add(self, value: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        if self._count == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.empty_like(self._hashes)])
        self._hashes[self._count] = value
        self._count += 1


def _hash(image: Image.Image) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return the perceptual hash (pHash) of an image as four numbers of 64 bits."""
    import imagehash

    bits = imagehash.phash(image, hash_size=_SIDE).hash.ravel()
    packed: np.ndarray[tuple[int], np.dtype[np.uint64]] = np.packbits(bits).view(np.uint64)
    return packed
