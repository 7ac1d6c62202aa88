"""Probes on simulated features: the regularisation path at 10,000 x 768, and a ViT-L's scale.

The first figure is probes a minute: seven classes, the whole path of strengths, one validation
split. With ``--large 100000`` the features of all 24 layers of that many images lie on disk, as
the store keeps them (9.8 GB, deleted at the end), and ``--layers`` of them are probed one after the
other: the peak of resident memory and the CPU time of each. Weaker strengths take more steps
of the solver and no more memory, so ``--strengths 2`` tells the peak sooner.

Examples: python benchmarks/probe.py
python benchmarks/probe.py --probes 0 --large 100000 --layers 2
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from harness_analyses import linear
from harness_analyses.features import Column, Features, FeatureStore

from harness.descriptors import Json
from harness.stats.types import Floats

WANTED_A_MINUTE, WANTED_BYTES = 3, 4e9
DEPTH, WIDTH = 24, 1024  # of a ViT-L
CHUNK = 1024  # images copied at once
LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
MIDDLES, SPECTRUM = 0.06, 0.7
SHARES = (("train", 0.7), ("val", 0.1), ("test", 0.2))


def peak() -> int:
    """Return the peak of resident memory of this process, in KiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def forget_peak() -> None:
    """Let the peak begin anew at what the process holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def simulated(samples: int, width: int) -> tuple[Features, list[str]]:
    """Return features in which seven classes overlap, and the classes.

    Directions differ in strength and lie across the columns, as those of real towers do: features
    that are independent take the solver a fifth of the steps.
    """
    random = np.random.default_rng(0)
    classes = random.integers(0, len(LABELS), samples)
    middles = (random.normal(size=(len(LABELS), width)) * MIDDLES).astype(np.float32)
    features_drawn = random.standard_normal((samples, width), dtype=np.float32)
    features_drawn += middles[classes]
    features_drawn *= (np.arange(1, width + 1) ** -SPECTRUM).astype(np.float32)
    turned = np.linalg.qr(random.normal(size=(width, width)))[0].astype(np.float32)
    return features_drawn @ turned, [LABELS[one] for one in classes]


def probe(features: dict[str, Features], labels: dict[str, list[str]]) -> float:
    """Fit one probe and return its accuracy on test."""

    def judge(answers: Sequence[Json], _: Floats | None) -> float:
        return float(np.mean([a == b for a, b in zip(answers, labels["val"], strict=True)]))

    fitted = linear.fit_labels(features, labels["train"], LABELS, judge)
    return float(np.mean([a == b for a, b in zip(fitted.answers, labels["test"], strict=True)]))


def parts(samples: int) -> dict[str, slice]:
    """Return where each split lies."""
    by_split, start = {}, 0
    for name, share in SHARES:
        by_split[name] = slice(start, start + round(share * samples))
        start = by_split[name].stop
    return by_split


def regularised(samples: int, width: int, probes: int) -> dict[str, Json]:
    """Return how many probes with their whole path of strengths are fitted a minute."""
    features, labels = simulated(samples, width)
    cut = parts(samples)
    started, spent = time.monotonic(), time.process_time()
    for _ in range(probes):
        accuracy = probe(
            {name: features[where] for name, where in cut.items()},
            {name: labels[where] for name, where in cut.items()},
        )
    return {
        "samples": samples,
        "width": width,
        "accuracy": accuracy,
        "probes_a_minute": 60 * probes / (time.monotonic() - started),
        "cpu_s": (time.process_time() - spent) / probes,
        "wanted_a_minute": WANTED_A_MINUTE,
    }


def large(images: int, layers: int) -> dict[str, Json]:
    """Probe layers of a ViT-L out of shards, one after the other."""
    columns = [Column(layer, "mean") for layer in range(DEPTH)]
    rows: list[Json] = []
    peaks: list[Json] = []
    spent: list[Json] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        need, free = 4 * images * WIDTH * DEPTH, shutil.disk_usage(folder).free
        if 1.1 * need > free:
            raise SystemExit(f"{need / 1e9:.1f} GB wanted in {folder}, {free / 1e9:.1f} GB free")
        store = FeatureStore(folder, {"encoder": "simulated"})
        labels = written(store, images, columns)
        files = [path.stat().st_size for path in folder.rglob("*.npy")]
        for column in columns[:layers]:
            forget_peak()
            started = time.process_time()
            rows.append(probe_layer(store, column, labels))
            spent.append(round(time.process_time() - started, 1))
            peaks.append(peak() * 1024)
            print(f"{column}: {spent[-1]} s, peak {peaks[-1]} bytes", file=sys.stderr)
    return {
        "large_images": images,
        "layers_on_disk": DEPTH,
        "shards": len(files) // DEPTH,
        "bytes_on_disk": sum(files),
        "accuracy_by_layer": rows,
        "cpu_s_by_layer": spent,
        "peak_bytes_by_layer": peaks,
        "wanted_bytes": WANTED_BYTES,
    }


def written(store: FeatureStore, images: int, columns: Sequence[Column]) -> list[str]:
    """Put all layers' features into a store, image by image; return the images' classes.

    A layer differs from the others in the order of its columns alone: their cost is measured here.
    """
    features, classes = simulated(images, WIDTH)
    random = np.random.default_rng(1)
    orders = [random.permutation(WIDTH) for _ in columns]
    for start in range(0, images, CHUNK):
        layers = [features[start : start + CHUNK][:, order] for order in orders]
        for position in range(len(layers[0])):
            by_column = {column: layers[at][position] for at, column in enumerate(columns)}
            store.put(str(start + position), by_column)
    store.flush()
    return classes


def probe_layer(store: FeatureStore, column: Column, labels: Sequence[str]) -> float:
    """Read one layer and fit its probe; return the accuracy."""
    cut = parts(len(labels))
    keys = [str(place) for place in range(len(labels))]
    return probe(
        {name: store.matrix(column, keys[where]) for name, where in cut.items()},
        {name: list(labels[where]) for name, where in cut.items()},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--probes", type=int, default=2, help="0 leaves the first figure out.")
    parser.add_argument("--large", type=int, default=0, metavar="IMAGES", help="100000, say.")
    parser.add_argument("--layers", type=int, default=2, help="Number of layers, of 24.")
    parser.add_argument("--strengths", type=int, default=len(linear.C_GRID), help="The first ones.")
    arguments = parser.parse_args()
    figures: dict[str, Json] = {"strengths": arguments.strengths}
    with patch.object(linear, "C_GRID", linear.C_GRID[: arguments.strengths]):
        if arguments.probes:
            figures |= regularised(arguments.samples, arguments.width, arguments.probes)
        if arguments.large:
            figures |= large(arguments.large, arguments.layers)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
