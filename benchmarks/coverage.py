"""How often intervals hold the truth: simulated clustered data whose true values are known.

Accuracy and macro F1: people with one to eight images each, whose images share their luck.
Skew: counterfactual sets of eight images (two genders x four races) that share their luck; the
model says yes to some people more often by a factor drawn for each concept, at three strengths.
The skew of one attribute value has a pointwise interval; MinSkew and MaxSkew are extremes and
have simultaneous bands; the percentile interval of the extreme is shown beside them.

Example: python benchmarks/coverage.py --sets 2000 --draws 1000
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from harness_benchmarks.metrics.f1 import F1Macro
from harness_benchmarks.metrics.skew import MaxSkew, MinSkew
from scipy.sparse import csr_array
from scipy.special import expit

from harness.metrics import ScoredSample
from harness.metrics.accuracy import Accuracy
from harness.metrics.contract import AdditiveMetric, range_of
from harness.stats.bootstrap import resampled, sums_interval
from harness.stats.collect import sums_by
from harness.stats.interval import Interval
from harness.stats.intervals import BAND, band
from harness.stats.labelled import Labelled
from harness.stats.rows import Matrix, distinct_rows
from harness.stats.types import Codes, Floats, Label

LABELS = ("a", "b", "c", "d")
STRENGTHS = {"parity": 0.0, "mild": 0.4, "strong": 1.2}
PEOPLE, SETS, CONCEPTS = 300, 200, 3
SPREAD = 0.8
"""Standard deviation of what images of one person, or of one set, share (log odds)."""

PARTS: list[Label] = [
    (("race", race), ("gender", gender)) for race in "ABCD" for gender in ("female", "male")
]
Counts = dict[str, list[int]]


def people(random: np.random.Generator, skill: Floats, number: int) -> tuple[Codes, ...]:
    """Return each image's person, right class and answer."""
    sizes = random.integers(1, 9, number)
    who = np.repeat(np.arange(number), sizes)
    luck = np.repeat(random.normal(0, SPREAD, number), sizes)
    truth = random.choice(4, p=(0.4, 0.3, 0.2, 0.1), size=len(who))
    right = random.random(len(who)) < expit(skill[truth] + luck)
    wrong = (truth + random.choice((1, 2, 3), p=(0.6, 0.3, 0.1), size=len(who))) % 4
    return who, truth, np.where(right, truth, wrong)


def totals_of(metric: AdditiveMetric, who: Codes, truth: Codes, answer: Codes) -> Matrix:
    """Return a metric's sums per person."""
    table = {
        (t, p): metric.statistics(ScoredSample("", "", LABELS[t], LABELS[p]))
        for t in range(4)
        for p in range(4)
    }
    rows = np.zeros((16, metric.size))
    for (t, p), by_position in table.items():
        for position, value in by_position.items():
            rows[4 * t + p, position] = value
    kinds = csr_array(rows)[4 * truth + answer]
    return sums_by(who, kinds)


def labels_cover(sets: int, draws: int, strength: float) -> Counts:
    """Count how often intervals of accuracy and macro F1 hold the truth."""
    skill = 0.6 + strength * np.array([1.0, 0.3, -0.3, -1.0])
    metrics: dict[str, AdditiveMetric] = {
        "accuracy": Accuracy({}, LABELS),
        "macro F1": F1Macro({}, LABELS),
    }
    large = people(np.random.default_rng(99), skill, 400_000)
    truths = {
        name: float(metric.finalize(np.asarray(totals_of(metric, *large).sum(axis=0), float)))
        for name, metric in metrics.items()
    }
    covered: Counts = {name: [0, 0] for name in metrics}
    for trial in range(sets):
        drawn = people(np.random.default_rng(trial), skill, PEOPLE)
        for name, metric in metrics.items():
            totals = totals_of(metric, *drawn)
            interval = sums_interval(
                metric.finalize,
                totals,
                proportion=name == "accuracy",
                possible=range_of(metric),
                draws=draws,
                seed=trial,
            )[1]
            assert interval is not None
            covered[name][0] += interval.low <= truths[name] <= interval.high
            covered[name][1] += 1
    return covered


def leanings(strength: float) -> Floats:
    """Return log odds of yes, ``(concepts, people of a set)``."""
    random = np.random.default_rng(5)
    race = random.permuted(np.tile((-1.0, -0.3, 0.3, 1.0), (CONCEPTS, 1)), axis=1)
    gender = random.choice((-0.5, 0.5), CONCEPTS)
    people = race[:, :, None] + gender[:, None, None] * np.array([1.0, -1.0])
    log_odds: Floats = -0.2 + strength * people.reshape(CONCEPTS, -1)
    return log_odds


