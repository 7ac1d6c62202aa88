"""What training on several tasks at once does to each: joint against single, over seeds.

Positive transfer on a task: the model trained jointly is better at it than the model trained on it
alone (arXiv 2512.01148 in words; that the change is relative and paired by seed is INFERRED).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.results import Analysis, finished, table_of, write_analysis
from harness.api.records import Skipped, newest_of
from harness.descriptors import Json
from harness.errors import UserError
from harness.plugins import plugins
from harness.runs import EvaluationRecord
from harness.specs import fingerprint
from harness_training.changes import change_over_seeds, relative

KIND = "transfer"
ALONE, TOGETHER = "alone", "together"


@dataclass(frozen=True, slots=True)
class Trained:
    """An evaluation of trained weights.

    Attributes:
        model: The model before training; by name, and another tower's hash where it was given one.
        base: The same by the hash of its identity.
        recipe: The recipe's id.
        side: :data:`ALONE` or :data:`TOGETHER`, as the recipe's descriptor says.
        mixture: How it was trained but for tasks and seed, as text.
        training: What the record says of the training.
    """

    record: EvaluationRecord
    model: str
    base: str
    recipe: str
    side: str
    tasks: tuple[str, ...]
    seed: int
    mixture: str
    training: Mapping[str, Json]

    @property
    def value(self) -> float | None:
        """The headline's value."""
        return self.record.main.value


def run_transfer(places: Sequence[Path], *, results: Path) -> Analysis:
    """Compare joint with single-task training wherever both were evaluated.

    Args:
        places: Folders or manifests of evaluations.
        results: Folder the analysis is written to.

    Raises:
        UserError: no pair of a single and a joint training, or two of one kind and seed.
    """
    trained, untrained, problems = read_trained(places)
    about: dict[str, Json] = {
        "evaluations": [*sorted(one.record.fingerprint for one in trained)],
        "untrained": [*sorted(one.fingerprint for one in untrained)],
        "marks": [*sorted({mark for one in trained for mark in one.record.marks})],
    }
    done = finished(results, KIND, about)
    if done is not None:
        return done
    rows, seeds = changes(trained)
    if not rows:
        raise UserError(
            "no task was evaluated after both a single and a joint training of one model and seed",
            where=", ".join(map(str, places)),
            fix=f"harness train --recipe {_recipes(ALONE)} and --recipe {_recipes(TOGETHER)}, "
            "then harness run --checkpoint for each"
            + "".join(f" ({line})" for line in problems if "recipe" in line),
        )
    tables = [table_of("transfer", rows), table_of("seeds", seeds)]
    matrix = pairwise(trained, untrained)
    if matrix:
        tables.append(table_of("matrix", matrix))
    return write_analysis(results, KIND, about, tables, notes=problems)


def _recipes(side: str) -> str:
    """Return the recipes of one side, for messages."""
    names = [
        name for name, descriptor in plugins().recipes().items() if descriptor.transfer == side
    ]
    return "|".join(names) or "(none is installed: harness list recipes)"


def read_trained(
    places: Iterable[Path],
) -> tuple[list[Trained], list[EvaluationRecord], list[str]]:
    """Read evaluations after single and joint training, those without training, and problems."""
    trained: list[Trained] = []
    untrained: list[EvaluationRecord] = []
    problems: list[str] = []
    for folder in places:
        skipped: list[Skipped] = []
        records, _ = newest_of([folder], skipped.append, details=False)
        problems += [line for part in skipped for line in part.lines()]
        for record in records:
            training = record.training
            if training is None:
                untrained.append(record)
            else:
                evaluation, problem = _trained(record, training)
                trained += [evaluation] if evaluation is not None else []
                problems += [problem] if problem and problem not in problems else []
    return trained, untrained, problems


def _trained(record: EvaluationRecord, training: Any) -> tuple[Trained | None, str]:
    """Return an evaluation with the training that ``transfer`` compares, or why it is left out."""
    try:
        recipe, data = training["recipe"], training["data"]
        tasks = tuple(sorted(map(str, data["tasks"])))
        name = str(recipe["id"])
        descriptor = plugins().recipes().get(name)
        if descriptor is None:
            return None, f"left out: trainings by the recipe {name!r}, which is not installed"
        side = descriptor.transfer
        if not side or (side == ALONE and len(tasks) != 1):
            return None, ""
        mixture: Json = {"options": recipe["options"], "parts": training["parts"]}
        tower = training.get("tower")
        evaluation = Trained(
            record=record,
            model=record.model if tower is None else f"{record.model} (tower {tower[:8]})",
            base=_base(record, tower),
            recipe=name,
            side=side,
            tasks=tasks,
            seed=int(training["seed"]),
            mixture=fingerprint(mixture)[:12],
            training=training,
        )
        return evaluation, ""
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the record of the training cannot be read: {error!r}", where=record.directory
        ) from None


def _base(record: EvaluationRecord, tower: str | None = None) -> str:
    """Return the model's identity as it was before training."""
    identity = {key: value for key, value in record.identity.items() if key != "checkpoint"}
    tower_identity = {} if tower is None else {"tower": tower}
    return fingerprint({"id": record.model, "identity": identity, **tower_identity})


