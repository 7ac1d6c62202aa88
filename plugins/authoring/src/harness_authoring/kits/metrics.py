"""The kit of metrics: sums add up, order does not matter, NaN stays where it is, intervals hold."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
from harness.errors import PluginError, UserError
from harness.evaluation.collectors import (
    KINDS,
    RankCollector,
    SumCollector,
    guarded_metric,
)
from harness.evaluation.collectors.frame import Frame
from harness.metrics import ScoredSample
from harness.metrics.contract import range_of
from harness.specs.spec import MetricSpec
from harness.stats.types import Floats

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.kits.tasks import answered, task_using
from harness_authoring.subjects import Subject

LABELS = ("yes", "no", "unsure")
_CLOSE = 1e-9
_SLACK = 1e-6  # of a value against its range
_DRAWS = 5


def _samples(subject: Subject) -> list[ScoredSample]:
    """Return samples of a task that uses the metric, answered by chance; else made ones."""
    if "samples" not in subject.cache:
        task = task_using(subject)
        subject.cache["spec"] = None
        if task is None:
            subject.cache["samples"], subject.cache["labels"] = made_samples(), LABELS
        else:
            uses = [one for one in task.spec.metrics if one.id == subject.id]
            subject.cache["spec"] = uses[0] if uses else None
            subject.cache["labels"] = task.spec.labels
            subject.cache["samples"] = answered(task)
    samples: list[ScoredSample] = subject.cache["samples"]
    taken = (
        [one for one in samples if one.target is not None] if _needs_target(subject) else samples
    )
    if not taken:
        raise NotApplicableError("the task's samples have no targets")
    return taken


def _needs_target(subject: Subject) -> bool:
    return bool(subject.descriptor.needs_target)


def made_samples(count: int = 40) -> list[ScoredSample]:
    """Return answers to a choice: two samples a cluster, two groups, some answers unread."""
    chance = Random(0)
    samples = []
    for number in range(count):
        scores = tuple(math.log(chance.uniform(0.05, 1.0)) for _ in LABELS)
        answer = LABELS[scores.index(max(scores))] if number % 9 else None
        samples.append(
            ScoredSample(
                id=f"{number:03d}",
                cluster=f"subject {number // 2}",
                target=LABELS[number % 3],
                answer=answer,
                scores=scores,
                labels=LABELS,
                size=(48, 36),
                groups={"gender": ("female", "male")[number % 2], "race": "abc"[number % 3]},
                fields={"concept": ("doctor", "nurse")[number // 2 % 2]},
                source=f"{number:03d}",
                score_kind="logprob",
            )
        )
    return samples


def make_metric(subject: Subject) -> Any:
    """Return a new metric, with the options of its task below those that are given."""
    _samples(subject)
    spec = subject.cache["spec"]
    options = {} if spec is None else {**spec.options, **_given(subject)}
    with _suiting(subject):
        metric = subject.make(tuple(subject.cache["labels"]), **options)
    return guarded_metric(metric, subject.contract)


def _given(subject: Subject) -> dict[str, Any]:
    defaults = {option.name: option.default for option in subject.descriptor.options}
    return {name: value for name, value in subject.options.items() if value != defaults[name]}


def _collected(subject: Subject, samples: Sequence[ScoredSample]) -> tuple[Any, Frame]:
    metric = make_metric(subject)
    kind = next(kind for kind in KINDS if isinstance(metric, kind.protocol))
    spec = MetricSpec(subject.id, subject.id, subject.descriptor.direction, main=True)
    collector = kind(spec, metric, {}, needs_target=_needs_target(subject))
    frame = Frame()
    for sample in samples:
        frame.add(sample)
        collector.add(sample)
    return collector, frame


def _value(subject: Subject, samples: Sequence[ScoredSample]) -> float:
    with _suiting(subject):
        collector, frame = _collected(subject, samples)
        return float(collector.point(frame))


@contextmanager
def _suiting(subject: Subject) -> Iterator[None]:
    """Skip what made samples say nothing of: a metric may need what only a task's samples have."""
    try:
        yield
    except PluginError:
        raise
    except UserError as error:
        if subject.cache.get("spec") is not None:
            raise
        raise NotApplicableError(
            f"generated samples do not suit it; name a task with --task: {error.message}"
        ) from None


def order(subject: Subject) -> None:
    """Have the same value in any order of samples."""
    samples = _samples(subject)
    value = _value(subject, samples)
    for seed in range(3):
        shuffled = Random(seed).sample(samples, len(samples))
        if not _equal(_value(subject, shuffled), value):
            raise ContractError(
                f"{value:.12g}, and {_value(subject, shuffled):.12g} in another order of samples"
            )


def pure(subject: Subject) -> None:
    """Say the same of a sample again; numbers are finite and stand within the vector."""
    samples, metric = _samples(subject), make_metric(subject)
    if not isinstance(metric, SumCollector.protocol):
        raise NotApplicableError("it is not a metric of sums")
    with _suiting(subject):
        before = [dict(metric.statistics(sample)) for sample in samples]
    size = metric.size
    if before != [dict(metric.statistics(sample)) for sample in samples]:
        raise ContractError("a second call on the same samples gives other statistics")
    for statistics in before:
        for position, number in statistics.items():
            if not 0 <= position < size or not math.isfinite(number):
                raise ContractError(f"statistics {{{position}: {number}}} of a vector of {size}")


