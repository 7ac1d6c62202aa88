"""Two rows compared seed by seed: how much nearer its best one brings each number.

For a metric that is best at 0 (skew) the gain is ``|against| - |row|``, for one that is better
higher ``row - against``: positive is always better. Training noise counts: the unit of the interval
is the seed. A row without training is the same for every seed; two of them vary over samples only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.descriptors import Json
from harness.evaluation.paired import Difference, compare
from harness.runs.record import EvaluationRecord
from harness.stats.interval import Range
from harness.stats.intervals import of_difference
from harness.tables.columns import column_of, same_column
from harness.tables.notes import warnings_of
from harness.tables.table import Column, Row, Section, Table, TableStyle

from harness_studies.noise import KINDS, SAID, SAMPLES, SEEDS, SeedMean, noisy_cell
from harness_studies.study import Comparison, Study, StudyModel, Trial

Held = Sequence[tuple[Trial, EvaluationRecord]]
Pair = tuple[EvaluationRecord, EvaluationRecord]


@dataclass(frozen=True, slots=True)
class SeedGain:
    """One seed's pair: values scaled as the column shows them, positive gain for better.

    Attributes:
        gain: The gain that the two rows' numbers give.
        estimate: The gain over what both rows have; ``None``, as its ends are, where a metric that
            is best at 0 changes sides.
        low: Lower end of the estimate over test samples, weights held fixed.
    """

    seed: int
    against: float | None
    row: float | None
    gain: float | None
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain(SeedMean[SeedGain]):
    """One column of one pair of rows.

    Attributes:
        part: Options that tell a task from itself, asked otherwise; empty for a task asked once.
        options: The metric's own, which tell two columns of one metric apart.
    """

    model: str
    row: str
    against: str
    data: str
    task: str
    part: str
    metric: str
    options: Mapping[str, Json]


def gains_of(study: Study, evaluations: Held, columns: Sequence[Column]) -> list[Gain]:
    """Return the gain in each of these columns, of each model, pair of rows and kind of data."""
    parts = parts_of(study, [record for _, record in evaluations])
    columns = compared_columns(columns)
    gains = []
    for model in study.models:
        for comparison in study.compare:
            for data, pairs in _pairs(study, model, comparison, evaluations):
                for part in dict.fromkeys(parts[_name(one)] for one, _ in pairs.values()):
                    of_data = {
                        position: pair
                        for position, pair in pairs.items()
                        if parts[_name(pair[0])] == part
                    }
                    by_metric = _gains(of_data, columns)
                    gains += [
                        _gain((model.label, comparison, data, part), column, seeds, of_data)
                        for column, seeds in by_metric
                    ]
    return gains


def compared_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns in which one number can be better than another."""
    return tuple(column for column in columns if column.direction != "none")


def parts_of(study: Study, records: Sequence[EvaluationRecord]) -> dict[str, str]:
    """Return the options that tell an evaluation's task from itself, by fingerprint."""
    values_of: dict[str, dict[str, set[str]]] = {}
    for task in study.tasks:
        for name, value in task.options.items():
            values_of.setdefault(task.task, {}).setdefault(name, set()).add(str(value))
    parts = {}
    for record in records:
        names = [name for name, held in values_of.get(record.task, {}).items() if len(held) > 1]
        settings = [f"{name} = {record.task_options[name]}" for name in names]
        parts[_name(record)] = ", ".join(settings)
    return parts


def _name(record: EvaluationRecord) -> str:
    return record.fingerprint


Places = dict[tuple[int, str, str], Pair]


def _pairs(
    study: Study, model: StudyModel, comparison: Comparison, evaluations: Held
) -> Iterator[tuple[str, Places]]:
    """Yield, for each kind of data, pairs (against, row) by seed and task."""
    of: dict[str, dict[tuple[str, int | None], list[EvaluationRecord]]] = {}
    for trial, record in evaluations:
        if trial.model == model and trial.recipe.label in {comparison.row, comparison.against}:
            key = "" if trial.data is None else trial.data.label, trial.seed
            of.setdefault(trial.recipe.label, {}).setdefault(key, []).append(record)
    rows, others = of.get(comparison.row, {}), of.get(comparison.against, {})
    for data in dict.fromkeys(data for data, _ in rows):
        places: Places = {}
        # Two rows without training are the same for every seed, and vary over none.
        trained = _is_trained(study, comparison.row, comparison.against)
        for seed in study.seeds if trained else study.seeds[:1]:
            after = rows.get((data, seed), rows.get(("", None), []))
            before = others.get((data, seed), others.get(("", None), []))
            for record in after:
                for other in before:
                    if other.task_fingerprint == record.task_fingerprint:
                        places[seed, record.task, record.task_fingerprint] = (other, record)
        if places:
            yield data, places


def _is_trained(study: Study, *labels: str) -> bool:
    return any(recipe.recipe for recipe in study.recipes if recipe.label in labels)


def _gains(
    pairs: Places, columns: Sequence[Column]
) -> Iterator[tuple[Column, tuple[SeedGain, ...]]]:
    by_column: dict[int, list[SeedGain]] = {}
    for (seed, _, _), (before, after) in pairs.items():
        differences = compare(before, after).metrics
        for index, column in enumerate(columns):
            if column.task == after.task:
                gain = _seed_gain(seed, column, before, after, differences)
                by_column.setdefault(index, []).append(gain)
    for index, seeds in sorted(by_column.items()):
        yield columns[index], tuple(seeds)


