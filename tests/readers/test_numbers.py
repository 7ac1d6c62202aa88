"""Numbers in a stranger's text: read in one place, and none that only Python takes for one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.readers import records

ROOT = Path(__file__).parents[2]
READERS = sorted(
    path
    for plugin in ("benchmarks", "people_benchmarks")
    for path in (ROOT / "plugins" / plugin / "src").glob("*/readers/*.py")
)
PYTHONS = (
    "0_1",
    "1_000",
    "\u0663",
    "\uff13",
    "0x1",
    "1\u00a0",
    "\u00bd",
    "",
    "1,5",
    "nan",
    "9-Mar",
)
# What these convert was checked before: by the helpers, by a pattern, or by an option's type.
CHECKED = {
    ("gazefollow", "first.eye[0]"), ("gazefollow", "first.eye[1]"), ("gazefollow", "index"),
    ("cmsc", "str(options['max_unmatched'])"), ("mmbench", "cell"),
    ("jrdb_social", "match[1]"), ("jrdb_social", "match[2]"), ("emotic", "width"),
    ("emotic", "height"), ("miap", "corners"),
    ("fer_plus", "records.as_whole(cell, f'votes for {name}', where)"),
}  # fmt: skip


@pytest.mark.parametrize("text", PYTHONS)
def test_a_text_that_is_no_plain_number_is_none(text: str) -> None:
    with pytest.raises(DataError, match="not a finite number"):
        records.numbers([text], 1, "the box", "a.csv:1")
    with pytest.raises(DataError, match="should be a whole number"):
        records.as_whole(text, "label", "a.csv:1")


@pytest.mark.parametrize("path", READERS, ids=lambda path: path.stem)
def test_readers_turn_no_text_into_a_number_by_themselves(path: Path) -> None:
    converted = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        first = node.args[0]
        mapped = isinstance(first, ast.Name) and first.id in {"int", "float"}
        if isinstance(node.func, ast.Name) and node.func.id in {"int", "float"}:
            converted.add((path.stem, ast.unparse(first)))
        elif isinstance(node.func, ast.Name) and node.func.id == "map" and mapped:
            converted.add((path.stem, ast.unparse(node.args[1])))
    assert converted <= CHECKED, "harness.readers.records reads numbers"
