"""Memory and speed of the readers that hold something of the whole split: GazeFollow and PISC.

Annotations of a million rows are drawn into a temporary folder and read in a process of its own
(Linux); memory is the peak of that process less the peak of an interpreter that does nothing.

Example: python benchmarks/readers.py --rows 1000000
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

WANTED_MB = 300
PAIRS = 5  # pairs an image of PISC
ANNOTATORS = 10  # rows a person of GazeFollow's test


def write_gazefollow(root: Path, rows: int, split: str) -> None:
    """Write rows of one file; a picture's rows lie far apart, as nothing forbids."""
    pictures = max(1, rows // ANNOTATORS)
    with (root / f"{split}_annotations_release.txt").open("w", encoding="utf-8") as file:
        for index in range(rows):
            picture = index % pictures if split == "train" else index // ANNOTATORS
            eye = 0.25 + (index // pictures if split == "train" else 0) / 100
            gaze = (index % 997) / 1000
            cells = [f"{split}/{picture // 1000:08d}/{picture:08d}.jpg", index, 10, 20, 200, 300]
            cells += [eye, 0.3, gaze, 0.6, 40, 50, 120, 130]
            cells += [1] if split == "train" else []
            file.write(",".join(map(str, [*cells, "source", "meta"])) + "\n")


def write_pisc(root: Path, rows: int, _split: str) -> None:
    """Write five pairs an image, among four people."""
    images = range(1, rows // PAIRS + 1)
    pairs = ("1 2", "1 3", "2 3", "2 4", "3 4")[:PAIRS]
    boxes = [[10 * place, 20, 10 * place + 90, 260] for place in range(4)]
    info, labels = root / "annotation_image_info.json", root / "relationship.json"
    split = root / "relationship_split" / "relation_trainidx.json"
    split.parent.mkdir()
    with split.open("w", encoding="utf-8") as file:
        json.dump([f"{image:05d}" for image in images], file)
    with labels.open("w", encoding="utf-8") as file:
        json.dump({f"{image:05d}": dict.fromkeys(pairs, 1) for image in images}, file)
    with info.open("w", encoding="utf-8") as file:
        json.dump([{"id": f"{image:05d}", "bbox": boxes} for image in images], file)


CASES: dict[str, tuple[str, Callable[[Path, int, str], None]]] = {
    "gazefollow train": ("harness.readers.gazefollow:GazeFollow", write_gazefollow),
    "gazefollow test": ("harness.readers.gazefollow:GazeFollow", write_gazefollow),
    "pisc train": ("harness.readers.pisc:Pisc", write_pisc),
}


def peak() -> int:
    """Return the peak of resident memory of this process, in KiB.

    Not ``getrusage``: on Linux its peak outlives ``exec``, so a child starts at its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def read(target: str, root: Path, split: str) -> dict[str, float]:
    """Walk through a split in this process."""
    module, _, name = target.partition(":")
    reader = getattr(importlib.import_module(module), name)({})
    start = time.perf_counter()
    samples = sum(1 for _ in reader.samples(root, split))
    return {"samples": samples, "seconds": time.perf_counter() - start, "kib": peak()}


def interpreter() -> float:
    """Return the peak of an interpreter that does nothing, in KiB."""
    code = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return float(found.stdout)


def measure(case: str, rows: int, rounds: int) -> dict[str, float]:
    """Return medians over rounds; every round reads in a fresh process."""
    target, write = CASES[case]
    split = case.split()[1]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows, split)
        command = [sys.executable, __file__, "--one", target, folder, split]
        held: list[dict[str, float]] = []
        bare: list[float] = []
        for _ in range(rounds):
            bare.append(interpreter())
            found = subprocess.run(command, check=True, capture_output=True)
            held.append(json.loads(found.stdout))
    return {
        "rows": rows,
        "samples": held[0]["samples"],
        "mb": 1024 * statistics.median(a["kib"] - b for a, b in zip(held, bare, strict=True)) / 1e6,
        "rows_per_second": rows / statistics.median(one["seconds"] for one in held),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        target, root, split = given.one
        print(json.dumps(read(target, Path(root), split)))
        return
    figures = {}
    print(f"{'reader':<18}{'rows':>9}{'samples':>9}{'MB':>7}{'rows/s':>10}   wanted MB")
    for case in CASES:
        held = figures[case] = measure(case, given.rows, given.rounds)
        shown = f"{held['rows']:>9.0f}{held['samples']:>9.0f}{held['mb']:>7.0f}"
        print(f"{case:<18}{shown}{held['rows_per_second']:>10.0f}   <= {WANTED_MB}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
