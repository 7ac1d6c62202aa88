"""Writers of the five benchmarks' own release layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from harness_demo_world.layouts.gazefollow import GazeFollow
from harness_demo_world.layouts.hagridv2 import HagridV2
from harness_demo_world.layouts.jrdb_social import JrdbSocial
from harness_demo_world.layouts.pisc import Pisc
from harness_demo_world.layouts.raf_db import RafDb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePosixPath

    from PIL import Image

__all__ = ["LAYOUTS", "Layout"]


class Layout(Protocol):
    """One benchmark's release layout; paths are relative to its root."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits the release has."""
        ...

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield every annotation file of every split with its text."""
        ...

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield every picture of a split."""
        ...


LAYOUTS: dict[str, Layout] = {
    "hagridv2": HagridV2(),
    "pisc": Pisc(),
    "gazefollow": GazeFollow(),
    "raf_db": RafDb(),
    "jrdb_social": JrdbSocial(),
}
"""By benchmark id."""