def changes(
    trained: Sequence[Trained],
) -> tuple[list[dict[str, Json]], list[dict[str, Json]]]:
    """Return a row for each model, task and joint training, and one for each seed of it."""
    singles = _by_seed(one for one in trained if one.side == ALONE)
    joints = _by_seed(one for one in trained if one.side == TOGETHER)
    rows: list[dict[str, Json]] = []
    seeds: list[dict[str, Json]] = []
    for (base, task, tasks, _), joint_seeds in sorted(joints.items()):
        if task not in tasks:
            continue
        alone = [found for key, found in singles.items() if key[:3] == (base, task, (task,))]
        if not alone:
            continue
        if len(alone) > 1:
            raise _ambiguous([next(iter(found.values())) for found in alone])
        shared = sorted(joint_seeds.keys() & alone[0].keys())
        compared = [_compared(alone[0][seed], joint_seeds[seed]) for seed in shared]
        if not compared:
            continue
        seeds += compared
        rows.append(_over_seeds(next(iter(joint_seeds.values())), compared))
    return rows, seeds


Key = tuple[str, str, tuple[str, ...], str]


def _by_seed(trained: Iterable[Trained]) -> dict[Key, dict[int, Trained]]:
    groups: dict[Key, dict[int, Trained]] = {}
    for evaluation in trained:
        # What is compared must have asked the same.
        task = evaluation.record.task
        by_seed = groups.setdefault(
            (evaluation.base, task, evaluation.tasks, evaluation.mixture), {}
        )
        if (
            evaluation.seed in by_seed
            and by_seed[evaluation.seed].record.directory != evaluation.record.directory
        ):
            raise _ambiguous([by_seed[evaluation.seed], evaluation])
        by_seed[evaluation.seed] = evaluation
    return groups


def _ambiguous(evaluations: Sequence[Trained]) -> UserError:
    first = evaluations[0]
    return UserError(
        f"several {first.recipe} trainings of {first.model} on {'+'.join(first.tasks)} were "
        f"evaluated on {first.record.task}, seed {first.seed}: {_unlike(first, evaluations[1])}",
        where=", ".join(str(held.record.directory) for held in evaluations),
        fix="name the folders or manifests of the runs to compare",
    )


def _unlike(first: Trained, second: Trained) -> str:
    """Say in what two trainings differ, or that the evaluations do."""
    left, right = (dict(_leaves("", dict(held.training))) for held in (first, second))
    keys = sorted((left.keys() | right.keys()) - {"fingerprint", "seed"})
    differences = [
        f"{key} {left.get(key, 'none')} and {right.get(key, 'none')}"
        for key in keys
        if left.get(key) != right.get(key)
    ]
    if differences:
        return "they differ in " + ", ".join(differences)
    if left.get("fingerprint") == right.get("fingerprint"):
        return "one training, asked twice"
    return "their records do not say how they differ"


def _leaves(name: str, tree: Json) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), value)
    else:
        yield name, json.dumps(tree)


def _compared(single: Trained, joint: Trained) -> dict[str, Json]:
    if single.record.task_fingerprint != joint.record.task_fingerprint:
        raise UserError(
            f"the two evaluations of {single.record.task!r} did not use the same questions",
            where=f"{single.record.directory} and {joint.record.directory}",
            fix="evaluate both with the same data, options and --limit",
        )
    metric = single.record.main
    return {
        "model": single.model,
        "task": single.record.task,
        "seed": single.seed,
        "tasks": "+".join(joint.tasks),
        "metric": metric.column,
        "scale": metric.scale,
        "single": single.value,
        "joint": joint.value,
        "relative": relative(single.value, joint.value, metric.direction),
    }


def _over_seeds(joint: Trained, seeds: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    values = [float(row["relative"]) for row in seeds if isinstance(row["relative"], float)]
    low, high = change_over_seeds(values, joint.record.main)
    verdict = "not told apart"
    if low is not None and high is not None:
        verdict = "positive" if low > 0 else "negative" if high < 0 else verdict
    return {
        "model": joint.model,
        "task": joint.record.task,
        "tasks": "+".join(joint.tasks),
        "metric": joint.record.main.column,
        "scale": joint.record.main.scale,
        "single": _mean([row["single"] for row in seeds]),
        "joint": _mean([row["joint"] for row in seeds]),
        "relative": _mean(values),
        "low": low,
        "high": high,
        "seeds": len(values),
        "transfer": verdict,
    }


def _mean(values: Sequence[Json]) -> float | None:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return math.fsum(numbers) / len(numbers) if numbers else None


def pairwise(
    trained: Sequence[Trained], untrained: Sequence[EvaluationRecord]
) -> list[dict[str, Json]]:
    """Return train-on-i, test-on-j rows, where such evaluations exist beyond each task's own.

    ``relative`` is the change against the model trained on j itself, mean over shared seeds;
    ``untrained`` is the model's value on j before any training.
    """
    singles = _by_seed(evaluation for evaluation in trained if evaluation.side == ALONE)
    if all(task == tasks[0] for _, task, tasks, _ in singles):
        return []
    before = {
        (_base(evaluation), evaluation.task_fingerprint): evaluation.main.value
        for evaluation in untrained
    }
    rows: list[dict[str, Json]] = []
    for (base, task, (source,), mixture), by_seed in sorted(singles.items()):
        own_seeds = singles.get((base, task, (task,), mixture), {})
        shared = [
            relative(own_seeds[seed].value, evaluation.value, evaluation.record.main.direction)
            for seed, evaluation in by_seed.items()
            if seed in own_seeds
            and own_seeds[seed].record.task_fingerprint == evaluation.record.task_fingerprint
        ]
        some = next(iter(by_seed.values()))
        values = [value for value in shared if value is not None]
        low, high = change_over_seeds(values, some.record.main)
        rows.append(
            {
                "model": some.model,
                "trained": source,
                "tested": task,
                "metric": some.record.main.column,
                "scale": some.record.main.scale,
                "value": _mean([evaluation.value for evaluation in by_seed.values()]),
                "relative": _mean(values),
                "low": low,
                "high": high,
                "seeds": len(by_seed),
                "untrained": before.get((base, some.record.task_fingerprint)),
            }
        )
    return rows