def _seed_gain(
    seed: int,
    column: Column,
    before: EvaluationRecord,
    after: EvaluationRecord,
    differences: Sequence[Difference],
) -> SeedGain:
    values = _value(before, column), _value(after, column)
    against, row = values
    if against is None or row is None:
        return SeedGain(seed, against, row, None, None, None, None)
    gain = column.badness(against) - column.badness(row)
    estimate, low, high = _over_samples(column, against, row, differences)
    return SeedGain(seed, against, row, gain, estimate, low, high)


def _value(record: EvaluationRecord, column: Column) -> float | None:
    for value in record.metrics:
        if same_column(column_of(record, value), column):
            return None if value.value is None else value.value * value.scale
    return None


def _over_samples(
    column: Column, before: float, after: float, differences: Sequence[Difference]
) -> tuple[float | None, float | None, float | None]:
    """Return the paired gain and the ends of its interval."""
    paired = [
        difference.paired
        for difference in differences
        if not difference.slice
        and difference.metric == column.metric
        and difference.options == column.options
    ]
    if not paired or (column.direction == "zero" and before * after <= 0):
        return None, None, None
    difference, interval = paired[0].difference, paired[0].interval
    if difference is None or interval is None:
        return None, None, None
    better = column.direction == "higher" or (column.direction == "zero" and before < 0)
    sign = column.scale if better else -column.scale
    ends = sign * interval.low, sign * interval.high
    return sign * difference, min(ends), max(ends)


def _gain(
    about: tuple[str, Comparison, str, str],
    column: Column,
    seeds: tuple[SeedGain, ...],
    pairs: Mapping[tuple[int, str, str], Pair],
) -> Gain:
    model, comparison, data, part = about
    records = [record for pair in pairs.values() for record in pair if record.task == column.task]
    return Gain.over(
        seeds,
        [one.gain for one in seeds],
        records,
        possible=_possible(records[0], column),
        model=model,
        row=comparison.row,
        against=comparison.against,
        data=data,
        task=column.task,
        part=part,
        metric=column.metric,
        options=dict(column.options),
    )


def _possible(record: EvaluationRecord, column: Column) -> Range:
    """Return between which values a gain of a column lies, scaled."""
    for value in record.metrics:
        if same_column(column_of(record, value), column):
            low, high = of_difference(value.range)
            if low is not None and high is not None:
                return low * value.scale, high * value.scale
    return None, None


# --- table ----------------------------------------------------------------------------------------


def gain_table(study: Study, gains: Sequence[Gain], columns: Sequence[Column]) -> Table:
    """Return the gains: a row with each kind of interval for each model, pair and kind of data."""
    columns = compared_columns(columns)
    shown_columns = tuple(_shown(column) for column in columns)
    sections = []
    for part in dict.fromkeys(gain.part for gain in gains):
        section_gains = [gain for gain in gains if gain.part == part]
        rows = []
        keys = dict.fromkeys(
            (gain.model, gain.row, gain.against, gain.data) for gain in section_gains
        )
        for model, row, against, data in keys:
            of = [
                gain
                for gain in section_gains
                if (gain.model, gain.row, gain.against, gain.data) == (model, row, against, data)
            ]
            trained = f" ({data})" if len(study.data) > 1 and data else ""
            for kind in KINDS if _is_trained(study, row, against) else (SAMPLES,):
                cells = tuple(noisy_cell(_found(of, column), kind, 1.0) for column in columns)
                name = f"{row} against {against}{trained}: {kind}"
                rows.append(Row(name, "", cells, model))
        sections.append(Section(part, tuple(rows)))
    counts = sorted({len(gain.seeds) for gain in gains})
    marks = sorted({mark for gain in gains for mark in gain.marks})
    how = (
        "Gain of the first row over the second: |second| - |first| where 0 is best, first - second "
        "where higher is better. Positive is better. The mean over seeds of pairs that share their "
        f"seed; seeds: {' or '.join(map(str, counts))}. {SEEDS}: the two rows' numbers; where a "
        f"concept can be unavailable, they may be of different concepts. {SAMPLES}: of the "
        "concepts that both rows have."
    )
    notes = [how, SAID, *warnings_of(sections, shown_columns)]
    if marks:
        notes.append(f"Marks of the evaluations: {', '.join(marks)}.")
    return Table(
        shown_columns,
        tuple(sections),
        tuple(notes),
        title=f"{study.title}: gain, seed by seed",
        looks=TableStyle("brackets", label=f"{study.id}_compare"),
    )


def _shown(column: Column) -> Column:
    """Return a column of gains, which are better higher whatever the metric."""
    return Column(
        column.task,
        column.title,
        f"{column.metric}_gain",
        column.name,
        "higher",
        column.scale,
        column.options,
        column.group,
        column.digits,
        column.renamed,
    )


def _found(gains: Sequence[Gain], column: Column) -> Gain | None:
    wanted = column.task, column.metric, column.options
    return next((one for one in gains if (one.task, one.metric, one.options) == wanted), None)
