"""Sketches of five tasks' gradients over a model of 100M trainable parameters: time and memory.

Memory is what the pass adds to the process above the model with its data: one parameter's gradient
at a time, activations, and the sketches.

Example: python benchmarks/gradients.py --width 3600
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from harness_analyses.gradients import cosine
from harness_analyses.sketching import Sketcher

WANTED_BYTES = 2e9
LAYERS = 8


def memory(name: str) -> int:
    """Return a figure of this process's memory in bytes: ``VmRSS`` or ``VmHWM``."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=3600, help="3600 is 104M parameters.")
    parser.add_argument("--tasks", type=int, default=5)
    parser.add_argument("--batches", type=int, default=2)
    parser.add_argument("--sketch", type=int, default=1 << 16)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    layers = [torch.nn.Linear(arguments.width, arguments.width) for _ in range(LAYERS)]
    model = torch.nn.Sequential(*layers)
    sketcher = Sketcher(list(model.named_parameters()), arguments.sketch, 0)
    before, started = memory("VmRSS"), time.monotonic()
    seconds = []
    for task in range(arguments.tasks):
        aim = torch.randn(arguments.width, generator=torch.Generator().manual_seed(task))
        rows = []
        for _ in range(arguments.batches):
            loss = (model(torch.randn(8, arguments.width)) - aim).square().mean()
            loss.backward()
            rows.append(sketcher.take())
        seconds.append(np.stack(rows))
    steps = arguments.tasks * arguments.batches
    figures = {
        "parameters": sketcher.total,
        "sketch": sketcher.width,
        "seconds_a_minibatch": (time.monotonic() - started) / steps,
        "above_the_model_bytes": memory("VmHWM") - before,
        "wanted_bytes": WANTED_BYTES,
        "cosine_of_the_first_two": float(cosine(seconds[0], seconds[1]).mean()),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
