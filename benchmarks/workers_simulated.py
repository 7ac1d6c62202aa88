"""Efficiency of many workers, simulated: the real queue of blocks, pretended times.

Blocks take a time drawn around ``--seconds`` (lognormal); one in fifty takes five times as long.
One in a hundred costs its worker, which is replaced after the time of a load. Blocks that
are answered while the model's check of itself is made on the first one wait for it, and count; the
coordinator opens the next evaluation when few blocks are left, as in a run. At the end a block that
takes long is asked of an idle worker too, unless ``--once``. Efficiency is the time of the answers
that counted over the time that workers were there with the model loaded.

    python benchmarks/workers_simulated.py --seconds 20 --load 60
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
from dataclasses import dataclass

from harness.workers.crew import STRAGGLES
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
    """Result of a simulated run: seconds, and the share that workers spent on answers."""

    seconds: float
    efficiency: float


class Simulation:
    """The queue with workers that take their time.

    Args:
        blocks: Blocks in each evaluation.
        workers: How many.
        seconds: Of a usual block.
        load: Seconds of loading the model.
        twice: Whether idle workers are asked for blocks that take long.
        seed: Seed of all random draws.
    """

    def __init__(  # noqa: PLR0913
        self,
        blocks: list[int],
        *,
        workers: int,
        seconds: float,
        load: float,
        twice: bool,
        seed: int,
    ) -> None:
        self._blocks, self._workers, self._seconds, self._load = blocks, workers, seconds, load
        self._twice, self._chance = twice, random.Random(seed)
        self._queue, self._opened = BlockQueue(), 0
        self._events: list[tuple[float, int, Item | None, bool]] = []
        self._asked: dict[Item, list[float]] = {}
        self._idle: list[int] = []
        self._early: list[Item] = []
        self._since: dict[int, float] = {}
        self._now = self._busy = 0.0
        self._absent = load * workers

    def run(self) -> Outcome:
        """Answer every block once."""
        for worker in range(self._workers):
            self._at(self._load * self._chance.uniform(0.9, 1.1), worker, None, lost=False)
        left = sum(self._blocks)
        while left:
            self._open()
            while self._idle and (item := self._queue.next() or self._straggler()) is not None:
                self._ask(self._idle.pop(), item)
            self._now, worker, item, lost = heapq.heappop(self._events)
            if item is not None and not lost:
                if self._queue.is_out(item):  # a second answer is no use to anybody
                    left, self._busy = left - 1, self._busy + self._now - self._since[worker]
                if self._queue.waits(item):
                    self._early.append(item)
                elif self._queue.answered(item, {}) is not None:
                    for early in self._early:
                        self._queue.answered(early, {})
                    self._early.clear()
            if lost and item is not None:
                if self._queue.is_out(item):
                    self._queue.give_back(item)
                self._absent += self._load
                self._at(self._now + self._load, worker, None, lost=False)
            elif worker >= 0:
                self._idle.append(worker)
        return Outcome(self._now, self._busy / (self._workers * self._now - self._absent))

    def _at(self, when: float, worker: int, item: Item | None, *, lost: bool) -> None:
        heapq.heappush(self._events, (when, worker, item, lost))

    def _open(self) -> None:
        while self._opened < len(self._blocks) and self._queue.unassigned < 2 * self._workers:
            number = self._blocks[self._opened]
            self._queue.open(self._opened, range(number), [64] * number, None)
            self._opened += 1

    def _ask(self, worker: int, item: Item) -> None:
        usual = self._seconds * self._chance.lognormvariate(0, SPREAD)
        took = usual * (LONGER if self._chance.random() < STRAGGLERS else 1)
        lost = self._chance.random() < LOSSES
        took *= self._chance.random() if lost else 1
        self._asked.setdefault(item, []).append(self._now)
        self._since[worker] = self._now
        self._at(self._now + took, worker, item, lost=lost)
        self._at(self._now + STRAGGLES * self._seconds + 1e-6, -1, None, lost=False)

    def _straggler(self) -> Item | None:
        if not self._twice or self._opened < len(self._blocks):
            return None
        for item, times in self._asked.items():
            late = self._now - times[0] > STRAGGLES * self._seconds
            if late and len(times) == 1 and self._queue.is_out(item):
                return item
        return None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a block")
    parser.add_argument("--load", type=float, default=60.0, help="seconds of loading the model")
    parser.add_argument("--seeds", type=int, default=3, help="runs whose mean is printed")
    parser.add_argument("--once", action="store_true", help="ask no block twice")
    arguments = parser.parse_args()
    for name, blocks in RUNS.items():
        for workers in WORKERS:
            runs = [
                Simulation(
                    blocks,
                    workers=workers,
                    seconds=arguments.seconds,
                    load=arguments.load,
                    twice=not arguments.once,
                    seed=seed,
                ).run()
                for seed in range(1, arguments.seeds + 1)
            ]
            efficiency = statistics.mean(run.efficiency for run in runs)
            seconds = statistics.mean(run.seconds for run in runs)
            print(f"{name:36} {workers:4} workers: {efficiency:6.1%}, {seconds:8.0f} s")


if __name__ == "__main__":
    main()
