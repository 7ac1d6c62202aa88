"""Writers of the benchmarks' own release layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from harness_demo_world.layouts.cmsc import Cmsc
from harness_demo_world.layouts.drawn import DrawnPeople, DrawnThings
from harness_demo_world.layouts.fairface import FairFace
from harness_demo_world.layouts.gazefollow import GazeFollow
from harness_demo_world.layouts.hagridv2 import HagridV2
from harness_demo_world.layouts.jrdb_social import JrdbSocial
from harness_demo_world.layouts.mmbench import MmBench
from harness_demo_world.layouts.pisc import Pisc
from harness_demo_world.layouts.raf_db import RafDb
from harness_demo_world.layouts.social_counterfactuals import SocialCounterfactuals
from harness_demo_world.layouts.textvqa import TextVqa
from harness_demo_world.layouts.visogender import VisoGender
from harness_demo_world.layouts.vqav2 import VqaV2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePosixPath

    from PIL import Image

__all__ = ["LAYOUTS", "ReleaseLayout"]


class ReleaseLayout(Protocol):
    """One benchmark's release layout; paths are relative to its root."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits the release has."""
        ...

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str | bytes]]:
        """Yield every annotation file of every split with its text, or its bytes."""
        ...

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield every image of a split."""
        ...


LAYOUTS: dict[str, ReleaseLayout] = {
    "hagridv2": HagridV2(),
    "pisc": Pisc(),
    "gazefollow": GazeFollow(),
    "raf_db": RafDb(),
    "jrdb_social": JrdbSocial(),
    "scounter": SocialCounterfactuals(),
    "fairface": FairFace(),
    "cmsc": Cmsc(),
    "visogender": VisoGender(),
    "vqav2": VqaV2(),
    "textvqa": TextVqa(),
    "mmbench": MmBench(),
    "drawn_things": DrawnThings(),
    "drawn_people": DrawnPeople(),
}
"""By benchmark id."""
