"""What a frozen encoder says of an image, kept on disk: one file an image, written atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from harness.descriptors import Json
from harness.engine.weights import write_atomically

DEFAULT_CAP = 16 << 30
_NAME = "features"


class FeatureCache:
    """Features by image key, for one encoder with one preprocessing, layer and number type.

    Args:
        root: Folder of all features; ``None`` keeps nothing.
        about: What the features depend on beside the image; equal contents share files.
        cap: Bytes the folder may take over all encoders; the oldest files go first.
    """

    def __init__(
        self, root: Path | None, about: Mapping[str, Json], *, cap: int = DEFAULT_CAP
    ) -> None:
        text = json.dumps(about, sort_keys=True)
        self._root = root
        self._folder = None
        self._cap = cap
        self._held: int | None = None
        if root is not None:
            self._folder = root / hashlib.sha256(text.encode()).hexdigest()[:24]

    def get(self, key: str) -> Tensor | None:
        """Return an image's features; ``None`` when they are not there or the file is damaged."""
        path = self._path(key)
        if path is None:
            return None
        try:
            return load(path.read_bytes())[_NAME]
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def put(self, key: str, features: Tensor) -> None:
        """Keep an image's features; a disk that is full or read-only is not an error."""
        path = self._path(key)
        if path is None:
            return
        data = save({_NAME: features.detach().cpu().contiguous()})
        try:
            self._make_room(len(data))
            write_atomically(path, data)
        except OSError:
            self._folder = None

    def _path(self, key: str) -> Path | None:
        if self._folder is None:
            return None
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.safetensors"

    def _make_room(self, size: int) -> None:
        assert self._root is not None
        if self._held is None or self._held + size > self._cap:
            self._held = self._sweep(size)
        self._held += size

    def _sweep(self, size: int) -> int:
        """Remove the oldest files until a tenth of the cap is free; return the bytes held."""
        assert self._root is not None
        files = []
        for path in self._root.glob("*/*/*.safetensors"):
            try:
                stat = path.stat()
            except OSError:
                continue  # another process removed it
            files.append((stat.st_mtime_ns, str(path), stat.st_size))
        held = sum(file[2] for file in files)
        if held + size <= self._cap:
            return held
        for _, name, length in sorted(files):
            if held + size <= self._cap * 0.9:
                break
            Path(name).unlink(missing_ok=True)
            held -= length
        return held
