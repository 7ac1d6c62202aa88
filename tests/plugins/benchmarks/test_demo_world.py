"""Readers on the demo world's drawn releases: every item, once, with people and boxes."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness_benchmarks.readers.descriptors import READERS

from harness.descriptors import ReaderDescriptor, parse_options
from harness.samples.roots import data_root
from harness.targets import load_target

source = pytest.importorskip("harness_demo_world.source")
world = pytest.importorskip("harness_demo_world.world")

BENCHMARK = {"hagrid": "hagridv2", "social_counterfactuals": "scounter"}
SPLIT = {"valid": "val"}
# Of the others the world counts pictures or sets, and a reader may yield several samples of one.
COUNTED = {
    **{(name, split): (name, SPLIT.get(split, split)) for name, splits in {
        "hagridv2": ("train", "val", "test"), "pisc": ("train", "val", "test"),
        "gazefollow": ("train", "test"), "raf_db": ("train", "test"),
        "jrdb_social": ("train", "valid", "test"),
    }.items() for split in splits},
    ("fairface", "train"): ("fairface", "train"),
    ("fairface", "val"): ("fairface", "test"),
    ("textvqa", "val"): ("textvqa", "test"),
}  # fmt: skip
# Splits that the world does not draw.
ABSENT = {"test-dev", "test"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.mark.parametrize("descriptor", READERS, ids=lambda descriptor: descriptor.id)
def test_every_split_is_read_whole(cache: Path, descriptor: ReaderDescriptor) -> None:
    benchmark = BENCHMARK.get(descriptor.id, descriptor.id)
    root = data_root(source.DemoWorld().locate(benchmark, cache, ()))
    options = {}
    if benchmark == "jrdb_social":
        options = {f"{split}_sequences": ",".join(world.sequences(SPLIT.get(split, split)))
                 for split in descriptor.splits}  # fmt: skip
    if benchmark == "hagridv2":
        options = {"no_gesture": "include"}
    reader = load_target(descriptor)(parse_options(descriptor.options, options, owner=benchmark))
    for split in descriptor.splits:
        if not all(map(root.is_file, reader.annotations(root, split))):
            assert split in ABSENT
            continue
        if benchmark == "cmsc":  # its labels are in the names of the pictures
            root = data_root(source.DemoWorld().locate(benchmark, cache, ("test",)))
        samples = list(reader.samples(root, split))
        if (benchmark, split) in COUNTED:
            name, part = COUNTED[benchmark, split]
            assert len(samples) == world.COUNTS[name][part]
        assert len({sample.id for sample in samples}) == len(samples)
        pictures = [sample.images[0].name for sample in samples]
        runs = sum(a != b for a, b in zip(pictures, [None, *pictures], strict=False))
        assert runs == len(set(pictures)), "samples of one image stand together"
        assert all(image.data is None for sample in samples for image in sample.images)
        assert list(reader.samples(root, split)) == samples
