"""Crossed bootstrap over prompts and clusters: 20 prompts x 50,000 samples x 1,000 draws.

Answers are drawn: each sample has a difficulty, each prompt a shift. One metric of sums (accuracy)
and one of groups (the highest skew over 18 concepts and four values) are read. CPU seconds,
which other work on the machine does not change, of gathering sample by sample and of the draws.

Example: python benchmarks/prompts.py --prompts 20 --samples 50000
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from harness_claims.prompts import DRAWS, crossed_of

from harness.evaluation.collectors import collector_of
from harness.evaluation.collectors.frame import Frame
from harness.metrics import ScoredSample
from harness.specs import ChooseSpec, DataSpec, MetricSpec, PromptSpec, TaskSpec
from harness.stats.collect import Clusters

WANTED_SECONDS = 30
PER_CLUSTER = 5
RACES, GENDERS = ("a", "b"), ("female", "male")


def task(metric: str, **options: str) -> TaskSpec:
    """Return a task of questions that are answered with yes or no."""
    main = MetricSpec(
        id=metric, column=metric, direction="higher", scale=1.0, main=True, options=options
    )
    return TaskSpec(
        id="prompts", version=1, title="", summary="", citation="", licence="", intended_use="",
        data=DataSpec("", "", "", None, {}, ""), prompt=PromptSpec(""),
        ask=ChooseSpec(("yes", "no")), answer="", metrics=(main,), unit="image",
    )  # fmt: skip


def measured(spec: TaskSpec, prompts: int, samples: int) -> dict[str, float]:
    """Return CPU seconds of gathering and of the draws, with the mean and its interval."""
    random = np.random.default_rng(0)
    ease = random.normal(size=samples)
    answers = [
        (ease + shift + random.normal(size=samples) > 0).tolist()
        for shift in random.normal(size=prompts) / 4
    ]
    collectors = [collector_of(spec.main_metric, spec, {}) for _ in range(prompts)]
    frame, spent = Frame(units=Clusters()), 0.0
    for index in range(samples):
        of_sample = [
            ScoredSample(
                f"{index}", f"image {index // PER_CLUSTER}", "yes",
                "yes" if prompt_answers[index] else "no",
                labels=("yes", "no"), source=f"{index}", fields={"concept": f"c{index % 18}"},
                groups={"race": RACES[index % 2], "gender": GENDERS[index // 2 % 2]},
            )
            for prompt_answers in answers
        ]  # fmt: skip
        start = time.process_time()
        frame.add(of_sample[0])
        for collector, sample in zip(collectors, of_sample, strict=True):
            collector.add(sample)
        spent += time.process_time() - start
    start = time.process_time()
    _, mean, _ = crossed_of(collectors, frame)
    drawing = time.process_time() - start
    return {
        "gathering_cpu_s": round(spent, 2), "drawing_cpu_s": round(drawing, 2),
        "within": spent + drawing <= WANTED_SECONDS, "mean": mean.mean, "low": mean.low,
        "high": mean.high, "share": mean.share,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--samples", type=int, default=50_000)
    arguments = parser.parse_args()
    tasks = {"accuracy": task("accuracy"), "max_skew": task("max_skew", attributes="race,gender")}
    figures = {
        name: measured(spec, arguments.prompts, arguments.samples) for name, spec in tasks.items()
    }
    print(json.dumps({"draws": DRAWS, **vars(arguments), **figures}, indent=2))


if __name__ == "__main__":
    main()
