"""Epochs that read a frozen encoder's features against epochs that run it in every step.

CPU seconds of whole epochs through Trainer, checkpoint at the end included; both ways take turns.
Amdahl allows 1 / (1 - share), the share being what opening and encoding images take of an epoch
that does it; wanted are 85 % of that.

Example: python benchmarks/training_features.py --samples 48 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness_training.module import TrainingModule

from benchmarks._training_model import FrozenLlava, epoch_of, examples, run_epoch, staged
from harness.engine.features import FeatureCache

WANTED = 0.85


class Timed(TrainingModule):
    """Adds up what images take."""

    seconds = 0.0

    def _encode(self, item: Any) -> Any:
        started = time.process_time()
        encoded = super()._encode(item)
        self.seconds += time.process_time() - started
        return encoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = FrozenLlava(layers=arguments.layers)
        items = examples(model, arguments.samples)
        cache = FeatureCache(folder / "features", {})
        stage, optimiser = staged(model, folder, arguments.batch, None, 1000)
        epoch, item = epoch_of(items)
        modules = {"encoder": Timed(model, None), "features": Timed(model, cache)}
        clocks: dict[str, list[float]] = {"encoder": [], "features": []}
        shares = []
        for number in range(2 * arguments.rounds + 2):
            way = ("features", "encoder")[number % 2]
            stage.module = modules[way]
            stage.module.seconds = 0.0
            started = time.process_time()
            run_epoch(stage, optimiser, number, epoch, item)
            if number < 2:  # the first ones fill the cache and warm up
                continue
            clocks[way].append(time.process_time() - started)
            if way == "encoder":
                shares.append(stage.module.seconds / clocks[way][-1])
    share = statistics.median(shares)
    ratio = statistics.median(clocks["encoder"]) / statistics.median(clocks["features"])
    figures = {
        "seconds": {way: round(statistics.median(held), 3) for way, held in clocks.items()},
        "share_of_the_encoder": round(share, 3),
        "amdahl": round(1 / (1 - share), 3),
        "faster": round(ratio, 3),
        "reached": round(ratio * (1 - share), 3),
        "wanted": WANTED,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
