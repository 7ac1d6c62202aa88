"""Memory over many requests under a budget for the KV cache: it must not grow.

A LLaVA so small that it costs almost nothing, in blocks as the harness gives them. Printed: the
process's peak after a number of requests, and the largest KV cache of a forward pass against the
budget.

Example: python benchmarks/engine_memory.py --requests 100000 --budget 400000
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._engine_models import RandomLlava, ask, drawn_images
from harness.engine.answerer import EngineAnswerer
from harness.models import Runtime
from harness.requests import Failed, Request
from harness.samples.images import LoadedImage

QUESTIONS = 24
BLOCK = 16 * QUESTIONS


def many(count: int) -> Iterator[Request]:
    """Yield questions about ever new images, which share their pixels."""
    (pixels,) = drawn_images(1)
    for number in range(count):
        name = f"image{number // QUESTIONS}"
        image = LoadedImage(pixels.pixels, name, name, pixels.width, pixels.height)
        yield ask(image, number % QUESTIONS)


def held_bytes(cache: Any) -> int:
    """Return the bytes of a KV cache."""
    layers = () if cache is None else cache.layers
    return sum(
        one.nbytes for layer in layers for one in (layer.keys, layer.values) if one is not None
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--budget", type=int, default=400_000, help="bytes of the KV cache")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = RandomLlava(1, 1, 112)
    forward, largest = model.forward, 0

    def watched(*positional: Any, cache: Any, **named: Any) -> Any:
        nonlocal largest
        outputs = forward(*positional, cache=cache, **named)
        largest = max(largest, held_bytes(cache))
        return outputs

    model.forward = watched  # type: ignore[method-assign]
    answerer = EngineAnswerer(model, Runtime(device="cpu", kv_budget=arguments.budget))
    marks = {arguments.requests * share // 100 for share in (1, 10, 25, 50, 75, 100)}
    start, done = time.process_time(), 0
    print(f"{'requests':>10}{'peak MiB':>10}{'seconds':>9}")
    requests = many(arguments.requests)
    while block := list(islice(requests, BLOCK)):
        responses = answerer.answer(block)
        assert not any(isinstance(one.result, Failed) for one in responses)
        before, done = done, done + len(block)
        if any(before < mark <= done for mark in marks):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            seconds = time.process_time() - start
            print(f"{done:>10,}{peak:>10.0f}{seconds:>9.1f}", flush=True)
    print(f"largest KV cache: {largest:,} of {arguments.budget:,} bytes")


if __name__ == "__main__":
    main()
