"""Probes on simulated features: the regularisation path at 10,000 x 768, and a ViT-L's scale.

The first figure is probes a minute: seven classes, the whole path of strengths, one validation
split. The second is the peak of resident memory while one layer of 100,000 x 1,024 is read from
memory-mapped shards and fitted; other layers would be read after it, never beside it.

Example: OMP_NUM_THREADS=2 python benchmarks/probe.py
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.analysis.features import Column, Features, FeatureStore
from harness.analysis.linear import fit_labels
from harness.descriptors import Json
from harness.metrics.contract import Floats

WANTED_A_MINUTE, WANTED_BYTES = 3, 4e9
LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
MIDDLES, SPECTRUM = 0.06, 0.7
SHARES = (("train", 0.7), ("val", 0.1), ("test", 0.2))


def peak() -> int:
    """Return the peak of resident memory of this process, in KiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def simulated(samples: int, width: int) -> tuple[Features, list[str]]:
    """Return features in which seven classes overlap, and the classes.

    Directions differ in strength and lie across the columns, as those of real towers do: features
    that are independent take the solver a fifth of the steps.
    """
    random = np.random.default_rng(0)
    classes = random.integers(0, len(LABELS), samples)
    middles = (random.normal(size=(len(LABELS), width)) * MIDDLES).astype(np.float32)
    found = random.standard_normal((samples, width), dtype=np.float32)
    found += middles[classes]
    found *= (np.arange(1, width + 1) ** -SPECTRUM).astype(np.float32)
    turned = np.linalg.qr(random.normal(size=(width, width)))[0].astype(np.float32)
    return found @ turned, [LABELS[one] for one in classes]


def probe(features: dict[str, Features], labels: dict[str, list[str]]) -> float:
    """Fit one probe and return its accuracy on test."""

    def judge(answers: Sequence[Json], _: Floats | None) -> float:
        return float(np.mean([a == b for a, b in zip(answers, labels["val"], strict=True)]))

    found = fit_labels(features, labels["train"], LABELS, judge)
    return float(np.mean([a == b for a, b in zip(found.answers, labels["test"], strict=True)]))


def parts(samples: int) -> dict[str, slice]:
    """Return where each split lies."""
    found, start = {}, 0
    for name, share in SHARES:
        found[name] = slice(start, start + round(share * samples))
        start = found[name].stop
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--probes", type=int, default=2)
    parser.add_argument("--large", type=int, default=0, metavar="IMAGES", help="100000, say.")
    given = parser.parse_args()
    features, labels = simulated(given.samples, given.width)
    cut = parts(given.samples)
    started, spent = time.monotonic(), time.process_time()
    for _ in range(given.probes):
        accuracy = probe(
            {name: features[where] for name, where in cut.items()},
            {name: labels[where] for name, where in cut.items()},
        )
    seconds = (time.monotonic() - started) / given.probes
    figures: dict[str, Json] = {
        "samples": given.samples,
        "width": given.width,
        "accuracy": accuracy,
        "probes_a_minute": 60 / seconds,
        "cpu_s": (time.process_time() - spent) / given.probes,
        "wanted_a_minute": WANTED_A_MINUTE,
    }
    if given.large:
        del features
        figures["large_images"] = given.large
        figures["large_peak_bytes"] = large(given.large)
        figures["wanted_bytes"] = WANTED_BYTES
    print(json.dumps(figures, indent=2))


def large(images: int) -> int:
    """Probe one layer of a ViT-L out of shards; return the peak of memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder), {"encoder": "simulated"})
        column = Column(23, "mean")
        held, labels = simulated(images, 1024)
        for place, vector in enumerate(held):
            store.put(str(place), {column: vector})
        store.flush()
        del held
        places, cut = store.places([column]), parts(images)
        probe(
            {
                name: store.matrix(column, [str(at) for at in range(images)[where]], places)
                for name, where in cut.items()
            },
            {name: labels[where] for name, where in cut.items()},
        )
    return peak() * 1024


if __name__ == "__main__":
    main()
