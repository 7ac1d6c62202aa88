"""Class balance: each answer of a task is drawn equally often."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from harness.training import Epoch, Example, Measure

from harness_recipes.plain import FineTune


class Balanced(FineTune):
    """An epoch is as long as the pool; a task keeps its share of it, and so does each answer."""

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return samples drawn with replacement: a task, then an answer, then a sample of it."""
        del number, measure
        classes: dict[str, dict[str, list[int]]] = {}
        for index, example in enumerate(pool):
            classes.setdefault(example.task, {}).setdefault(example.answer, []).append(index)
        order: list[int] = []
        for example in pool:
            answers = classes[example.task]
            chosen = random.choice(sorted(answers))
            order.append(random.choice(answers[chosen]))
        random.shuffle(order)
        counts = {task: len(answers) for task, answers in classes.items()}
        return Epoch(order, figures={"answers": dict(counts), "distinct": len(set(order))})
