"""Pooled features on disk: shards of memory-mapped arrays, one file a layer and pooling.

A shard is a folder with the images' keys and one ``.npy`` ``(images, width)`` float32 a column. It
is written beside its place and renamed, so it is whole or not there. Shards belong to one encoder
(its identity names the folder) and to no task: an image is encoded once, whatever asks for it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.descriptors import Json
from harness.errors import UserError
from harness.jsonfiles import read_json
from harness.specs import fingerprint

Features = NDArray[np.float32]
_KEYS = "keys.json"
SHARD_BYTES = 128 << 20


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """A layer (block, from 0) and how its tokens become one vector."""

    layer: int
    pooling: str

    @property
    def file(self) -> str:
        """The name of its array."""
        return f"{self.layer:03d}-{self.pooling}.npy"


Place = tuple[Path, int]


class FeatureStore:
    """Features of one encoder.

    Args:
        root: Folder of all encoders' features.
        identity: Everything that can change the encoder's features.
    """

    def __init__(self, root: Path, identity: Mapping[str, Json]) -> None:
        self._folder = root / fingerprint(dict(identity))[:24]
        self._pending: dict[str, dict[Column, Features]] = {}
        self._bytes = 0

    def places(self, columns: Sequence[Column]) -> dict[str, Place]:
        """Return shard and row of every image that has all columns; damaged shards are left out."""
        found: dict[str, Place] = {}
        for shard in sorted(self._folder.glob("*/")):
            try:
                keys = read_json(shard / _KEYS)
                whole = all(_rows(shard, column) == len(keys) for column in columns)
            except (UserError, OSError, ValueError, TypeError, EOFError):
                continue
            if whole:
                found |= {key: (shard, row) for row, key in enumerate(keys)}
        return found

    def put(self, key: str, features: Mapping[Column, Features]) -> None:
        """Keep an image's features; they are on disk after :meth:`flush` at the latest."""
        self._pending[key] = dict(features)
        self._bytes += sum(one.nbytes for one in features.values())
        if self._bytes >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is pending as one shard."""
        if not self._pending:
            return
        keys = list(self._pending)
        columns = sorted(self._pending[keys[0]])
        said = json.dumps([keys, [column.file for column in columns]])
        shard = self._folder / hashlib.sha256(said.encode()).hexdigest()[:24]
        self._folder.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=self._folder.parent, prefix=".part-"))
        try:
            for column in columns:
                rows = np.stack([self._pending[key][column] for key in keys])
                np.save(part / column.file, rows.astype(np.float32, copy=False))
            (part / _KEYS).write_text(json.dumps(keys), encoding="utf-8")
            if shard.is_dir():  # damaged, or it would not have been made again
                shutil.rmtree(shard)
            part.rename(shard)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._pending, self._bytes = {}, 0

    @staticmethod
    def matrix(column: Column, keys: Sequence[str], places: Mapping[str, Place]) -> Features:
        """Return ``(keys, width)`` float32, read through memory maps.

        Raises:
            KeyError: an image that has no features.
        """
        by_shard: dict[Path, tuple[list[int], list[int]]] = {}
        for at, key in enumerate(keys):
            shard, row = places[key]
            held = by_shard.setdefault(shard, ([], []))
            held[0].append(at)
            held[1].append(row)
        found: Features | None = None
        for shard, (targets, rows) in by_shard.items():
            array = np.load(shard / column.file, mmap_mode="r", allow_pickle=False)
            if found is None:
                found = np.empty((len(keys), array.shape[1]), dtype=np.float32)
            found[targets] = array[rows]
        return np.empty((0, 0), dtype=np.float32) if found is None else found


def _rows(shard: Path, column: Column) -> int:
    """Return the images of one array, from its header."""
    return int(np.load(shard / column.file, mmap_mode="r", allow_pickle=False).shape[0])
