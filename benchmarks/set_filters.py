"""Perceptual hashes and CLIP scores of many images, set by set: CPU time and peak memory.

Images are drawn, 64 x 64 pixels, six to a set, and scored as ``harness make counterfactuals`` does
it: each image is handed to the filters once and then let go. The encoder is the demo's.

Example: python benchmarks/set_filters.py --images 60000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
from harness_counterfactuals.contract import filters
from harness_counterfactuals.filtering import make_filters
from harness_counterfactuals.manifest import About, Row
from PIL import Image

from harness.descriptors import Json, parse_options

WANTED_BYTES, RACES = 1e9, ("White", "Black", "Asian", "Indian", "Latino", "Middle Eastern")
ENCODER = "package:harness_demo_world/weights/encoder"


def about(sets: int) -> About:
    """Return what such a folder says of itself."""
    return About(
        title="", spec="0" * 64, purpose="", licence="", concepts={"chef": "work"},
        attributes={"race": {race: race for race in RACES}}, edited="race",
        editor="prompt_to_prompt", schedule={}, generator={}, settings={}, packages={},
        sets=sets, images=sets * len(RACES), note="",
    )  # fmt: skip


def drawn_set(number: int) -> tuple[list[Image.Image], list[Row]]:
    """Return six images that differ a little, and their rows."""
    random = np.random.default_rng(number)
    base = np.kron(random.integers(0, 200, (8, 8, 3)), np.ones((8, 8, 1)))
    images, rows = [], []
    for race in RACES:
        pixels = (base + random.integers(0, 50, (64, 64, 3))).astype(np.uint8)
        images.append(Image.fromarray(pixels, "RGB"))
        rows.append(
            Row(
                file=f"{number}/{race}.png", set=f"{number}", base=f"{number}", concept="chef",
                group="work", split="train", attributes={"race": race},
                prompt=f"{race} chef", is_source=race == RACES[0], seed=number,
                editor="prompt_to_prompt", schedule="{}", models="{}", spec="0" * 64,
                sha256=hashlib.sha256(pixels.tobytes()).hexdigest(), width=64, height=64,
            )
        )  # fmt: skip
    return images, rows


def peak() -> int:
    """Return the peak of resident memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=60_000)
    sets = parser.parse_args().images // len(RACES)
    given: dict[str, dict[str, Json]] = {
        "near_duplicates": {},
        "similarity": {"encoder": ENCODER, "least": -1.0},
    }
    chosen = [
        (name, parse_options(filters()[name].options, options, owner=name))
        for name, options in given.items()
    ]
    made, scored, ticked = make_filters(chosen, about(sets)), 0, 0.0
    loaded = early = 0
    for number in range(sets):
        images, rows = drawn_set(number)
        start = time.process_time()
        for filter_ in made:
            scored += len(filter_.score(images, rows))
        ticked += time.process_time() - start
        if number == 0:
            loaded = peak()
        if number == sets // 10:
            early = peak()
    figures = {
        "images": sets * len(RACES),
        "scores": scored,
        "cpu_s": round(ticked, 1),
        "peak_bytes": peak(),
        "grown_bytes": peak() - loaded,
        "grown_bytes_after_a_tenth": peak() - early,
        "within": peak() <= WANTED_BYTES,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
