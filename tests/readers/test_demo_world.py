"""Readers on the demo world's drawn releases: every item, once, with people and boxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.descriptors import ReaderDescriptor, load_target, parse_options
from harness.readers.descriptors import READERS

source = pytest.importorskip("harness_demo_world.source")
world = pytest.importorskip("harness_demo_world.world")

BENCHMARK = {"hagrid": "hagridv2"}
SPLIT = {"valid": "val"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.mark.parametrize("descriptor", READERS, ids=lambda descriptor: descriptor.id)
def test_every_split_is_read_whole(cache: Path, descriptor: ReaderDescriptor) -> None:
    benchmark = BENCHMARK.get(descriptor.id, descriptor.id)
    root = source.DemoWorld().locate(benchmark, cache, ())
    given = {}
    if benchmark == "jrdb_social":
        given = {f"{split}_sequences": ",".join(world.sequences(SPLIT.get(split, split)))
                 for split in descriptor.splits}  # fmt: skip
    if benchmark == "hagridv2":
        given = {"no_gesture": "include"}
    reader = load_target(descriptor)(parse_options(descriptor.options, given, owner=benchmark))
    for split in descriptor.splits:
        assert all(path.is_file() for path in reader.annotations(root, split))
        samples = list(reader.samples(root, split))
        assert len(samples) == world.COUNTS[benchmark][SPLIT.get(split, split)]
        assert len({sample.id for sample in samples}) == len(samples)
        pictures = [sample.images[0].name for sample in samples]
        runs = sum(a != b for a, b in zip(pictures, [None, *pictures], strict=False))
        assert runs == len(set(pictures)), "samples of one image stand together"
        assert all(image.data is None for sample in samples for image in sample.images)
        assert list(reader.samples(root, split)) == samples
