"""What the harness itself costs a sample: the null model, from the plan to the seal.

Every size of every layout runs in a process of its own, on annotations drawn into a temporary
folder; the null model sees no images, so none are written. The figures are CPU time a
sample (wall clock beside it) and the growth of the peak of resident memory from the smallest to the
largest size.

Example: python benchmarks/overhead.py --sizes 10000,100000,1000000
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WANTED_MS = 0.2
WANTED_BYTES = 300


def write_raf_db(root: Path, size: int) -> None:
    """Write the list of labels; attribute files would be a file a face, so there are none."""
    folder = root / "basic" / "EmoLabel"
    folder.mkdir(parents=True)
    with (folder / "list_patition_label.txt").open("w", encoding="utf-8") as file:
        for index in range(size):
            file.write(f"test_{index:07d}.jpg {index % 7 + 1}\n")


def write_hagridv2(root: Path, size: int) -> None:
    """Write one object a class; a subject has ten images, and every slice a few values."""
    from harness_benchmarks.readers.hagrid import GESTURES as CLASSES

    folder = root / "hagrid_annotations" / "test"
    folder.mkdir(parents=True)
    for position, name in enumerate(CLASSES):
        with (folder / f"{name}.json").open("w", encoding="utf-8") as file:
            file.write("{")
            for index in range(position, size, len(CLASSES)):
                entry = {
                    "bboxes": [[0.1, 0.2, 0.3, 0.25]],
                    "labels": [name],
                    "united_bbox": None,
                    "user_id": f"subject-{index // (10 * len(CLASSES)):06d}-{position}",
                    "meta": {
                        "gender": ["male" if index % 3 else "female"],
                        "race": [("White", "Black", "East Asian")[index % 3]],
                        "age": [float(index % 80)],
                    },
                }
                comma = "," if index != position else ""
                file.write(f'{comma}"image-{index:08d}":{json.dumps(entry)}')
            file.write("}")


WRITERS = {"raf_db": write_raf_db, "hagridv2": write_hagridv2}


def peak() -> int:
    """Return the peak of resident memory of this process, in KiB.

    Not ``getrusage``: on Linux its peak outlives ``exec``, so a child starts at its parent's.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def evaluate(task: str, data: Path, results: Path, profiled: Path | None) -> dict[str, float]:
    """Run the null model in this process and return seconds, those of the processor, and KiB."""
    from harness import run

    profile = cProfile.Profile()
    start, worked = time.perf_counter(), time.process_time()
    if profiled:
        profile.enable()
    run("null", task, data={task: data}, results=results)
    profile.disable()
    seconds, cpu = time.perf_counter() - start, time.process_time() - worked
    if profiled:
        with profiled.open("w", encoding="utf-8") as file:
            pstats.Stats(profile, stream=file).sort_stats("tottime").print_stats(45)
    return {"seconds": seconds, "cpu": cpu, "kib": peak()}


def in_a_process(task: str, data: Path) -> dict[str, float]:
    """Run :func:`evaluate` in a fresh interpreter."""
    with tempfile.TemporaryDirectory() as results:
        command = [sys.executable, __file__, "--one", task, str(data), results]
        completed = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
    return figures


def measure(task: str, sizes: list[int], rounds: int) -> list[dict[str, float]]:
    """Measure a layout at every size, sizes in turn within a round."""
    with tempfile.TemporaryDirectory() as folder:
        places = {size: Path(folder) / str(size) for size in sizes}
        for size, root in places.items():
            WRITERS[task](root, size)
        repeats = [
            {size: in_a_process(task, place) for size, place in places.items()}
            for _ in range(rounds)
        ]
    return [
        {
            "samples": size,
            "ms": 1000 * statistics.median(found[size]["cpu"] for found in repeats) / size,
            "wall_ms": 1000 * statistics.median(found[size]["seconds"] for found in repeats) / size,
            "kib": statistics.median(found[size]["kib"] for found in repeats),
        }
        for size in sizes
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--tasks", default="raf_db,hagridv2")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--profile", type=Path, help="write a profile of the last size here")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        task, data, results = arguments.one
        print(json.dumps(evaluate(task, Path(data), Path(results), arguments.profile)))
        return
    sizes = sorted(int(size) for size in arguments.sizes.split(","))
    if arguments.profile:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            WRITERS[arguments.tasks](data, sizes[-1])
            evaluate(arguments.tasks, data, Path(folder) / "results", arguments.profile)
        return
    figures: dict[str, object] = {}
    print(f"{'task':<10}{'samples':>9}{'CPU ms':>9}{'wall ms':>9}{'peak MiB':>10}   a sample")
    for task in arguments.tasks.split(","):
        rows = measure(task, sizes, arguments.rounds)
        for row in rows:
            line = f"{row['samples']:>9.0f}{row['ms']:>9.3f}{row['wall_ms']:>9.3f}"
            line += f"{row['kib'] / 1024:>10.1f}"
            print(f"{task:<10}{line}", flush=True)
        first, last = rows[0], rows[-1]
        growth = None
        if len(rows) > 1:
            growth = 1024 * (last["kib"] - first["kib"]) / (last["samples"] - first["samples"])
            print(f"{task:<10}grows by {growth:.0f} bytes a sample (wanted <= {WANTED_BYTES})")
        print(f"{task:<10}{last['ms']:.3f} CPU ms a sample (wanted <= {WANTED_MS})")
        figures[task] = {"sizes": rows, "bytes_per_sample": growth}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
