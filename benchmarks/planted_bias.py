"""Which skew finds the bias that was planted: simulated models whose bias and yes rate are known.

A model's log odds of yes for a person are an intercept, which decides its yes rate, plus its bias
times how much the concept leans to the person's group, plus what is the person's own. So bias and
yes rate have nothing to do with each other, and a metric of bias should rank models by bias at any
yes rate, and whatever their yes rates are.

``--coverage`` counts, for a smaller world, how often intervals hold the value of the whole
population; ``--covered`` and ``--groups`` take a part of it. ``--null`` counts how often the
permutation test calls a model without bias biased.

Example: python benchmarks/planted_bias.py --models 30 --coverage 400 --null 2000
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import spearmanr

from harness.evaluation.collectors import GroupCollector, make_metric
from harness.evaluation.collectors.frame import Frame
from harness.metrics import ScoredSample
from harness.runs.record import Detail, MetricValue
from harness.specs import MetricSpec
from harness.stats.types import Floats

GROUPS, CONCEPTS, PEOPLE = 7, 12, 2000
LABELS = ("yes", "no")
RATES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
MOST_BIAS = 1.5  # log odds between a group that a concept leans to and the mean group
METRICS = ("max_skew", "matched_max_skew", "skew_area", "auc_gap")
NAMES = {
    "max_skew": "MaxSkew@C",
    "matched_max_skew": "MaxSkew at an equal share",
    "skew_area": "skew area",
    "auc_gap": "AUC gap",
}
COVERED = ("matched_max_skew", "auc_gap")
SELDOM = 5
EQUAL, RARE = GROUPINGS = "equal groups", "a rare group"


def answers(  # noqa: PLR0913  what a model and a world are made of
    bias: float,
    rate: float,
    people: int,
    concepts: int,
    random: np.random.Generator,
    *,
    rare: bool = True,
) -> Iterator[ScoredSample]:
    """Yield one model's answers about each person and concept.

    Args:
        bias: How strongly a concept's leaning to a group moves the log odds.
        rate: Share of the answers that are yes.
        people: Number of people, one image each.
        concepts: Number of concepts.
        random: Generator that draws the people; leanings are those of the world.
        rare: Whether groups are of unequal size, the rarest one person in 28.
    """
    leaning = np.random.default_rng(0).normal(size=(CONCEPTS, GROUPS))[:concepts]
    leaning -= leaning.mean(axis=1, keepdims=True)
    shares = np.arange(1, GROUPS + 1, dtype=float) if rare else np.ones(GROUPS)
    group = random.choice(GROUPS, p=shares / shares.sum(), size=people)
    odds = bias * leaning[:, group] + random.normal(size=(concepts, people))
    odds -= np.quantile(odds, 1 - rate)
    for person in range(people):
        groups = {"group": f"group {group[person]}"}
        for concept in range(concepts):
            yes = float(odds[concept, person])
            yield ScoredSample(
                id=f"{person}-{concept}",
                cluster=str(person),
                target=None,
                answer="yes" if yes > 0 else "no",
                scores=(float(np.log(expit(yes))), float(np.log(expit(-yes)))),
                labels=LABELS,
                groups=groups,
                fields={"concept": f"concept {concept:02}"},
                source=str(person),
                score_kind="logprob",
            )


def values(samples: list[ScoredSample]) -> dict[str, float]:
    """Return each metric's value, without an interval."""
    by_name = {}
    for name in METRICS:
        collector = _collector(name)
        frame = Frame()
        for sample in samples:
            frame.add(sample)
            collector.add(sample)
        by_name[name] = collector.point(frame)
    return by_name


def measured(name: str, samples: list[ScoredSample]) -> tuple[MetricValue, list[Detail]]:
    """Return a metric's value with its band and permutation test, and its tables."""
    collector, frame = _collector(name), Frame()
    for sample in samples:
        frame.add(sample)
        collector.add(sample)
    return collector.overall(frame, seed=0), collector.tables(frame, seed=0)


def _collector(name: str) -> GroupCollector:
    spec = MetricSpec(name, NAMES[name], "zero", 1.0, main=True)
    return GroupCollector(spec, make_metric(name, {}, LABELS), {}, needs_target=False)


def rank_correlations(models: int) -> dict[str, dict[str, float]]:
    """Return Spearman's correlation of each metric with the bias, at each yes rate and over all."""
    random = np.random.default_rng(1)
    by_rate: dict[str, list[tuple[float, float, dict[str, float]]]] = {}
    for rate in RATES:
        rows = by_rate.setdefault(f"{rate:.0%}", [])
        for _ in range(models):
            bias = float(random.uniform(0, MOST_BIAS))
            samples = list(answers(bias, rate, PEOPLE, CONCEPTS, random))
            rows.append((bias, rate, values(samples)))
        print(f"yes rate {rate:.0%}: {models} models", flush=True)
    by_rate["all rates"] = [row for rows in by_rate.values() for row in rows]
    table = {
        label: {
            name: float(spearmanr([row[0] for row in rows], [row[2][name] for row in rows])[0])
            for name in METRICS
        }
        for label, rows in by_rate.items()
    }
    every = by_rate["all rates"]
    table["with the yes rate itself"] = {
        name: float(spearmanr([row[1] for row in every], [row[2][name] for row in every])[0])
        for name in METRICS
    }
    return table


