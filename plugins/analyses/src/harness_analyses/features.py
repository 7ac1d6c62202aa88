"""Pooled features of an encoder on disk, by layer and pooling, in the cache of the engine.

They belong to one encoder and to no task: an image is encoded once, whatever probe needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError
from numpy.typing import NDArray

Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """A layer (block, from 0) and how its tokens become one vector."""

    layer: int
    pooling: str

    def key(self, image: str) -> str:
        """Return the name of an image's vector in the cache."""
        return f"{self.layer:03d}-{self.pooling} {image}"


class FeatureStore:
    """Features of one encoder.

    Args:
        root: Folder of all encoders' features.
        identity: Everything that can change the encoder's features.
    """

    def __init__(self, root: Path, identity: Mapping[str, Json]) -> None:
        from harness.engine.features import FeatureCache

        self._root = root
        # A probe reads all that it wrote, so nothing may be evicted to make room.
        self._cache = FeatureCache(root, identity, cap=1 << 62)

    def has(self, image: str, columns: Sequence[Column]) -> bool:
        """Whether an image has a vector in every column."""
        return all(column.key(image) in self._cache for column in columns)

    def put(self, image: str, features: Mapping[Column, Features]) -> None:
        """Keep an image's vectors; they are on disk after :meth:`flush` at the latest."""
        import torch

        for column, vector in features.items():
            self._cache.put(column.key(image), torch.from_numpy(np.ascontiguousarray(vector)))

    def flush(self) -> None:
        """Write the vectors that are still in memory.

        Raises:
            UserError: the cache cannot be written.
        """
        self._cache.flush()
        if not self._cache.keeps:
            raise UserError("features cannot be written", where=self._root, fix="free some space")

    def matrix(self, column: Column, images: Sequence[str]) -> Features:
        """Return ``(images, width)`` float32.

        Raises:
            KeyError: an image that has no vector, or one whose shard is damaged.
        """
        rows: list[Features] = []
        for image in images:
            vector = self._cache.get(column.key(image))
            if vector is None:
                raise KeyError(image)
            rows.append(vector.numpy())
        return np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)
