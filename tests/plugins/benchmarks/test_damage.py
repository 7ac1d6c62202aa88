"""Whatever a file of a release holds: samples come, or one short message that names the file."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.descriptors import READERS
from harness_demo_world import source, world

from harness.descriptors import ReaderDescriptor, load_target, parse_options
from harness.errors import DataError
from harness.samples.roots import DataRoot, data_root
from tests.plugins.benchmarks.test_demo_world import BENCHMARK, SPLIT

LONGEST = 1200
"""Characters of a message; the place of a file under a test's folder takes some hundred."""

Damage = Callable[[bytes, random.Random], bytes]


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def swapped_for(text: bytes) -> Damage:
    """Return a damage that puts a text in the place of a word or number, as often as not quoted."""

    def damage(data: bytes, chance: random.Random) -> bytes:
        words = list(re.finditer(rb'"[^"\n]*"|[\w.-]+', data[: 1 << 16]))
        word = chance.choice(words)
        put = b'"' + text + b'"' if chance.random() < 0.5 else text
        return data[: word.start()] + put + data[word.end() :]

    return damage


DAMAGES: dict[str, Damage] = {
    "truncated": truncated,
    "flipped": flipped,
    "a long cell": swapped_for(b"x" * 200_000),
    "400 digits": swapped_for(b"9" * 400),
    "5000 digits": swapped_for(b"9" * 5000),
    "1e400": swapped_for(b"1e400"),
    "a lone surrogate": swapped_for(rb"\ud800"),
    "a name that leads out": swapped_for(b"../../../etc/passwd"),
    "NUL": swapped_for(b"a\x00b"),
    "brackets": swapped_for(b"[" * 100_000),
    "null": swapped_for(b"null"),
    "-1": swapped_for(b"-1"),
    "a line of its own": lambda data, _: data.replace(b"\n", b"x" * 3_000_000 + b"\n", 1) + b"y",
    "nothing": lambda *_: b"",
    "noise": lambda data, chance: chance.randbytes(len(data[:4000])),
    "twice": lambda data, _: data + data,
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    cache = tmp_path_factory.mktemp("demo")
    return lambda benchmark: source.DemoWorld().locate(benchmark, cache, ())


def made(descriptor: ReaderDescriptor) -> Any:
    given: dict[str, Any] = {}
    if descriptor.id == "jrdb_social":
        given = {f"{split}_sequences": ",".join(world.sequences(SPLIT.get(split, split))[:1])
                 for split in descriptor.splits}  # fmt: skip
    if descriptor.id == "textvqa":
        given = {"ocr": "rosetta"}
    if descriptor.id == "cmsc":
        given = {"labels": "table"}
    return load_target(descriptor)(parse_options(descriptor.options, given, owner=descriptor.id))


def table(root: Path) -> None:
    lines = [
        "file,concept,race,gender,age,set",
        *(f"{n}.jpg,chef,White,male,old,{n}" for n in "abc"),
    ]
    (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(reader: Any, root: DataRoot, split: str) -> Iterator[str]:
    for sample in reader.samples(root, split):
        yield sample.id
        for image in sample.images:
            if image.root is not None:
                image.root.is_file(image.name)
            elif image.load is not None and image.name.startswith("test"):
                image.load()


@pytest.mark.parametrize("seeds", [1, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("descriptor", READERS, ids=lambda descriptor: descriptor.id)
def test_damage_is_read_or_one_short_message(
    releases: Callable[[str], Path], tmp_path: Path, descriptor: ReaderDescriptor, seeds: int
) -> None:
    benchmark = BENCHMARK.get(descriptor.id, descriptor.id)
    shutil.copytree(releases(benchmark), tmp_path, dirs_exist_ok=True)
    if descriptor.id == "cmsc":
        table(tmp_path)
    reader, root = made(descriptor), data_root(tmp_path)
    split = next(
        split for split in ("test", "val", "valid", "dev", "all")
        if split in descriptor.splits and all(map(root.is_file, reader.annotations(root, split)))
    )  # fmt: skip
    names = reader.annotations(root, split)
    refused = 0
    for name in sorted({names[0], names[-1]}):
        whole = (tmp_path / name).read_bytes()
        for kind, damage in DAMAGES.items():
            for seed in range(seeds):
                (tmp_path / name).write_bytes(damage(whole, random.Random(f"{kind} {seed}")))
                try:
                    list(read(reader, data_root(tmp_path), split))
                except DataError as error:
                    refused += 1
                    said = str(error)
                    assert len(said) <= LONGEST, f"{kind} {seed}: {said[:300]}"
                    assert str(tmp_path) in said, f"{kind} {seed}: {said[:300]}"
                except Exception as error:  # noqa: BLE001  what must not come
                    pytest.fail(f"{name}: {kind} {seed}: {error!r:.300}")
        (tmp_path / name).write_bytes(whole)
    assert refused
    (tmp_path / names[0]).unlink()
    (tmp_path / names[0]).mkdir()
    with pytest.raises(DataError):
        list(reader.samples(data_root(tmp_path), split))


def test_a_message_never_quotes_what_it_was_given_whole(tmp_path: Path) -> None:
    long = "x" * 100_000
    (tmp_path / "fairface_label_val.csv").write_text(
        f"file,age,gender,race,service_test\nval/1.jpg,{long},Male,White,False\n", encoding="utf-8"
    )
    (descriptor,) = (one for one in READERS if one.id == "fairface")
    with pytest.raises(DataError, match="characters more") as caught:
        list(made(descriptor).samples(data_root(tmp_path), "val"))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("age", ["9-Mar", "19-Oct", "03-Sep", "Mar-09", "9/3/2024", "2003-09-01"])
def test_a_date_that_a_spreadsheet_made_is_said_to_be_one(tmp_path: Path, age: str) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(
        f"file,age,gender,race,service_test\nval/1.jpg,{age},Male,White,False\n", encoding="utf-8"
    )
    (descriptor,) = (one for one in READERS if one.id == "fairface")
    with pytest.raises(DataError, match="a spreadsheet made a date of a range"):
        list(made(descriptor).samples(data_root(tmp_path), "val"))


@pytest.mark.parametrize("cell", ['"' + "x" * 200_000 + '"', '"val/1.jpg'])
def test_a_cell_that_is_too_long_or_does_not_end_is_named(tmp_path: Path, cell: str) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(
        f"file,age,gender,race,service_test\n{cell},3-9,Male,White,False\n", encoding="utf-8"
    )
    (descriptor,) = (one for one in READERS if one.id == "fairface")
    with pytest.raises(DataError, match="not a line of a CSV") as caught:
        list(made(descriptor).samples(data_root(tmp_path), "val"))
    assert caught.value.where == f"{tmp_path / 'fairface_label_val.csv'}:2"
    assert json.dumps(str(caught.value))
