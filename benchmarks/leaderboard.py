"""Wall clock of `harness leaderboard` from a cold start, over sealed evaluations made for it.

The evaluations have the size of real ones: several metrics, slices, and a samples.jsonl that a
table must not read. Wanted: 200 runs of 10 tasks in at most 3 seconds.

Example: python benchmarks/leaderboard.py --runs 200 --tasks 10
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.resources import file_hash
from harness.runs.seal import SEAL, SEALED

WANTED = 3.0
METRICS = 3
SLICES = 12
SAMPLE_BYTES = 200_000


def interval(value: float) -> dict[str, Any]:
    return {
        "low": value - 0.02,
        "high": value + 0.02,
        "level": 0.95,
        "method": "cluster bootstrap, percentile",
        "draws": 1000,
    }


def metrics(value: float) -> list[dict[str, Any]]:
    return [
        {
            "id": f"metric_{number}",
            "column": f"Metric {number}",
            "direction": "higher",
            "scale": 100.0,
            "main": number == 0,
            "value": value,
            "interval": interval(value),
            "options": {},
        }
        for number in range(METRICS)
    ]


def write(folder: Path, run: int, task: int) -> None:
    """Write one sealed evaluation, without forcing it to disk."""
    name = hashlib.sha256(f"{run} {task}".encode()).hexdigest()
    value = int(name[:8], 16) / 2**32
    parts = {part: f"{part} of {task}" for part in ("spec", "prompt", "data", "sample ids")}
    counts = {
        "samples": 1000,
        "scored": 1000,
        "errors": 0,
        "unparsed": 3,
        "refusals": 1,
        "clusters": 500,
    }
    evaluation = {
        "format": 1,
        "fingerprint": name,
        "model": {"id": f"model_{run}", "fingerprint": f"{run:064}", "options": {"size": run}},
        "task": {
            "id": f"task_{task}",
            "title": f"Task {task}",
            "version": 1,
            "fingerprint": f"{task:064}",
            "parts": parts,
            "options": {},
        },
        "settings": {"seed": 0},
        "marks": [],
        "images": f"{task:064}",
        "counts": counts,
        "versions": {"social-harness": "0.1.0"},
    }
    slices = [
        {
            "slice": "age",
            "value": str(number),
            "source": "annotated",
            "n": 80,
            "clusters": 40,
            "unparsed": 0,
            "metrics": metrics(value),
        }
        for number in range(SLICES)
    ]
    folder.mkdir(parents=True)
    texts = {
        "evaluation.json": json.dumps(evaluation, indent=2),
        "metrics.json": json.dumps({"metrics": metrics(value), "slices": slices}, indent=2),
        "samples.jsonl": "x" * SAMPLE_BYTES,
        "spec.yaml": "id: task\n" * 100,
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    contents = {
        "format": 1,
        "sha256": {file: file_hash(folder / file) for file in SEALED},
        "bytes": {file: (folder / file).stat().st_size for file in SEALED},
    }
    (folder / SEAL).write_text(json.dumps(contents), encoding="utf-8")


def seconds(results: Path) -> tuple[float, float]:
    """Return wall clock and CPU time of one table; the second is fair on a busy machine."""
    command = [sys.executable, "-m", "harness", "leaderboard", str(results), "--format", "latex"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=results.parent)
    took = time.perf_counter() - start
    assert done.stdout.startswith("%"), done.stderr
    assert not done.stderr, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        for task in range(arguments.tasks):
            for run in range(arguments.runs):
                write(results / "evaluations" / f"task_{task}" / f"run_{run}", run, task)
        took = [seconds(results) for _ in range(arguments.rounds)]
    wall, busy = (statistics.median(held) for held in zip(*took, strict=True))
    summary = f"{arguments.runs} runs x {arguments.tasks} tasks: median {wall:.2f} s wall clock"
    print(f"{summary}, {busy:.2f} s CPU time; wanted at most {WANTED:g} s")


if __name__ == "__main__":
    main()