def coverage(
    trials: int,
    names: Sequence[str] = COVERED,
    groups: Sequence[str] = GROUPINGS,
    people: int = 400,
    concepts: int = 3,
) -> dict[str, dict[str, float]]:
    """Return how often intervals hold the population's value.

    Without a bias that of an AUC gap is 0, which is not measured but known. A value is seldom
    assigned where some concept is, to fewer than :data:`SELDOM` of its people.
    """
    shares: dict[str, dict[str, float]] = {}
    for name, grouping in product(names, groups):
        row = shares.setdefault(f"{NAMES[name]}, {grouping}", {})
        for bias in (0.0, 0.5, 1.5):
            model = partial(answers, bias, 0.3, concepts=concepts, rare=grouping == RARE)
            large = list(model(people=60_000, random=np.random.default_rng(9)))
            truth, tables = measured_points(name, large)
            if not bias and name == "auc_gap":
                truth, tables = 0.0, dict.fromkeys(tables, 0.0)
            hits, single = 0, {"": [0, 0], ", seldom assigned": [0, 0]}
            for trial in range(trials):
                samples = list(model(people=people, random=np.random.default_rng(trial + 10)))
                value, details = measured(name, samples)
                assert value.interval is not None
                hits += value.interval.low <= truth <= value.interval.high
                by_value = next(one for one in details if one.name.endswith(" by attribute"))
                cells = next(one for one in details if one.name.endswith(" and attribute"))
                for line in by_value.rows:
                    if line.low is None or line.high is None:
                        continue
                    counts = [
                        cell.counts.get("k")
                        for cell in cells.rows
                        if cell.key["group"] == line.key["group"]
                    ]
                    seldom = any(count is not None and count < SELDOM for count in counts)
                    counted = single[", seldom assigned" if seldom else ""]
                    counted[0] += line.low <= tables[line.key["group"]] <= line.high
                    counted[1] += 1
            row[f"band of the extreme, bias {bias:g}"] = hits / trials
            for kind, (held, number) in single.items():
                if number:
                    row[f"interval of one value{kind}, bias {bias:g}"] = held / number
                    row[f"intervals of one value{kind}, bias {bias:g}"] = number
            print(name, bias, row, flush=True)
    return shares


def false_positives(trials: int, people: int = 400, concepts: int = 3) -> dict[str, float]:
    """Return how often p is 0.05 or less for a model without bias."""
    shares: dict[str, float] = {}
    for grouping, name in product(GROUPINGS, COVERED):
        positive = 0
        for trial in range(trials):
            random = np.random.default_rng(trial + 10)
            samples = answers(0.0, 0.3, people, concepts, random, rare=grouping == RARE)
            collector, frame = _collector(name), Frame()
            for sample in samples:
                frame.add(sample)
                collector.add(sample)
            tested = collector.overall(frame, seed=0).chance
            assert tested is not None
            positive += tested.p <= 0.05
        shares[f"{NAMES[name]}, {grouping}"] = positive / trials
        print("p at most 0.05 without bias:", shares, flush=True)
    return shares


def measured_points(name: str, samples: list[ScoredSample]) -> tuple[float, dict[str, float]]:
    """Return a metric's value and that of each group, without intervals."""
    collector, frame = _collector(name), Frame()
    for sample in samples:
        frame.add(sample)
        collector.add(sample)
    settled, totals = collector.comparison(frame)
    components = settled.components(totals)
    rows = settled.tables(components)[0]
    by_group: Floats = rows.values
    groups = {key["group"]: float(at) for key, at in zip(rows.keys, by_group, strict=True)}
    return float(settled.combine(components)), groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", type=int, default=30, help="models at each yes rate")
    parser.add_argument("--coverage", type=int, default=0, help="trials; 0 leaves coverage out")
    parser.add_argument("--covered", choices=COVERED, nargs="+", default=COVERED)
    parser.add_argument("--groups", choices=GROUPINGS, nargs="+", default=GROUPINGS)
    parser.add_argument("--null", type=int, default=0, help="trials; 0 leaves false positives out")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, Any]] = {}
    if arguments.models:
        figures["rank correlation"] = rank_correlations(arguments.models)
        print("| yes rate | " + " | ".join(NAMES.values()) + " |")
        print("| :-- |" + " --: |" * len(METRICS))
        for label, row in figures["rank correlation"].items():
            print(f"| {label} | " + " | ".join(f"{row[name]:.3f}" for name in METRICS) + " |")
    if arguments.coverage:
        figures["coverage"] = coverage(arguments.coverage, arguments.covered, arguments.groups)
    if arguments.null:
        figures["false positives"] = false_positives(arguments.null)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
