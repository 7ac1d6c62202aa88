"""Joint training against training on each task alone: signed relative change, seed by seed.

Training noise counts: the unit of the interval is the seed. What resampling the test samples gives
is shown beside it; it holds the trained weights fixed, so it leaves out the larger part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.descriptors import Direction
from harness.errors import UserError
from harness.evaluation.paired import compare
from harness.jsonfiles import read_object
from harness.runs.record import EvaluationRecord
from harness.tables.notes import warnings_of
from harness.tables.table import Column, Row, Section, Table, TableStyle
from harness_training.changes import possible_change, relative
from harness_training.run import RECORD

from harness_studies.noise import KINDS, SAID, SeedMean, noisy_cell
from harness_studies.plan import TrialPlan
from harness_studies.study import Study


@dataclass(frozen=True, slots=True)
class SeedChange:
    """One seed's pair of trainings on one task.

    Attributes:
        alone: The headline metric after training on the task alone, unscaled.
        joint: After training on all.
        change: Relative change, positive for better (:func:`harness_training.changes.relative`).
        estimate: The change over what both evaluations have, as a share of ``alone``.
        low: Lower end of its interval over test samples, weights held fixed.
    """

    seed: int
    alone: float | None
    joint: float | None
    change: float | None
    estimate: float | None
    low: float | None
    high: float | None
    steps_alone: int
    steps_joint: int
    samples_alone: int
    samples_joint: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(SeedMean[SeedChange]):
    """Mean relative change of one task of one model."""

    model: str
    task: str
    title: str
    metric: str
    direction: Direction


def transfers_of(
    study: Study, done: Sequence[tuple[TrialPlan, Sequence[EvaluationRecord]]]
) -> list[Transfer]:
    """Return each task of each model that has both trainings for at least one seed."""
    if study.transfer is None:
        return []
    alone: dict[tuple[str, str], dict[int, tuple[TrialPlan, EvaluationRecord]]] = {}
    joint: dict[tuple[str, str], dict[int, tuple[TrialPlan, EvaluationRecord]]] = {}
    for plan, records in done:
        label = plan.trial.recipe.label
        by_task = {study.transfer.alone: alone, study.transfer.joint: joint}.get(label)
        if by_task is None or plan.trial.seed is None:
            continue
        for record in records:
            by_seed = by_task.setdefault((plan.trial.model.label, record.task), {})
            by_seed[plan.trial.seed] = (plan, record)
    return [
        _transfer(model, {seed: (by_task[seed], joint[model, task][seed]) for seed in seeds})
        for (model, task), by_task in alone.items()
        if (seeds := sorted(by_task.keys() & joint.get((model, task), {}).keys()))
    ]


_One = tuple[TrialPlan, EvaluationRecord]


def _transfer(model: str, pairs: Mapping[int, tuple[_One, _One]]) -> Transfer:
    first = next(iter(pairs.values()))[0][1]
    seeds = tuple(_change(seed, *pair) for seed, pair in pairs.items())
    records = [record for pair in pairs.values() for _, record in pair]
    return Transfer.over(
        seeds,
        [one.change for one in seeds],
        records,
        possible=possible_change(first.main),
        model=model,
        task=first.task,
        title=first.task_title,
        metric=first.main.column,
        direction=first.main.direction,
    )


def _change(seed: int, alone: _One, joint: _One) -> SeedChange:
    (plan, own_record), (other_plan, other) = alone, joint
    before, after = own_record.main.value, other.main.value
    estimate, low, high = _over_samples(own_record, other, before, after)
    return SeedChange(
        seed=seed,
        alone=before,
        joint=after,
        change=relative(before, after, own_record.main.direction),
        estimate=estimate,
        low=low,
        high=high,
        steps_alone=plan.steps,
        steps_joint=other_plan.steps,
        samples_alone=_seen(plan, own_record.task),
        samples_joint=_seen(other_plan, own_record.task),
    )


def _seen(plan: TrialPlan, task: str) -> int:
    """Return how many samples of a task a training saw, copies counted; 0 when it does not say."""
    if plan.folder is None:
        return 0
    try:
        epochs = read_object(plan.folder / RECORD)["epochs"]
        single_task = set(plan.samples) == {task}
        return sum(
            epoch["samples"] if single_task else epoch["samples_of"][task] for epoch in epochs
        )
    except (UserError, KeyError, TypeError):
        return 0


def _over_samples(
    alone: EvaluationRecord,
    joint: EvaluationRecord,
    before: float | None,
    after: float | None,
) -> tuple[float | None, float | None, float | None]:
    """Return the paired difference and the ends of its interval, as shares of the value before.

    The value before is held fixed. Where a metric that is best at 0 changes sides there is none.
    """
    direction = alone.main.direction
    if not before or after is None or (direction == "zero" and before * after < 0):
        return None, None, None
    paired = compare(alone, joint).main.paired
    if paired.difference is None or paired.interval is None:
        return None, None, None
    better = direction == "higher" or (direction == "zero" and before < 0)
    share = (1 if better else -1) / abs(before)
    ends = share * paired.interval.low, share * paired.interval.high
    return share * paired.difference, min(ends), max(ends)


# --- table ----------------------------------------------------------------------------------------


def transfer_table(study: Study, transfers: Sequence[Transfer]) -> Table:
    """Return the changes in percent: a row with each kind of interval for each model."""
    tasks: dict[str, Transfer] = {}
    for transfer in transfers:
        tasks.setdefault(transfer.task, transfer)
    columns = tuple(
        Column(cell.task, cell.title, "relative_change", f"{cell.metric}, %", "higher", 100.0,
               digits=1)
        for cell in tasks.values()
    )  # fmt: skip
    rows = []
    for model in dict.fromkeys(cell.model for cell in transfers):
        of_model = {cell.task: cell for cell in transfers if cell.model == model}
        for kind in KINDS:
            cells = tuple(noisy_cell(of_model.get(column.task), kind, 100) for column in columns)
            rows.append(Row(f"{model}: {kind}", "", cells, model))
    section = Section("", tuple(rows))
    return Table(
        columns,
        (section,),
        (*_notes(study, transfers), *warnings_of([section], columns)),
        title=f"{study.title}: relative change by joint training, percent",
        looks=TableStyle("brackets", label=f"{study.id}_transfer"),
    )


def _notes(study: Study, transfers: Sequence[Transfer]) -> list[str]:
    assert study.transfer is not None
    matched = {
        "samples": "samples of the task: as many epochs alone as jointly, so the joint training "
        "takes more steps",
        "steps": "total steps: the training on one task sees its samples more often",
    }[study.transfer.matched]
    relative = (
        "(joint - alone) / |alone| of each task's headline metric, in percent; positive is better. "
        "The mean over seeds of pairs that share their seed."
    )
    notes = [relative, f"Alone and joint are matched by {matched}.", SAID]
    for transfer in transfers:
        counts = sorted({(held.steps_alone, held.steps_joint) for held in transfer.seeds})
        seen = sorted({(held.samples_alone, held.samples_joint) for held in transfer.seeds})
        notes.append(
            f"{transfer.model}, {transfer.task}: {len(transfer.seeds)} seeds; steps alone and "
            f"joint {_pairs(counts)}; samples of the task seen {_pairs(seen)}."
        )
    if marks := sorted({mark for one in transfers for mark in one.marks}):
        notes.append(f"Marks of the evaluations: {', '.join(marks)}.")
    return notes


def _pairs(values: Sequence[tuple[int, int]]) -> str:
    return " or ".join(f"{one:,} and {other:,}" for one, other in values)
