"""The data source: draws the benchmarks' folders into a cache, once."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError

from harness_demo_world.chance import VERSION
from harness_demo_world.layouts import LAYOUTS
from harness_demo_world.layouts.pixels import jpeg
from harness_demo_world.world import SPLITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image


ALIASES: dict[str, dict[str, str]] = {
    "jrdb_social": {"valid": "test"},
    "fairface": {"val": "test"},
    "vqav2": {"val": "test"},
    "textvqa": {"val": "test"},
    "mmbench": {"dev": "test"},
}
"""The release's own name of the part that the world's test people are in."""


SEED_VARIABLE = "HARNESS_DEMO_WORLD"
"""Environment variable that names another world by its seed; 0 is the one that is shipped."""


def _seed() -> int:
    text = os.environ.get(SEED_VARIABLE, "0")
    if not text.isdigit():
        raise UserError(
            f"{text!r} is not a seed of a demo world",
            where=SEED_VARIABLE,
            fix="write a whole number",
        )
    return int(text)


class DemoWorld:
    """Provides the benchmarks' folders as drawn in the world with this seed."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = _seed() if seed is None else seed

    def locate(self, benchmark: str, cache: Path, splits: Sequence[str] = ("test",)) -> Path:
        """Return the root folder of a benchmark, drawing what is missing.

        Annotations of all splits are always there; images only of the splits asked for so far.

        Args:
            benchmark: One of `contents.BENCHMARKS`.
            cache: Folder for drawn data; the world's version and seed are part of the path.
            splits: Whose images to draw. A split the benchmark does not have is left out;
                ALIASES says what a release calls the world's `test`.

        Raises:
            ValueError: for a benchmark or split that the world does not know.
        """
        if benchmark not in LAYOUTS:
            raise ValueError(f"the demo world has no benchmark {benchmark!r}: {sorted(LAYOUTS)}")
        # What the release asks on (`valid`, `val`, `dev`) is the world's test split.
        named = ALIASES.get(benchmark, {})
        splits = [named.get(split, split) for split in splits]
        unknown = sorted(set(splits) - set(SPLITS))
        if unknown:
            raise ValueError(f"the demo world has no split {unknown[0]!r}: {list(SPLITS)}")
        root = Path(cache) / "demo_world" / f"v{VERSION}-seed{self.seed}" / benchmark
        if not root.is_dir():
            self._annotate(benchmark, root)
        for split in LAYOUTS[benchmark].splits:
            if split in splits:
                self._draw(benchmark, root, split)
        return root

    def _annotate(self, benchmark: str, root: Path) -> None:
        """Write the annotations beside `root`, then rename: the root is complete or absent."""
        root.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{benchmark}-", dir=root.parent))
        try:
            for path, text in LAYOUTS[benchmark].annotations(self.seed):
                target = work / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text if isinstance(text, bytes) else text.encode())
            work.chmod(0o755)
            try:
                work.rename(root)
            except OSError:
                # Another process was first; its bytes are the same.
                if not root.is_dir():
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _draw(self, benchmark: str, root: Path, split: str) -> None:
        """Draw a split's images; a marker says that all of them are there."""
        marker = root / f".{split}-drawn"
        if marker.exists():
            return
        for path, image in LAYOUTS[benchmark].pictures(self.seed, split):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _save(image, target)
        marker.touch()


def _save(image: Image.Image, target: Path) -> None:
    """Write one image under a name of this process, then move it to its own name."""
    work = target.with_name(f".{target.name}.{os.getpid()}")
    work.write_bytes(jpeg(image))
    work.replace(target)
