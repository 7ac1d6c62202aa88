"""What a frozen encoder says of an image, kept on disk in shards of safetensors.

Every process writes shards of its own, each whole or not there at all, so several may share a
folder. What is not yet in a shard is held in memory; :meth:`FeatureCache.flush` writes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from harness.descriptors import Json
from harness.engine.weights import read_header, write_atomically
from harness.errors import UserError

DEFAULT_CAP = 16 << 30
SHARD_BYTES = 64 << 20
_OPEN = 128  # shards that stay open: opening one takes longer than reading an image's features


class FeatureCache:
    """Features by image key, for one encoder with one preprocessing, layer and dtype.

    Args:
        root: Folder of all features; ``None`` keeps nothing.
        about: What the features depend on beside the image; equal contents share shards.
        cap: Bytes the folder may take over all encoders; the oldest shards go first. No more than
            this is written by one cache either: it would replace what it has just written.
        shard: Bytes held in memory before a shard is written by itself.
    """

    def __init__(
        self,
        root: Path | None,
        about: Mapping[str, Json],
        *,
        cap: int = DEFAULT_CAP,
        shard: int = SHARD_BYTES,
    ) -> None:
        text = json.dumps(about, sort_keys=True)
        self._root = root
        self._folder = None
        if root is not None:
            self._folder = root / hashlib.sha256(text.encode()).hexdigest()[:24]
        self._cap, self._shard = cap, shard
        self._held: dict[str, Tensor] = {}
        self._bytes = 0
        self._places: dict[str, Path] = {}
        self._open: dict[Path, Any] = {}  # safetensors does not type what it opens
        self._known: set[Path] = set()
        self._looked = False
        self._written = 0
        self.left_out = 0  # images whose features were not written, once the cap was reached

    @property
    def keeps(self) -> bool:
        """Whether features are kept at all."""
        return self._folder is not None

    def __contains__(self, key: str) -> bool:
        """Whether an image's features are there."""
        if self._folder is None:
            return False
        if not self._looked:
            self._look()
        return key in self._held or key in self._places

    def get(self, key: str) -> Tensor | None:
        """Return an image's features; ``None`` when they are not there or the shard is damaged."""
        if key not in self:
            return None
        if key in self._held:
            return self._held[key]
        path = self._places[key]
        try:
            if path not in self._open:
                if len(self._open) >= _OPEN:
                    self._open.clear()
                self._open[path] = safe_open(path, framework="pt")
            features: Tensor = self._open[path].get_tensor(key)
        except (OSError, SafetensorError):
            self._places = {name: place for name, place in self._places.items() if place != path}
            return None
        return features

    def put(self, key: str, features: Tensor) -> None:
        """Keep an image's features; a disk that is full or read-only is not an error."""
        if self._folder is None or self.left_out:
            self.left_out += self._folder is not None
            return
        tensor = features.detach().cpu().contiguous()
        self._held[key] = tensor
        self._bytes += tensor.numel() * tensor.element_size()
        if self._bytes >= self._shard:
            self.flush()

    def flush(self) -> None:
        """Write what is held in memory as one shard, and forget it there."""
        if self._folder is None or not self._held:
            return
        data = save(self._held)
        if self._written + len(data) > self._cap:
            self.left_out = len(self._held)
            self._held, self._bytes = {}, 0
            return
        path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex}.safetensors"
        try:
            self._make_room(len(data))
            write_atomically(path, data)
        except OSError:
            self._folder = None
        else:
            self._places.update(dict.fromkeys(self._held, path))
            self._known.add(path)
            self._written += len(data)
        self._held, self._bytes = {}, 0

    def _look(self) -> None:
        """Learn what the shards there are hold; damaged ones are passed over."""
        assert self._folder is not None
        self._looked = True
        for path in sorted(self._folder.glob("*.safetensors")):
            if path in self._known:
                continue
            try:
                self._places.update(dict.fromkeys(read_header(path), path))
            except UserError:
                continue
            self._known.add(path)

    def _make_room(self, size: int) -> None:
        """Remove the oldest shards of any encoder until the next one fits under the cap."""
        assert self._root is not None
        shards = []
        for path in self._root.glob("*/*.safetensors"):
            try:
                stat = path.stat()
            except OSError:
                continue  # another process removed it
            shards.append((stat.st_mtime_ns, str(path), stat.st_size))
        total = sum(shard[2] for shard in shards)
        for _, name, length in sorted(shards):
            if total + size <= self._cap:
                break
            Path(name).unlink(missing_ok=True)
            total -= length
