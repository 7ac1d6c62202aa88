"""Single-task and joint training: which tasks an epoch sees, and how much of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from harness.descriptors import Json
from harness.errors import UserError
from harness.training import Epoch, Example, Measure

from harness_recipes.plain import FineTune


class Single(FineTune):
    """One task, every sample once an epoch."""

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Say nothing; UserError when samples are of several tasks."""
        tasks = sorted({example.task for example in pool})
        if len(tasks) > 1:
            raise UserError(
                f"recipe 'single' trains on one task, not on {', '.join(tasks)}",
                fix="--recipe joint",
            )
        return ()


class Joint(FineTune):
    """Several tasks, mixed by a declared rule; an epoch is as long as the pool.

    Args:
        options: ``mixing`` (``proportional``: all samples once; ``uniform``: tasks equally often;
            ``temperature``: in proportion to size to the power ``1/temperature``), ``reduction``.

    Raises:
        UserError: a temperature that is not above 0.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        mixing = options["mixing"]
        temperature = float(str(options["temperature"]))
        if not temperature > 0:
            raise UserError(f"{temperature:g} is not above 0", where="option 'temperature'")
        powers = {"proportional": 1.0, "uniform": 0.0, "temperature": 1.0 / temperature}
        self._power = powers[str(mixing)]

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return samples task by task in their shares, shuffled together.

        No sample of a task comes a second time before all of them have come once.
        """
        del number, measure
        places: dict[str, list[int]] = {}
        for index, example in enumerate(pool):
            places.setdefault(example.task, []).append(index)
        counts = shares({task: len(of_task) for task, of_task in places.items()}, self._power)
        order: list[int] = []
        for task, of_task in places.items():
            order += _rounds(of_task, counts[task], random)
        random.shuffle(order)
        return Epoch(order, figures={"samples_of": dict(counts)})


def shares(sizes: Mapping[str, int], power: float) -> dict[str, int]:
    """Return how many samples of each task an epoch sees, as many in all as there are.

    Args:
        sizes: Samples of each task.
        power: A task's share is in proportion to its size to this power.
    """
    total = sum(sizes.values())
    weights = {task: size**power for task, size in sizes.items()}
    weight_sum = sum(weights.values())
    exact = {task: total * weight / weight_sum for task, weight in weights.items()}
    counts = {task: int(value) for task, value in exact.items()}
    by_rest = sorted(exact, key=lambda task: (counts[task] - exact[task], task))
    for task in by_rest[: total - sum(counts.values())]:
        counts[task] += 1
    return counts


def _rounds(places: Sequence[int], count: int, random: Random) -> list[int]:
    order: list[int] = []
    while len(order) < count:
        once = list(places)
        random.shuffle(once)
        order += once[: count - len(order)]
    return order
