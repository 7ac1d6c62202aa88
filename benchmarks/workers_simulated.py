"""Efficiency of many workers, simulated: the real queue of blocks, pretended times.

Blocks take a time drawn around ``--seconds`` (lognormal); one in fifty takes five times as long.
One in a hundred costs its worker, which is replaced after the time of a load. The first block of
each evaluation is asked before the others, as the model's check of itself is made on it; the
coordinator opens the next evaluation when few blocks are left, as in a run. Efficiency is the time
that answers took over the time that workers were there with the model loaded.

    python benchmarks/workers_simulated.py --seconds 20 --load 60
"""

from __future__ import annotations

import argparse
import heapq
import random
from dataclasses import dataclass

from harness.workers.queue import BlockQueue, Item

RUNS = {
    "VQAv2 (40,504 images)": [633],
    "FairFace x 18 (10,954 images each)": [172] * 18,
    "HaGRIDv2 (100,000 images)": [1563],
}
WORKERS = (8, 64, 512)
STRAGGLERS, LONGER, LOSSES, SPREAD = 0.02, 5.0, 0.01, 0.2


@dataclass
class Outcome:
    """What a simulated run came to: seconds, and the share that workers spent on answers."""

    seconds: float
    efficiency: float


def simulated(blocks: list[int], workers: int, seconds: float, load: float, seed: int) -> Outcome:
    """Run the queue with workers that take their time."""
    chance, queue = random.Random(seed), BlockQueue()
    opened = 0
    events: list[tuple[float, int, Item | None, bool]] = []
    idle: list[int] = []
    now = busy = absent = 0.0
    for worker in range(workers):
        heapq.heappush(events, (load * chance.uniform(0.9, 1.1), worker, None, False))
        absent += load
    left = sum(blocks)
    while left:
        while opened < len(blocks) and queue.unassigned < 2 * workers:
            queue.open(opened, range(blocks[opened]), blocks[opened], None)
            opened += 1
        while idle and (item := queue.next()) is not None:
            took = seconds * chance.lognormvariate(0, SPREAD)
            took *= LONGER if chance.random() < STRAGGLERS else 1
            lost = chance.random() < LOSSES
            took *= chance.random() if lost else 1
            busy += 0 if lost else took
            heapq.heappush(events, (now + took, idle.pop(), item, lost))
        now, worker, done, lost = heapq.heappop(events)
        if lost and done is not None:
            queue.give_back(done)
            absent += load
            heapq.heappush(events, (now + load, worker, None, False))
            continue
        if done is not None:
            left -= 1
            queue.answered(done, {})
        idle.append(worker)
    return Outcome(now, busy / (workers * now - absent))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a block")
    parser.add_argument("--load", type=float, default=60.0, help="seconds of loading the model")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name, blocks in RUNS.items():
        for workers in WORKERS:
            run = simulated(blocks, workers, given.seconds, given.load, given.seed)
            print(f"{name:36} {workers:4} workers: {run.efficiency:6.1%}, {run.seconds:8.0f} s")


if __name__ == "__main__":
    main()
