"""What the engine costs beside the model: CPU time outside `forward`, `encode` and `connect`.

The first scoring workload (24 questions x 4 options an image) and short answers (4 questions, 8 new
tokens) on the random LLaVA, one thread. `--profile` lists where the rest goes, `--kernels` what
share of the time each kind of kernel takes.

Example: python benchmarks/engine_overhead.py --images 16
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._engine_models import RandomLlava, choices, writings
from harness.engine.answerer import EngineAnswerer
from harness.models import Runtime
from harness.requests import Request

KERNELS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::mkldnn_convolution"),
    "attention": ("aten::_scaled_dot_product",),
    "copies of tensors": ("aten::cat", "aten::copy_", "aten::index"),
}
WORK = ("forward", "encode", "connect", "embed")


class Clock:
    """Counts the CPU time spent in a model's own methods."""

    def __init__(self, model: RandomLlava) -> None:
        self.seconds = 0.0
        self._inside = False
        for name in WORK:
            setattr(model, name, self._timed(getattr(model, name)))

    def _timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*positional: Any, **named: Any) -> Any:
            if self._inside:
                return work(*positional, **named)
            self._inside, start = True, time.process_time()
            try:
                return work(*positional, **named)
            finally:
                self.seconds += time.process_time() - start
                self._inside = False

        return timed


def measure(
    name: str, model: RandomLlava, clock: Clock, requests: Sequence[Request], block: int
) -> None:
    """Answer requests block by block and print the share that is not the model's."""
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    answerer.answer(requests[:block])  # the check of a task's first answers, and warm caches
    clock.seconds, start = 0.0, time.process_time()
    for at in range(0, len(requests), block):
        answerer.answer(requests[at : at + block])
    total = time.process_time() - start
    print(
        f"{name:<24}{len(requests):>9}{total:>9.2f}{clock.seconds:>9.2f}"
        f"{1 - clock.seconds / total:>9.1%}",
        flush=True,
    )


def kernels(name: str, model: RandomLlava, requests: Sequence[Request]) -> None:
    """Print what share of the time of some requests each kind of kernel takes."""
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    answerer.answer(requests)  # the check of a task's first answers, and warm caches
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        answerer.answer(requests)
    events: Any = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    shares = dict.fromkeys(KERNELS, 0.0)
    for event in events:
        for kind, names in KERNELS.items():
            if event.key.startswith(names):
                shares[kind] += event.self_cpu_time_total / total
    parts = [f"{kind} {share:.1%}" for kind, share in shares.items()]
    print(f"{name:<24}{', '.join(parts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--kernels", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = RandomLlava()
    if arguments.kernels:
        kernels("24 questions x 4", model, choices(arguments.images))
        kernels("8 new tokens", model, writings(arguments.images))
        return
    clock = Clock(model)
    print(f"{'workload':<24}{'requests':>9}{'seconds':>9}{'model':>9}{'beside':>9}")
    watch = cProfile.Profile()
    if arguments.profile:
        watch.enable()
    measure("24 questions x 4", model, clock, choices(arguments.images), 24 * 16)
    measure("8 new tokens", model, clock, writings(arguments.images), 4 * 16)
    if arguments.profile:
        watch.disable()
        pstats.Stats(watch).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
