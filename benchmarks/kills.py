"""Kill workers and coordinators at random while a run goes on; the bytes must be those of one.

    python benchmarks/kills.py --kills 200 --seed 1 --on processes

Each kill is SIGKILL or SIGSTOP of a worker, or SIGKILL of the coordinator, after which the same
command is given again. The run is over when it is sealed; then another begins, until the kills are
used up. Prints a line a run, and at the end how many kills there were, how many samples were lost
or doubled, and how many runs differ from one process in a byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

FACES = 1600  # 25 blocks
SEALED = ("evaluation.json", "samples.jsonl", "metrics.json", "spec.yaml", "seal.json")
MODEL = """
import os, time
from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl
from harness.requests import Response, Scores

class Slow:
    def __init__(self, options): pass
    def identity(self, runtime): return {"version": 1}
    def load(self, runtime): return self
    def answer(self, requests):
        time.sleep(float(os.environ.get("SLOW_SLEEPS", "0")))
        for request in requests:
            number = len(request.want.options)
            red = request.images[0].pixels.getpixel((0, 0))[0]
            values = tuple(-float(abs(red % number - place)) for place in range(number))
            yield Response(request.id, Scores("similarity", values))
    def close(self): pass

@hookimpl
def harness_models():
    return [ModelDescriptor(id="slow", target="slow_kills:Slow", summary="Takes its time.",
                            capabilities=frozenset({"choose"}))]
"""


def world(folder: Path) -> None:
    """Write faces in RAF-DB's layout, and a model that takes its time, installed."""
    images = folder / "raf" / "basic" / "Image" / "aligned"
    labels = folder / "raf" / "basic" / "EmoLabel"
    about = folder / "installed" / "slow_kills-1.dist-info"
    for made in (images, labels, about):
        made.mkdir(parents=True)
    rows = [f"train_{at:05d}.jpg {at % 7 + 1}" for at in range(1, 15)]
    for at in range(1, FACES + 1):
        rows.append(f"test_{at:04d}.jpg {at % 7 + 1}")
        Image.new("RGB", (12, 10), (at % 256, 1, 2)).save(images / f"test_{at:04d}_aligned.jpg")
    (labels / "list_patition_label.txt").write_text("\n".join(rows) + "\n")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-kills\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[harness]\nslow_kills = slow_kills\n")
    (folder / "installed" / "slow_kills.py").write_text(MODEL)


def start(folder: Path, results: str, *more: str, sleeps: float = 0.0) -> subprocess.Popen[bytes]:
    """Start the run."""
    path = os.pathsep.join([str(folder / "installed"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "--model", "slow", "--tasks", "raf_db",
         "--data", "raf_db=raf", "--results", results, "--max-errors", "1", *more],
        env={**os.environ, "PYTHONPATH": path, "SLOW_SLEEPS": str(sleeps),
             "HARNESS_CACHE": str(folder / "cache")},
        cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("ab"),
    )  # fmt: skip


def workers_of(process: int) -> list[int]:
    """Return the worker processes below a command: those that wait for requests."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes()
            parents = (path / "status").read_text().split("PPid:")[1].split()
        except (OSError, IndexError):
            continue
        if b"harness.workers.child" in line and int(parents[0]) == process:
            found.append(int(path.name))
    return sorted(found)


def campaign(
    folder: Path, name: str, left: int, chance: random.Random, on: Sequence[str]
) -> Counter[str]:
    """Run once under fire; return the kills by kind."""
    kills: Counter[str] = Counter()
    process = start(folder, name, *on, sleeps=0.4)
    while True:
        ends = time.monotonic() + chance.uniform(0.5, 4.0)
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        if process.poll() is not None:
            if list((folder / name).rglob("seal.json")):
                return kills
            kills["restarts"] += 1
            process = start(folder, name, *on, sleeps=0.4)
            continue
        if sum(kills.values()) - kills["restarts"] >= left:
            continue
        kind = chance.choices(("worker", "stopped", "coordinator"), (7, 1, 2))[0]
        if kind == "coordinator":
            process.kill()
            process.wait()
        elif workers := workers_of(process.pid):
            number = signal.SIGKILL if kind == "worker" else signal.SIGSTOP
            try:
                os.kill(chance.choice(workers), number)
            except ProcessLookupError:
                continue
        else:
            continue
        kills[kind] += 1


def sealed(results: Path) -> list[bytes]:
    """Return the sealed files of the one evaluation."""
    (seal,) = results.rglob("seal.json")
    return [(seal.parent / name).read_bytes() for name in SEALED]


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--on", default="processes")
    parser.add_argument("-e", action="append", default=["patience=6"], dest="options")
    arguments = parser.parse_args()
    chance, total = random.Random(arguments.seed), Counter[str]()
    on = ["--on", arguments.on, "-e", f"workers={arguments.workers}"]
    on += [word for option in arguments.options for word in ("-e", option)]
    different = lost = doubled = runs = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        world(folder)
        start(folder, "one").wait()
        expected = sealed(folder / "one")
        while sum(total.values()) - total["restarts"] < arguments.kills:
            runs += 1
            left = arguments.kills - (sum(total.values()) - total["restarts"])
            total += campaign(folder, f"run{runs}", left, chance, on)
            files = sealed(folder / f"run{runs}")
            ids = Counter(json.loads(line)["id"] for line in files[1].splitlines())
            different += files != expected
            lost += FACES - len(ids)
            doubled += sum(count > 1 for count in ids.values())
            print(f"run {runs}: {dict(total)}; equal: {files == expected}", flush=True)
    kills = sum(total.values()) - total["restarts"]
    print(f"{kills} kills in {runs} runs: {lost} samples lost, {doubled} doubled, "
          f"{different} runs differ")  # fmt: skip


if __name__ == "__main__":
    main()
