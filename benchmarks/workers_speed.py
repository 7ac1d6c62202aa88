"""What workers cost and gain: two processes on two cores against one process on one core.

    python benchmarks/workers_speed.py

Needs a quiet machine with two cores, and about three minutes on it. Progress goes to stderr.
``--products`` and ``--forwarded`` say how long the first part takes: 1,600 samples of four products
take a minute on one core. The model computes matrix products, so its forward pass dominates. Prints
the speed-up (at least 1.8 is wanted), the idle share of the workers (under 5 %), the CPU time for
each sample of the coordinator (at most 0.1 ms) and of one process that opens the images and answers
by itself, and the time of a run of one block by two workers against one worker (under 1.2 times).

CPU times are the least of three runs, and the load of the machine is printed beside them: they grow
with it, by half at a load of six on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import kills
from harness.descriptors import Json

FEW = 64  # samples of one block
MODEL = """
import numpy as np
from harness.descriptors import ModelDescriptor, Option
from harness.plugins import hookimpl
from harness.requests import Response, Scores

class Busy:
    def __init__(self, options): self.products = options["products"]
    def identity(self, runtime): return {"version": 1}
    def load(self, runtime):
        self.matrix = np.random.default_rng(0).normal(size=(512, 512))
        return self
    def answer(self, requests):
        for request in requests:
            for _ in range(self.products):
                self.matrix @ self.matrix
            number = len(request.want.options)
            yield Response(request.id, Scores("similarity", (1.0,) + (0.0,) * (number - 1)))
    def close(self): pass

@hookimpl
def harness_models():
    products = Option(name="products", type="int", default=0, changes_numbers=False)
    return [ModelDescriptor(id="busy", target="slow_kills:Busy", summary="Computes.",
                            options=(products,), capabilities=frozenset({"choose"}))]
"""


def measure(results: str, products: int, limit: int | None, workers: int | None) -> dict[str, Any]:
    """Run once in a process of its own; return seconds, the coordinator's CPU time, and timings."""
    print(f"runs: {results}", file=sys.stderr, flush=True)
    end, inbox = os.pipe()
    if (child := os.fork()) == 0:
        import harness

        options: dict[str, Json] = {} if workers is None else {"workers": workers}
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        harness.run(
            "busy", "raf_db", data={"raf_db": "raf"}, results=results, limit=limit, threads=1,
            options={"products": products},
            on=None if workers is None else "processes", executor_options=options,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        os.write(inbox, json.dumps({"seconds": time.monotonic() - started, "cpu": cpu}).encode())
        os._exit(0)
    os.waitpid(child, 0)
    (timings,) = Path(results).rglob("timings.json")
    return {**json.loads(os.read(end, 1 << 16)), "timings": json.loads(timings.read_text())}


def main() -> None:
    """Measure, and print a line for each number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=6400, help="of the runs without products")
    parser.add_argument("--forwarded", type=int, default=1600, help="samples of the other runs")
    parser.add_argument("--products", type=int, default=4, help="matrix products of a sample")
    arguments = parser.parse_args()
    kills.FACES, kills.MODEL = arguments.samples, MODEL
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        kills.world(Path())
        sys.path.insert(0, str(Path("installed").absolute()))
        os.environ["HARNESS_CACHE"] = str(Path("cache").absolute())
        _speed(arguments.products, arguments.forwarded)
        _overhead(arguments.samples)


def _speed(products: int, samples: int) -> None:
    """Print how much faster two processes are where a forward pass takes most of the time."""
    measure("first", 0, samples, None)  # fills caches, which no later run does
    one = measure("one process, with products", products, samples, None)
    two = measure("two workers, with products", products, samples, 2)
    print(f"speed-up of two processes: {one['seconds'] / two['seconds']:.2f}")
    print(f"idle share: {two['timings']['workers']['idle_share']:.1%}")


def _overhead(samples: int) -> None:
    """Print what one sample costs the coordinator, and what it costs to begin with two workers."""
    begun = []
    for name, workers in (("coordinator", 2), ("one process", None)):
        few, many = (
            [measure(f"{name}, {limit} samples, {again}", 0, limit, workers) for again in range(3)]
            for limit in (FEW, samples)
        )
        seconds = min(run["cpu"] for run in many) - min(run["cpu"] for run in few)
        each = seconds / (samples - FEW) * 1000
        load = os.getloadavg()[0]
        print(f"CPU time of {name}, its start left out: {each:.3f} ms a sample (load {load:.1f})")
        begun.append(min(run["seconds"] for run in few))
    start = min(measure(f"one worker, {again}", 0, FEW, 1)["seconds"] for again in range(3))
    print(f"one block by two workers against one worker: {begun[0] / start:.2f}")


if __name__ == "__main__":
    main()
