"""Captions without people say nothing of people; labels are what the captions say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_demo_world.drawn import Drawn
from harness_demo_world.layouts import LAYOUTS
from harness_demo_world.layouts.drawn import THINGS, DrawnThings, position

from harness.errors import DataError
from harness.plugins import plugins
from harness.samples.roots import data_root
from harness.specs.catalog import load_catalog

PEOPLE = ("person", "people", "face", "hand", "man", "woman", "look")
PLACES = {
    f"{down} {across}" for down in ("top", "bottom") for across in ("left", "middle", "right")
}


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    texts = {str(path): text for path, text in LAYOUTS["drawn_things"].annotations(0)}
    return [json.loads(line) for line in str(texts["val.jsonl"]).splitlines()]


def test_generic_captions_name_nobody(lines: list[dict[str, Any]]) -> None:
    assert len(lines) == THINGS["val"]
    for line in lines:
        assert not any(word in line["caption"].split() for word in PEOPLE), line


def test_labels_are_what_the_caption_says(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        number, colour = line["caption"].split()[:2]
        if line["colour"] is not None:
            assert colour == line["colour"]
        if line["count"] is not None:
            assert number == line["count"]
            assert " and " not in line["caption"]
    assert {line["count"] for line in lines} == {None, "1", "2", "3", "4"}
    assert {line["position"] for line in lines} == {None, *PLACES}


def test_a_position_is_one_of_six() -> None:
    assert position(0.0, 0.0) == "top left"
    assert position(0.5, 0.5) == "bottom middle"
    assert position(1.0, 0.99) == "bottom right"


def test_a_split_has_as_many_pictures_as_lines() -> None:
    displayed = DrawnThings().pictures(0, "test")
    first: Iterator[Any] = (next(displayed) for _ in range(4))
    assert [path.as_posix() for path, _ in first] == [f"test/{n:06d}.jpg" for n in range(4)]


def test_the_specs_ask_for_labels_that_are_drawn(lines: list[dict[str, Any]]) -> None:
    catalog = load_catalog(plugins().spec_folders())
    for name in ("colour", "count", "position"):
        labels = set(catalog.task(f"drawn_{name}", {}).labels)
        assert {line[name] for line in lines} - {None} <= labels


@pytest.mark.parametrize("line", ["{", '{"file": "a.jpg"}', '["a"]'])
def test_a_line_that_is_none_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / "val.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=r"val\.jsonl:1"):
        list(Drawn({}).samples(data_root(tmp_path), "val"))
