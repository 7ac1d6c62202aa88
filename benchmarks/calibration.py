"""How often the interval of the calibration error holds the truth.

Answers are drawn whose accuracy is below their confidence by a known amount, so that the truth is
known; the value is read with and without what debiases it, and as the root of the mean squared
distance. A trial takes half a second of CPU time at 600 samples; the line of an error is printed
when it is done.

Example: python benchmarks/calibration.py --trials 40 --samples 600
"""

from __future__ import annotations

import argparse
import json
from functools import partial

import numpy as np
from harness_claims.metrics.selective import CalibrationError, Ranked

from harness.descriptors import Json
from harness.stats.bootstrap import ranks_interval
from harness.stats.types import Floats

LABELS = ("a", "b")
KINDS: dict[str, dict[str, Json]] = {
    "as it is": {"debiased": False, "norm": 1},
    "debiased (the default)": {"debiased": True, "norm": 1},
    "norm 2": {"debiased": True, "norm": 2},
}


def ranked(confidence: Floats, right: Floats) -> Ranked:
    """Return samples by confidence, all of which differ."""
    order = np.argsort(-confidence)
    return Ranked(order, right[order], np.arange(len(order)), confidence[order])


def covered(error: float, trials: int, samples: int) -> dict[str, dict[str, float]]:
    """Return the mean value and the share of intervals that hold the truth, by kind."""
    random = np.random.default_rng(int(1000 * error))
    metrics = {
        name: CalibrationError({"bins": 15, **options}, LABELS) for name, options in KINDS.items()
    }
    values: dict[str, list[float]] = {name: [] for name in KINDS}
    hits = dict.fromkeys(KINDS, 0)
    for trial in range(trials):
        confidence = random.uniform(0.5, 0.95, samples)
        right = (random.random(samples) < confidence - error).astype(np.float64)
        prepared = ranked(confidence, right)
        for name, metric in metrics.items():
            value, interval = ranks_interval(
                partial(metric.value, prepared),
                np.arange(samples),
                possible=(0.0, 1.0),
                draws=1000,
                seed=trial,
            )
            values[name].append(value)
            hits[name] += interval is not None and interval.low <= error <= interval.high
    return {
        name: {"mean": round(float(np.mean(values[name])), 4), "holds": hits[name] / trials}
        for name in KINDS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--errors", default="0,0.03,0.06,0.1", help="true errors, with commas")
    arguments = parser.parse_args()
    for error in map(float, arguments.errors.split(",")):
        by_kind = covered(error, arguments.trials, arguments.samples)
        print(
            json.dumps(
                {
                    "error": error,
                    "trials": arguments.trials,
                    "samples": arguments.samples,
                    "kinds": by_kind,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