def additivity(subject: Subject) -> None:
    """Have the value of a draw that brute force has: each sample as often as it was drawn."""
    samples, metric = _samples(subject), make_metric(subject)
    chance = np.random.default_rng(0)
    weights = _by_cluster(samples, chance)
    if not isinstance(metric, SumCollector.protocol):
        weights = np.minimum(weights, 1)  # copies of a set would be taken for one larger set
    weights[0] = 1
    with _suiting(subject):
        drawn = _weighted(metric, samples, weights)
    for row, value in zip(weights, drawn, strict=True):
        repeated = _repeated(samples, row)
        brute = _value(subject, repeated) if repeated else math.nan
        if not _equal(float(value), brute):
            raise ContractError(
                f"{float(value):.12g} from sums or weights, {brute:.12g} from the samples "
                "themselves"
            )


def _by_cluster(samples: Sequence[ScoredSample], chance: np.random.Generator) -> Floats:
    """Return how often each sample is drawn in a few draws; a cluster is drawn as a whole."""
    clusters = {name: place for place, name in enumerate({one.cluster: 0 for one in samples})}
    drawn = chance.integers(0, 3, (_DRAWS, len(clusters))).astype(np.float64)
    return drawn[:, [clusters[one.cluster] for one in samples]]


def _weighted(metric: Any, samples: Sequence[ScoredSample], weights: Floats) -> Floats:
    """Return the value under each row of weights, as a bootstrap has it."""
    if isinstance(metric, SumCollector.protocol):
        rows = [metric.statistics(sample) for sample in samples]
        matrix = np.zeros((len(samples), metric.size))
        for row, statistics in enumerate(rows):
            for position, number in statistics.items():
                matrix[row, position] = number
        totals = weights @ matrix
        before = totals.copy()
        values = np.array(metric.finalize(totals))
        if not np.array_equal(totals, before):
            raise ContractError("finalize changes the totals that it is given")
        return values
    if isinstance(metric, RankCollector.protocol):
        return np.asarray(metric.value(metric.prepare(list(samples)), weights))
    raise NotApplicableError("a metric of groups depends on all of the data")


def _repeated(samples: Sequence[ScoredSample], counts: Floats) -> list[ScoredSample]:
    return [
        replace(sample, id=f"{sample.id} {copy}", cluster=f"{sample.cluster} {copy}")
        if copy
        else sample
        for sample, count in zip(samples, counts, strict=True)
        for copy in range(int(count))
    ]


def rows(subject: Subject) -> None:
    """Work on many draws at once: each row as alone; NaN in one is NaN in no other."""
    samples, metric = _samples(subject), make_metric(subject)
    chance = np.random.default_rng(1)
    weights = _by_cluster(samples, chance)
    weights[2] = 0
    with warnings.catch_warnings(), _suiting(subject):
        warnings.simplefilter("ignore")
        together = _weighted(metric, samples, weights)
        alone = [float(_weighted(metric, samples, row[None])[0]) for row in weights]
    if together.shape != (_DRAWS,):
        raise ContractError(f"{_DRAWS} draws give an array of shape {together.shape}")
    for joint, other in zip(together, alone, strict=True):
        if not _equal(float(joint), other):
            raise ContractError(f"{float(joint):.12g} among other draws, {other:.12g} alone")
    if not math.isnan(alone[2]):
        raise ContractError(
            f"without a sample the value is {alone[2]:.6g}; where it is undefined, give NaN"
        )


def unread(subject: Subject) -> None:
    """Take answers that could not be read, and none at all."""
    samples = [replace(one, answer=None) for one in _samples(subject)]
    for each in (samples, samples[:1], [replace(one, scores=None) for one in samples]):
        try:
            value = _value(subject, each)
        except PluginError:
            raise
        except UserError:  # it may say that it needs scores
            continue
        if math.isinf(value):
            raise ContractError("answers that could not be read give an infinite value")


def in_range(subject: Subject) -> None:
    """Lie within the range that it declares."""
    metric = make_metric(subject)
    low, high = range_of(metric)
    if low is None and high is None:
        raise NotApplicableError("it declares no range")
    samples = _samples(subject)
    for count in (len(samples), 7, 2, 1):
        value = _value(subject, samples[:count])
        if (low is not None and value < low - _SLACK) or (
            high is not None and value > high + _SLACK
        ):
            raise ContractError(f"{value:.6g} is outside the range from {low} to {high}")


def interval(subject: Subject) -> None:
    """Get an interval that holds the value, within the range, the same for the same seed."""
    samples = _samples(subject)
    with _suiting(subject):
        collector, frame = _collected(subject, samples)
    first = collector.overall(frame, 7)
    if first.value is None or first.interval is None:
        raise NotApplicableError("it has no value on these samples, or no interval")
    shuffled = Random(5).sample(samples, len(samples))
    again, other = _collected(subject, shuffled)
    second = again.overall(other, 7)
    low, high = first.interval.low, first.interval.high
    if not low <= first.value <= high and not math.isclose(low, high):
        raise ContractError(f"the interval from {low:.6g} to {high:.6g} misses {first.value:.6g}")
    if second.interval is None or not (
        _equal(second.interval.low, low) and _equal(second.interval.high, high)
    ):
        raise ContractError("in another order of samples the same seed gives another interval")


def _equal(first: float, second: float) -> bool:
    both_undefined = math.isnan(first) and math.isnan(second)
    return both_undefined or math.isclose(first, second, rel_tol=_CLOSE, abs_tol=_CLOSE)


CHECKS = (
    Check("order", "the order of samples changes nothing", order),
    Check("pure", "a sample's statistics are finite and always the same", pure),
    Check("additivity", "a draw's value is that of the samples drawn", additivity),
    Check("rows", "many draws at once as each alone; undefined is NaN", rows),
    Check("unread", "answers that could not be read raise nothing", unread),
    Check("range", "values lie within the declared range", in_range),
    Check("interval", "an interval holds the value, whatever the order", interval),
)
