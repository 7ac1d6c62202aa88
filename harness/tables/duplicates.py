"""Two evaluations for one cell: refuse, take the newest, or the mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from operator import attrgetter
from typing import Any, Literal

from harness.errors import UserError
from harness.runs.record import Counts, EvaluationRecord, MetricValue
from harness.runs.superseded import finished
from harness.stats.interval import Interval
from harness.tables.rows import Placed

Rule = Literal["fail", "newest", "mean"]
RULES: tuple[Rule, ...] = ("fail", "newest", "mean")

Seed = tuple[Any, Any]
"""The seed of the run and that of the training, ``None`` where there is none."""

_COMPARED = attrgetter("counts", "metrics", "slices", "images")
_FEWEST = {"samples", "scored", "clusters"}
SeedInterval = Callable[[Sequence[float]], Interval | None]
"""An interval of the mean of one value per seed, in the metric's own unit."""


def settled(
    placements: Sequence[Placed], rule: Rule, interval: SeedInterval | None = None
) -> list[Placed]:
    """Return the records of one section, one for each row and task.

    Args:
        placements: Records with their rows.
        rule: What to do when two different ones claim one cell.
        interval: Interval of a mean over seeds; without it a mean has none.

    Raises:
        UserError: two claim one cell and the rule does not decide.
    """
    cells: dict[tuple[object, str], list[Placed]] = {}
    for placement in placements:
        same = cells.setdefault((placement.key, placement.record.task), [])
        for position, other in enumerate(same):
            if _equal(placement.record, other.record):
                same[position] = _marked(other, placement.record.marks)
                break
        else:
            same.append(placement)
    return [
        claims[0] if len(claims) == 1 else _one(claims, rule, interval) for claims in cells.values()
    ]


def _one(claims: Sequence[Placed], rule: Rule, interval: SeedInterval | None) -> Placed:
    if rule == "newest":
        return max(claims, key=_finished)
    if rule == "mean":
        return _mean(claims, interval)
    first, second = claims[0].record, claims[1].record
    name = claims[0].key.label or first.model
    raise UserError(
        f"two different evaluations of {name!r} on {first.task!r}: "
        f"{first.directory} and {second.directory}",
        fix="--duplicates newest or --duplicates mean; or give only the one to show",
    )


def _equal(first: EvaluationRecord, other: EvaluationRecord) -> bool:
    """Whether two records say the same; a second seed is no copy, even with equal numbers."""
    return seed_of(first) == seed_of(other) and _COMPARED(first) == _COMPARED(other)


def _marked(placement: Placed, marks: tuple[str, ...]) -> Placed:
    """Return a record with the marks of its copy too."""
    marks_of_both = tuple(sorted({*placement.record.marks, *marks}))
    return replace(placement, record=replace(placement.record, marks=marks_of_both))


def _finished(placement: Placed) -> tuple[str, str]:
    """Return when an evaluation ended (ISO 8601, UTC); equal clocks go by fingerprint."""
    time = finished(placement.record.directory)
    if not time:
        raise UserError(
            "does not say when the evaluation ended, so the newest is unknown",
            where=placement.record.directory / "timings.json",
            fix="give only the evaluation to show",
        )
    return time, placement.record.fingerprint


def seed_of(record: EvaluationRecord) -> Seed:
    """Return the seeds of the run and of the training."""
    training = record.training
    return record.settings.get("seed"), None if training is None else training.get("seed")


def _mean(claims: Sequence[Placed], interval: SeedInterval | None) -> Placed:
    """Return one record of means; the first claim says what all have in common."""
    records = [one.record for one in claims]
    first = records[0]
    by_seed: dict[tuple[object, ...], EvaluationRecord] = {}
    for record in records:
        other = by_seed.setdefault((*seed_of(record), record.model_fingerprint), record)
        if other is not record:
            raise UserError(
                f"no mean over seeds: two evaluations of {record.model!r} on {record.task!r} have "
                f"one seed: {other.directory} and {record.directory}",
                fix="--duplicates newest, or give only those to show",
            )
    metrics = tuple(_means(records, value, interval) for value in first.metrics)
    marks = sorted({mark for record in records for mark in record.marks})
    record = replace(
        first,
        metrics=metrics,
        slices=(),
        fingerprint=",".join(record.fingerprint for record in records),
        marks=tuple(marks),
        counts=_counts(records),
    )
    return Placed(claims[0].key, record, len(records))


def _counts(records: Sequence[EvaluationRecord]) -> Counts:
    """Return the counts of a mean: samples are the fewest, losses the mean, rounded up."""
    counts = [asdict(record.counts) for record in records]
    notes = [one.pop("notes") for one in counts]
    made: dict[str, Any] = {}
    for name in counts[0]:
        values = [one[name] for one in counts]
        made[name] = min(values) if name in _FEWEST else math.ceil(sum(values) / len(values))
    names = dict.fromkeys(note for one in notes for note in one)
    return Counts(**made, notes={name: max(one.get(name, 0) for one in notes) for name in names})


def _means(
    records: Sequence[EvaluationRecord], value: MetricValue, interval: SeedInterval | None
) -> MetricValue:
    values = list(_values(records, value))
    if any(one is None or not math.isfinite(one) for one in values):
        # A mean of some seeds is another number.
        return replace(value, value=None, interval=None, undefined="one of its seeds has no value")
    defined = [one for one in values if one is not None]
    spread = None if interval is None else interval(defined)
    if spread is not None:
        spread = spread.within(value.range)
    return replace(value, value=math.fsum(defined) / len(defined), interval=spread)


def _values(records: Sequence[EvaluationRecord], value: MetricValue) -> Iterator[float | None]:
    for record in records:
        yield next(
            (
                metric.value
                for metric in record.metrics
                if (metric.id, metric.options, metric.scale)
                == (value.id, value.options, value.scale)
            ),
            None,
        )


def seed_notes(placements: Sequence[Placed]) -> tuple[str, ...]:
    """Return what must be said of means over seeds."""
    seeds = {one.seeds for one in placements if one.seeds > 1}
    if not seeds:
        return ()
    return (f"Means over {span(seeds)} evaluations that differ in their seed.",)


def span(numbers: Collection[int]) -> str:
    """Return the least and the greatest number, such as ``2 to 5``."""
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
