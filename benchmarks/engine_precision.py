"""Half precision: how often batches and sharing change which option is best.

Questions with one option a label, all of one length, on a random LLaVA: near ties are far more
frequent than with a trained model. Every way of batching is held against one request at a time.
*Close* is the share of questions whose best two options are no further apart than rounding
explains (`harness.engine.self_check.CLOSE`): these are settled by scoring them alone. `--raw`
leaves that out.

Example: python benchmarks/engine_precision.py --requests 1000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._engine_models import RandomLlava, choices
from harness.engine import answerer as answering
from harness.engine.self_check import CLOSE
from harness.models import Runtime
from harness.requests import Request, Scores

QUESTIONS, LABELS = 24, 16
WAYS: Mapping[str, Mapping[str, Any]] = {
    "one request at a time": {"batch_size": 1},
    "batch of 4": {"batch_size": 4},
    "batch as chosen": {},
    "shuffled": {},
    "nothing shared": {"sharing": False},
    "--deterministic, batch of 1": {"deterministic": True, "batch_size": 1},
    "--deterministic, batch of 7": {"deterministic": True, "batch_size": 7},
}
Found = dict[str, tuple[float, ...]]


def answered(model: RandomLlava, requests: Sequence[Request], way: Mapping[str, Any]) -> Found:
    """Return the scores of each request, asked in blocks of two images."""
    settings = dict(way)
    sharing = bool(settings.pop("sharing", True))
    answerer = answering.EngineAnswerer(model, Runtime(device="cpu", **settings), sharing=sharing)
    size = 2 * QUESTIONS
    return {
        response.request: response.result.values
        for at in range(0, len(requests), size)
        for response in answerer.answer(requests[at : at + size])
        if isinstance(response.result, Scores)
    }


def best(values: Sequence[float]) -> int:
    """Return the place of the largest."""
    return max(range(len(values)), key=values.__getitem__)


def lead(values: Sequence[float]) -> float:
    """Return how far the best is before the next."""
    first, second = sorted(values)[-1:-3:-1]
    return first - second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=240)
    parser.add_argument("--dtype", default="bfloat16", choices=sorted(CLOSE))
    parser.add_argument("--raw", action="store_true", help="do not settle close calls")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = RandomLlava(4, 8, 56, getattr(torch, arguments.dtype))
    labels = [f"label{at}" for at in range(LABELS)]
    requests = choices(-(-arguments.requests // QUESTIONS), QUESTIONS, labels)[: arguments.requests]
    base: Found = {}
    print(f"{'way':<30}{'same best':>10}{'turned':>8}{'largest difference':>20}{'seconds':>9}")
    for name, way in WAYS.items():
        ordered = requests[::-1] if name == "shuffled" else requests
        start = time.process_time()
        with mock.patch.object(answering, "rescore_near_ties") if arguments.raw else nullcontext():
            scores = answered(model, ordered, way)
        seconds = time.process_time() - start
        base = base or scores
        turned = [name for name in base if best(scores[name]) != best(base[name])]
        apart = max(
            abs(value - other)
            for name in base
            for value, other in zip(base[name], scores[name], strict=True)
        )
        same = 1 - len(turned) / len(base)
        print(f"{name:<30}{same:>10.2%}{len(turned):>8}{apart:>20.1e}{seconds:>9.1f}", flush=True)
    close = sum(lead(values) <= CLOSE[arguments.dtype] for values in base.values())
    print(f"{len(base)} requests of {LABELS} options; close: {close / len(base):.1%}")


if __name__ == "__main__":
    main()
