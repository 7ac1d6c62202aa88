"""The data source: draws the benchmarks' folders into a cache, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError

from harness_demo_world.chance import VERSION
from harness_demo_world.layouts import LAYOUTS
from harness_demo_world.layouts.pixels import jpeg
from harness_demo_world.world import SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import PurePosixPath


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

        Annotations of all splits are always there, since a baseline learns from those of the train
        split without an image; images only of the splits asked for so far.

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
        layout = LAYOUTS[benchmark]
        _write_once(root, "annotated", _encoded(layout.annotations(self.seed)))
        for split in layout.splits:
            if split in splits:
                images = ((path, jpeg(image)) for path, image in layout.pictures(self.seed, split))
                _write_once(root, f"{split}-drawn", images)
        return root


def _encoded(
    texts: Iterable[tuple[PurePosixPath, str | bytes]],
) -> Iterator[tuple[PurePosixPath, bytes]]:
    for path, text in texts:
        yield path, text if isinstance(text, bytes) else text.encode()


def _write_once(root: Path, name: str, files: Iterable[tuple[PurePosixPath, bytes]]) -> None:
    """Write files below `root`; a marker called `.name` says that all of them are there.

    Each is written under a name of this process and then moved to its own: another process that
    does the same at the same time writes the same bytes.
    """
    marker = root / f".{name}"
    if marker.exists():
        return
    folder = None
    for path, data in files:
        target = root / path
        if target.parent != folder:
            folder = target.parent
            folder.mkdir(parents=True, exist_ok=True)
        work = folder / f".{path.name}.{os.getpid()}"
        work.write_bytes(data)
        work.replace(target)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