def skews(yes: Floats, lowest: MinSkew, names: list[Label]) -> tuple[Labelled, list[Label]]:
    """Return answers ``(sets, concepts, people)`` as labelled statistics, and the parts."""
    sets = len(yes)
    rows = np.zeros((sets, len(names), 2 * CONCEPTS))
    rows[:, :, 0::2] = 1.0
    rows[:, :, 1::2] = np.swapaxes(yes, 1, 2)
    number = sets * len(names)
    labelled = Labelled(
        csr_array(rows.reshape(number, -1)),
        np.tile(np.arange(len(names)), sets),
        names,
        np.repeat(np.arange(sets), len(names)),
        np.arange(number),
    )
    return labelled, lowest.parts(names)


def skew_cover(sets: int, draws: int, strength: float) -> Counts:
    """Count how often intervals of skew, and bands of the extremes, hold the truth."""
    lowest, highest = MinSkew({}, ("yes", "no")), MaxSkew({}, ("yes", "no"))
    for concept in range(CONCEPTS):
        fields = {"concept": str(concept)}
        lowest.counts.statistics(ScoredSample("", "", None, "no", fields=fields))
    odds = leanings(strength)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    chances = expit(odds[None] + SPREAD * nodes[:, None, None])
    chances = np.tensordot(weights / math.sqrt(2 * math.pi), chances, axes=1)
    # A million sets of each kind: what alpha adds is nothing there.
    labelled, parts = skews(chances[None], lowest, PARTS)
    size = 2 * CONCEPTS
    totals = 1e6 * labelled.by_cluster(parts).toarray().reshape(-1, len(parts), size)[0]
    settled = [one.settle(lowest.counts, parts, totals) for one in (lowest, highest)]
    truth = settled[0].components(totals)
    extremes = [one.combine(truth) for one in settled]
    single = int(np.nanargmax(truth))
    names = ("skew of one value", "MinSkew band", "MaxSkew band", "all components at once",
             "MinSkew percentile", "MaxSkew percentile")  # fmt: skip
    covered: Counts = {name: [0, 0] for name in names}
    for trial in range(sets):
        random = np.random.default_rng(trial)
        luck = random.normal(0, SPREAD, (SETS, CONCEPTS, 1))
        yes = (random.random((SETS, *odds.shape)) < expit(odds[None] + luck)).astype(float)
        labelled, parts = skews(yes, lowest, PARTS)
        rows = distinct_rows(labelled.by_cluster(parts))
        finalize = _components(settled[0].components, len(parts), size)
        drawn = resampled(finalize, rows, draws=draws, seed=trial)
        interval = drawn.at(single).interval()
        low, high = (np.clip(end, *settled[0].bounds()) for end in band(drawn.value, drawn.drawn))
        assert interval is not None
        hits = [interval.low <= truth[single] <= interval.high]
        bands = []
        for settled_rule, true in zip(settled, extremes, strict=True):
            ends = Interval(
                float(settled_rule.combine(low)), float(settled_rule.combine(high)), 0.95, BAND
            )
            ends = ends.within(settled_rule.range())
            bands.append(ends.low <= true <= ends.high)
        hits += bands
        hits.append(bool(((low <= truth) & (truth <= high)).all()))
        for settled_rule, true in zip(settled, extremes, strict=True):
            tails = np.quantile(settled_rule.combine(drawn.drawn), (0.025, 0.975))
            hits.append(bool(tails[0] <= true <= tails[1]))
        for name, hit in zip(names, hits, strict=True):
            covered[name][0] += bool(hit)
            covered[name][1] += 1
    return covered


def _components(
    components: Callable[[Floats], Floats], parts: int, size: int
) -> Callable[[Floats], Floats]:
    return lambda totals: components(totals.reshape(-1, parts, size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    for name, strength in STRENGTHS.items():
        shares = {
            **labels_cover(arguments.sets, arguments.draws, strength),
            **skew_cover(arguments.sets, arguments.draws, strength),
        }
        figures[name] = {what: hits / number for what, (hits, number) in shares.items()}
        for metric, share in figures[name].items():
            print(f"{name:<8}{metric:<26}{100 * share:6.1f} %", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
