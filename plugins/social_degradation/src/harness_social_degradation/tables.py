"""The tables of a study of degradation: means over seeds with Student's t intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

from harness.analysis.results import Analysis, AnalysisTable, finished, table_of, write_analysis
from harness.descriptors import Json
from harness.runs.lock import writing
from harness.runs.record import EvaluationRecord
from harness.runs.seal import write_json, write_whole
from harness.stats.interval import Range
from harness.stats.intervals import over_seeds
from harness_training.changes import possible_change, relative

from harness_social_degradation.run import Answered, Parts
from harness_social_degradation.study import BEFORE, KIND, DegradationStudy

Row = dict[str, Json]
NO_LIMITS: Range = (None, None)


def write_degradation(study: DegradationStudy, parts: Parts, results: Path) -> Analysis:
    """Write and seal the tables of a study; equal parts give equal files."""
    looked = [found.fingerprint for found in parts.probes.values()]
    pulled = [found.fingerprint for found in parts.gradients.values()]
    evaluations = [one.fingerprint for held in parts.answered for one in held.records]
    definition: Json = _plain(asdict(replace(study, text="")))
    about: dict[str, Json] = {
        "study": definition,
        "probes": [*looked],
        "gradients": [*pulled],
        "evaluations": [*evaluations],
        "marks": [*sorted(_marks(parts))],
    }
    return finished(results, KIND, about) or write_analysis(
        results, KIND, about, tables_of(study, parts), notes=_notes(study, parts)
    )


def _marks(parts: Parts) -> set[str]:
    """Return the marks of all parts."""
    marks = {mark for one in parts.answered for record in one.records for mark in record.marks}
    for analysis in (*parts.probes.values(), *parts.gradients.values()):
        marks |= set(analysis.marks)
    return marks


def written(analysis: Analysis, out: Path) -> list[Path]:
    """Write an analysis where people look for a study: one JSON file, and a CSV file a table."""
    with writing(out, "--out"):
        write_json(out / f"{KIND}.json", analysis.as_json())
        files = [out / f"{KIND}.json"]
        for table in analysis.tables:
            files.append(out / f"{table.name}.csv")
            write_whole(files[-1], [(analysis.directory / files[-1].name).read_bytes()])
    return files


def _plain(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def tables_of(study: DegradationStudy, parts: Parts) -> list[AnalysisTable]:
    """Return every table of a study."""
    probes = _probes(study, parts)
    lost = [row for seed, found in parts.probes.items() for row in _lost(seed, found)]
    tables = [
        table_of("probe", probes),
        table_of("degradation", _over_seeds(study, probes, lost)),
        table_of("groups", _groups(study, probes, lost)),
    ]
    contrasts = _contrasts(study, lost)
    if contrasts:
        tables.append(table_of("contrasts", contrasts))
    if parts.answered:
        tables.append(table_of("transfer", transfers(study, parts.answered)))
    if parts.gradients:
        tables.append(table_of("conflict", _conflict(parts.gradients)))
    return tables


def _notes(study: DegradationStudy, parts: Parts) -> list[str]:
    notes = [study.note] if study.note else []
    steps = "; ".join(f"{name} {count}" for name, count in parts.steps.items())
    intervals = (
        f"Intervals are Student's t over {len(study.seeds)} seeds, 95 %; those of single probes "
        "are over clusters of test samples."
    )
    return [*notes, intervals, f"Steps of each training: {steps}."]


# --- probes ---------------------------------------------------------------------------------------


def _probes(study: DegradationStudy, parts: Parts) -> list[Row]:
    """Return each probe once: the tower before is the same for all seeds."""
    rows: list[Row] = []
    first = True
    for seed, analysis in parts.probes.items():
        for row in analysis.table("probe").records():
            before = row["encoder"] == BEFORE
            if first or not before:
                control = row["task"] in study.probe.controls
                rows.append({**row, "seed": None if before else seed, "is_control": control})
        first = False
    return rows


def _lost(seed: int, analysis: Analysis) -> list[Row]:
    return [{**row, "seed": seed} for row in analysis.table("degradation").records()]


def _over_seeds(study: DegradationStudy, probes: Sequence[Row], lost: Sequence[Row]) -> list[Row]:
    before = {_place(row): row for row in probes if row["encoder"] == BEFORE}
    rows: list[Row] = []
    for (encoder, *key), seed_rows in _grouped(lost, "second", "task", "layer", "pooling").items():
        base = before[tuple(key)]
        values = [row["degradation"] for row in seed_rows]
        sign = -1.0 if base["direction"] == "lower" else 1.0
        mean, low, high = summary(values)
        after = _minus(base["value"], None if mean is None else sign * mean)
        rows.append(
            {
                "encoder": encoder,
                "task": key[0],
                "is_control": key[0] in study.probe.controls,
                "layer": key[1],
                "pooling": key[2],
                "metric": base["metric"],
                "scale": base["scale"],
                "before": base["value"],
                "after": after,
                "degradation": mean,
                "low": low,
                "high": high,
                "seeds": len(seed_rows),
                "by_seed": [*values],
            }
        )
    return rows


def _groups(study: DegradationStudy, probes: Sequence[Row], lost: Sequence[Row]) -> list[Row]:
    """Return the mean relative loss over tasks in question, over controls, and the difference."""
    before = {_place(row): row["value"] for row in probes if row["encoder"] == BEFORE}
    rows: list[Row] = []
    for (encoder, layer, pooling), group_rows in _grouped(
        lost, "second", "layer", "pooling"
    ).items():
        by_seed: dict[str, list[Json]] = {"tasks": [], "controls": [], "tasks - controls": []}
        for some in _grouped(group_rows, "seed").values():
            means = {}
            for name in ("tasks", "controls"):
                shares = [
                    share
                    for row in some
                    if (row["task"] in study.probe.controls) == (name == "controls")
                    and (share := _share(row["degradation"], before[_place(row)])) is not None
                ]
                means[name] = fmean(shares) if shares else None
                by_seed[name].append(means[name])
            tasks_mean, controls_mean = means["tasks"], means["controls"]
            with_both = (
                None if tasks_mean is None or controls_mean is None else tasks_mean - controls_mean
            )
            by_seed["tasks - controls"].append(with_both)
        for name, values in by_seed.items():
            mean, low, high = summary(values)
            row: Row = {"encoder": encoder, "layer": layer, "pooling": pooling, "group": name}
            row |= {"relative_loss": mean, "low": low, "high": high, "by_seed": [*values]}
            rows.append(row)
    return rows


def _contrasts(study: DegradationStudy, lost: Sequence[Row]) -> list[Row]:
    """Return the difference of what two trainings at one rate take away, seed by seed."""
    by_key = _grouped(lost, "second", "task", "layer", "pooling")
    rows: list[Row] = []
    for first_of, second_of in combinations(study.continued, 2):
        if first_of.rate != second_of.rate:
            continue
        first_label, second_label = first_of.label, second_of.label
        for (encoder, *key), first in by_key.items():
            if encoder != first_label:
                continue
            second = {row["seed"]: row["degradation"] for row in by_key[second_label, *key]}
            values = [_minus(row["degradation"], second[row["seed"]]) for row in first]
            mean, low, high = summary(values)
            rows.append(
                {
                    "first": first_label,
                    "second": second_label,
                    "task": key[0],
                    "layer": key[1],
                    "pooling": key[2],
                    "scale": first[0]["scale"],
                    "difference": mean,
                    "low": low,
                    "high": high,
                    "by_seed": [*values],
                }
            )
    return rows


# --- transfer and conflict ------------------------------------------------------------------------


def transfers(study: DegradationStudy, answered: Sequence[Answered]) -> list[Row]:
    """Return joint against single training by tower and task, and the change from before."""
    assert study.transfer is not None
    records: dict[tuple[str, str, str], dict[int, EvaluationRecord]] = {}
    for evaluations in answered:
        for record in evaluations.records:
            records.setdefault((evaluations.tower, evaluations.recipe, record.task), {})[
                evaluations.seed
            ] = record
    rows: list[Row] = []
    for task in study.transfer.tasks:
        changes: dict[str, list[Json]] = {}
        for tower in (BEFORE, study.transfer.after):
            alone, joint = records[tower, "single", task], records[tower, "joint", task]
            metric = next(iter(alone.values())).main
            pairs = [(alone[seed].main.value, joint[seed].main.value) for seed in study.seeds]
            changes[tower] = [relative(*pair, metric.direction) for pair in pairs]
            named: Row = {"tower": tower, "task": task, "metric": metric.column}
            named |= {"direction": metric.direction, "scale": metric.scale}
            singles, joints = zip(*pairs, strict=True)
            named |= {"single": summary(singles)[0], "joint": summary(joints)[0]}
            rows.append({**named, **_relative(changes[tower], possible_change(metric))})
        before, after = changes.values()
        different = [_minus(*pair) for pair in zip(after, before, strict=True)]
        rows.append({**named, "tower": "after - before", "single": None, "joint": None,
                     **_relative(different, NO_LIMITS)})  # fmt: skip
    return rows


def _relative(values: Sequence[Json], possible: Range) -> Row:
    mean, low, high = summary(values, possible)
    return {"relative": mean, "low": low, "high": high, "by_seed": [*values]}


def _conflict(gradients: Mapping[tuple[str, int], Analysis]) -> list[Row]:
    """Return mean cosines by tower and pair; a task with itself is the reference."""
    by_pair: dict[tuple[str, str, str], list[Row]] = {}
    for (tower, _), analysis in gradients.items():
        for row in analysis.table("pairs").records():
            key = tower, str(row["first"]), str(row["second"])
            by_pair.setdefault(key, []).append(row)
        for row in analysis.table("tasks").records():
            key = tower, str(row["task"]), str(row["task"])
            by_pair.setdefault(key, []).append({"mean": row["own"], "negative": None})
    rows: list[Row] = []
    for (tower, first, second), seed_rows in by_pair.items():
        values = [row["mean"] for row in seed_rows]
        mean, low, high = summary(values, (-1.0, 1.0))
        rows.append(
            {
                "tower": tower,
                "first": first,
                "second": second,
                "cosine": mean,
                "low": low,
                "high": high,
                "negative": summary([row["negative"] for row in seed_rows])[0],
                "by_seed": [*values],
            }
        )
    return rows


# --- helpers --------------------------------------------------------------------------------------


def summary(
    values: Iterable[Json], possible: Range = NO_LIMITS
) -> tuple[float | None, float | None, float | None]:
    """Return mean and t interval, cut to what is possible; nothing when a value is missing."""
    every_value = list(values)
    numbers = [float(value) for value in every_value if isinstance(value, int | float)]
    if not numbers or len(numbers) < len(every_value):
        return None, None, None
    interval = over_seeds(numbers)
    interval = interval and interval.within(possible)
    ends = (interval.low, interval.high) if interval else (None, None)
    return fmean(numbers), *ends


def _grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[Json, ...], list[Row]]:
    groups: dict[tuple[Json, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _place(row: Row) -> tuple[Json, ...]:
    return row["task"], row["layer"], row["pooling"]


def _minus(left: Json, right: Json) -> float | None:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left - right
    return None


def _share(lost: Json, before: Json) -> float | None:
    if isinstance(lost, int | float) and isinstance(before, int | float) and before:
        return lost / abs(before)
    return None
