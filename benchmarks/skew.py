"""Skew over 170,832 images x 18 concepts: 1,000 draws, bands, permutations and tables.

The decisions are drawn: 13,824 counterfactual sets of 10 to 30 images in 344 strata, as in
SocialCounterfactuals, every image asked about every concept. Gathering is one sample at a time,
as a run does it; counting is everything that comes after the last one. ``cpu_s`` is both in
CPU seconds, which other work on the machine does not change.

``--ranked`` takes the metrics of rankings instead: matched skew, its area and the AUC gap.

Example: python benchmarks/skew.py --sets 13824 --ranked
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from itertools import islice, product
from pathlib import Path

import numpy as np

from harness.descriptors import Json
from harness.evaluation.collectors import Shared, collector_of
from harness.evaluation.collectors.frame import Frame
from harness.metrics import ScoredSample
from harness.specs import (
    ChooseSpec,
    DataSpec,
    MetricSpec,
    PromptSpec,
    TaskSpec,
)
from harness.stats.collect import Clusters

WANTED_SECONDS, WANTED_RANKED_SECONDS, WANTED_BYTES = 20, 30, 2e9
BATCH = 500  # samples that a run reads at a time
AT_ONCE = 20  # batches between two readings of the clock
RACES = ("White", "Black", "Indian", "Asian", "Middle Eastern", "Latino")
GENDERS = ("male", "female")
BODIES = ("skinny", "young", "obese", "tattooed", "old")
# Attribute pairs and their share of the sets in the release.
KINDS = (
    (("race", RACES), ("gender", GENDERS), 7936 / 13824),
    (("physical", BODIES), ("gender", GENDERS), 5052 / 13824),
    (("physical", BODIES), ("race", RACES), 836 / 13824),
)
CONCEPTS = tuple(f"concept {place}" for place in range(18))
ATTRIBUTES: dict[str, Json] = {"attributes": "race,gender,physical"}
EXTREMES = dict.fromkeys(("min_skew", "max_skew"), ATTRIBUTES | {"min_assigned": 30})
RANKED = dict.fromkeys(("matched_min_skew", "matched_max_skew", "skew_area", "auc_gap"), ATTRIBUTES)


def peak() -> int:
    """Return the peak of resident memory of this process, in KiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def decisions(sets: int) -> Iterator[ScoredSample]:
    """Yield every image once for every concept, with a biased answer."""
    random = np.random.default_rng(0)
    kinds = random.choice(len(KINDS), size=sets, p=[kind[2] for kind in KINDS])
    for position, kind in enumerate(kinds):
        (first, values), (second, others), _ = KINDS[kind]
        stratum = f"{first} {second} {position % 115}"
        for number, (value, other) in enumerate(product(values, others)):
            groups = {first: value, second: other}
            name = f"set {position}/{number}"
            chance = 0.3 + 0.1 * (other == others[0])
            odds = np.log(chance / (1 - chance)) + random.logistic(size=18)
            for concept, yes in zip(CONCEPTS, odds.tolist(), strict=True):
                yield ScoredSample(
                    f"{name}#{concept}",
                    f"set {position}",
                    None,
                    "yes" if yes > 0 else "no",
                    scores=(yes, 0.0),
                    labels=("yes", "no"),
                    score_kind="logprob",
                    groups=groups,
                    fields={"concept": concept},
                    stratum=stratum,
                    source=name,
                )


def task(metric_options: Mapping[str, Mapping[str, Json]]) -> TaskSpec:
    """Return a task of these metrics."""
    metrics = tuple(
        MetricSpec(
            id=name, column=name, direction="zero", scale=1.0, main=not position, options=options
        )
        for position, (name, options) in enumerate(metric_options.items())
    )
    return TaskSpec(
        id="skew", version=1, title="", summary="", citation="", licence="", intended_use="",
        data=DataSpec("", "", "", None, {}, ""), prompt=PromptSpec(""),
        ask=ChooseSpec(("yes", "no")), answer="", metrics=metrics, unit="set",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sets", type=int, default=13_824)
    parser.add_argument("--ranked", action="store_true", help="metrics of rankings")
    arguments = parser.parse_args()
    spec, shared = task(RANKED if arguments.ranked else EXTREMES), Shared()
    collectors = [collector_of(metric, spec, shared) for metric in spec.metrics]
    frame = Frame(units=Clusters())
    before = peak()
    number, gathering, cpu = 0, 0.0, 0.0
    samples = decisions(arguments.sets)
    batches: list[list[ScoredSample]] = []
    while batches or number == 0:
        # Drawing the decisions is no part of what is measured, nor is reading the clock, which may
        # take as long as a batch: it is read once for several.
        batches = list(filter(None, (list(islice(samples, BATCH)) for _ in range(AT_ONCE))))
        start, ticked = time.perf_counter(), time.process_time()
        for batch in batches:
            frame.add(*batch)
            for collector in collectors:
                collector.add(*batch)
        gathering += time.perf_counter() - start
        cpu += time.process_time() - ticked
        number += sum(map(len, batches))
    gathering_cpu = cpu
    start, ticked = time.perf_counter(), time.process_time()
    values = [collector.overall(frame, 0) for collector in collectors]
    tables = [table for collector in collectors for table in collector.tables(frame, 0)]
    counting = time.perf_counter() - start
    cpu += time.process_time() - ticked
    total, used = gathering + counting, 1024 * (peak() - before)
    figures = {
        "decisions": number,
        "cpu_s": round(cpu, 2),
        "gathering_cpu_s": round(gathering_cpu, 2),
        "gathering_s": round(gathering, 2),
        "counting_s": round(counting, 2),
        "total_s": round(total, 2),
        "bytes": used,
        "within": cpu <= (WANTED_RANKED_SECONDS if arguments.ranked else WANTED_SECONDS)
        and used <= WANTED_BYTES,
        "values": {value.id: value.value for value in values},
        "rows": sum(len(table.rows) for table in tables),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
