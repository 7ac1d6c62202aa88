"""Kill workers and coordinators at random while a run goes on; the bytes must be those of one.

    python benchmarks/kills.py --kills 200 --seed 1 --on processes
    python benchmarks/kills.py --kills 40 --seed 1 --on slurm -e cluster=local -e patience=10
    python benchmarks/kills.py --kills 20 --seed 1 --on ray

Each kill is SIGKILL or SIGSTOP of a worker, SIGKILL of the coordinator, after which the same
command is given again, or with Ray SIGKILL of a node, in whose place another one is started (Ray
sees no SIGSTOP, so there is none). The run is over when it is sealed; then another begins, until
the kills are used up. Prints a line a run, and at the end how many kills there were, how many
samples were lost or doubled, and how many runs differ from one process in a byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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


def environment(folder: Path, sleeps: float = 0.4) -> dict[str, str]:
    """Return the variables of a command, by which its processes are told from others."""
    path = os.pathsep.join([str(folder / "installed"), os.environ.get("PYTHONPATH", "")])
    cache = str(folder / "cache")
    return {**os.environ, "PYTHONPATH": path, "SLOW_SLEEPS": str(sleeps), "HARNESS_CACHE": cache}


def start(folder: Path, results: str, *more: str, sleeps: float = 0.0) -> subprocess.Popen[bytes]:
    """Start the run."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "--model", "slow", "--tasks", "raf_db",
         "--data", "raf_db=raf", "--results", results, "--max-errors", "1", *more],
        env=environment(folder, sleeps),
        cwd=folder, stdout=subprocess.DEVNULL, stderr=(folder / "log").open("ab"),
    )  # fmt: skip


WORKERS = {
    "processes": b"harness.workers.child",
    "slurm": b"submitit.core._submit",
    "ray": b"ray::Actor",
}
KINDS = {
    "processes": {"worker": 7, "stopped": 1, "coordinator": 2},
    "slurm": {"worker": 7, "stopped": 1, "coordinator": 2},
    "ray": {"worker": 6, "node": 2, "coordinator": 2},
}


def processes_of(folder: Path, text: bytes) -> list[int]:
    """Return the processes of this campaign whose command line holds a text."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line, variables = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        if text in line and str(folder).encode() in variables:
            pids.append(int(path.name))
    return sorted(pids)


class Cluster:
    """Ray on this machine: a head without CPUs, and a node that actors run on."""

    _PORTS = ("--node-manager-port", "--object-manager-port", "--dashboard-agent-grpc-port",
              "--dashboard-agent-listen-port", "--metrics-export-port",
              "--runtime-env-agent-port")  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._head = self._start("--head", f"--port={port}", "--num-cpus=0")
        for _ in range(600):
            with socket.socket() as reached:
                if reached.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        self._node = self._start(f"--address={self.address}", "--num-cpus=4")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        ports = free_ports(len(self._PORTS))
        port_flags = [f"{flag}={port}" for flag, port in zip(self._PORTS, ports, strict=True)]
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("ray")), "start", "--block",
             "--node-ip-address=127.0.0.1", "--disable-usage-stats", *arguments, *port_flags],
            env=environment(self._folder), cwd=self._folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=(self._folder / "ray.log").open("ab"),
        )  # fmt: skip

    def kill_node(self) -> None:
        """Kill the node with everything on it, and start another one."""
        os.killpg(self._node.pid, signal.SIGKILL)
        self._node.wait()
        self._node = self._start(f"--address={self.address}", "--num-cpus=4")

    def end(self) -> None:
        """End everything."""
        for process in (self._node, self._head):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass(frozen=True)
class Target:
    """What is fired at: the arguments of the executor, and Ray's nodes."""

    on: Sequence[str]
    cluster: Cluster | None


def free_ports(number: int) -> list[int]:
    """Return ports that nobody uses."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def campaign(
    folder: Path,
    name: str,
    left: int,
    chance: random.Random,
    target: Target,
) -> Counter[str]:
    """Run once under fire; return the kills by kind."""
    kills: Counter[str] = Counter()
    process = start(folder, name, *target.on, sleeps=0.4)
    while True:
        ends = time.monotonic() + chance.uniform(0.5, 4.0)
        while process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        if process.poll() is not None:
            if list((folder / name).rglob("seal.json")):
                return kills
            kills["restarts"] += 1
            process = start(folder, name, *target.on, sleeps=0.4)
            continue
        if sum(kills.values()) - kills["restarts"] >= left:
            continue
        weights = KINDS[target.on[1]]
        kind = chance.choices(list(weights), list(weights.values()))[0]
        workers = processes_of(folder, WORKERS[target.on[1]])
        if not workers:  # a coordinator alone has nothing to lose
            continue
        if kind == "coordinator":
            process.kill()
            process.wait()
        elif kind == "node" and target.cluster is not None:
            target.cluster.kill_node()
        else:
            number = signal.SIGKILL if kind == "worker" else signal.SIGSTOP
            try:
                os.kill(chance.choice(workers), number)
            except ProcessLookupError:
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
    parser.add_argument("--on", default="processes", choices=sorted(WORKERS))
    parser.add_argument("-e", action="append", default=[], dest="options")
    arguments = parser.parse_args()
    chance, total = random.Random(arguments.seed), Counter[str]()
    on = ["--on", arguments.on, "-e", f"workers={arguments.workers}"]
    options = arguments.options or ([] if arguments.on == "ray" else ["patience=6"])
    on += [word for option in options for word in ("-e", option)]
    different = lost = doubled = runs = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        world(folder)
        cluster = None
        if arguments.on == "ray":
            cluster = Cluster(folder)
            stack.callback(cluster.end)
            on += ["-e", f"address={cluster.address}"]
        start(folder, "one").wait()
        expected = sealed(folder / "one")
        while sum(total.values()) - total["restarts"] < arguments.kills:
            runs += 1
            left = arguments.kills - (sum(total.values()) - total["restarts"])
            total += campaign(folder, f"run{runs}", left, chance, Target(on, cluster))
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
