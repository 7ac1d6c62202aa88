"""How often the interval of the human row holds the value of all images: wanted are 93 to 97 %.

Simulated annotators answer two questions about each image with yes or no; how many say yes varies
over images, so that the images are clusters. Each annotator is scored against the others, as
``harness run --model human`` does it. The truth is the same number of 20,000 images.

Example: python benchmarks/human.py --trials 1000
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from harness_claims.human import LeftOut, left_out

from harness.descriptors import Json
from harness.metrics import ScoredSample
from harness.specs import ChooseSpec, DataSpec, MetricSpec, PromptSpec, TaskSpec

QUESTIONS = 2


def task() -> TaskSpec:
    """Return a task whose right answers are those of several people."""
    metric = MetricSpec("vqa_accuracy", "Acc", "higher", 100.0, main=True, options={})
    return TaskSpec(
        id="human", version=1, title="", summary="", citation="", licence="", intended_use="",
        data=DataSpec("", "", "", None, {}, ""), prompt=PromptSpec(""),
        ask=ChooseSpec(("yes", "no")), answer="", metrics=(metric,), unit="image",
    )  # fmt: skip


def simulated(random: np.random.Generator, images: int, annotators: int) -> LeftOut:
    """Return annotators, each of whom is scored against the others."""
    samples = []
    for image in range(images):
        share = random.beta(2, 1)
        for question in range(QUESTIONS):
            answers = ["yes" if yes else "no" for yes in random.random(annotators) < share]
            target: list[Json] = list(answers)
            samples.append(ScoredSample(f"{image}-{question}", str(image), target, "yes"))
    return left_out(task(), samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--images", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    coverage = {}
    for annotators in (3, 5, 10):
        truth = simulated(np.random.default_rng(0), 20_000, annotators).value(0).value
        assert truth is not None
        hits = 0
        for trial in range(arguments.trials):
            random = np.random.default_rng([arguments.seed, trial])
            interval = simulated(random, arguments.images, annotators).value(trial).interval
            assert interval is not None
            hits += interval.low <= truth <= interval.high
        coverage[f"{annotators} annotators"] = hits / arguments.trials
    print(json.dumps({**vars(arguments), "coverage": coverage}, indent=2))


if __name__ == "__main__":
    main()
