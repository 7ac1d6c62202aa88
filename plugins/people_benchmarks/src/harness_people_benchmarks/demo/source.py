"""The data source `demo_people`: draws the folders into a cache, once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.layouts.pixels import jpeg
from harness_demo_world.source import DemoWorld

from harness_people_benchmarks.demo.contents import VERSION

if TYPE_CHECKING:
    from PIL import Image

    Drawn = Iterator[tuple[PurePosixPath, "str | bytes | Image.Image"]]


class DemoPeople:
    """Provides the benchmarks' folders as drawn in the demo world of a seed.

    Args:
        seed: Number of the world; by default that of ``HARNESS_DEMO_WORLD``.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = DemoWorld(seed).seed

    def locate(self, benchmark: str, cache: Path, splits: Sequence[str] = ("test",)) -> Path:
        """Return the root folder of a benchmark, drawing it whole where it is not there.

        Args:
            benchmark: One of ``contents.BENCHMARKS``: its module has ``files(seed)``.
            cache: Folder for drawn data; versions and seed are part of the path.
            splits: Ignored: the data are small, and all splits are drawn.
        """
        del splits
        root = Path(cache) / "demo_people" / f"v{VERSION}-seed{self.seed}" / benchmark
        if not root.is_dir():
            draw: Callable[[int], Drawn] = import_module(f"{__package__}.{benchmark}").files
            _write(root, draw(self.seed))
        return root


def _write(root: Path, files: Drawn) -> None:
    """Write beside ``root``, then rename: it is complete or absent."""
    root.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        for path, content in files:
            target = work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.write_text(content, encoding="utf-8", newline="")
            else:
                target.write_bytes(content if isinstance(content, bytes) else jpeg(content))
        work.chmod(0o755)
        try:
            work.rename(root)
        except OSError:
            if not root.is_dir():  # otherwise another process was first; its bytes are the same
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
