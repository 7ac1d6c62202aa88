"""JSON of strangers: whatever a file holds, it is plain data or one short message."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.config.settings import load_settings
from harness.errors import UserError
from harness.jsonfiles import parse_json, read_json, read_object
from harness.specs.yaml_loader import read_yaml

BAD = {
    "brackets": (b"[" * 100_000, "nested too deeply"),
    "tables": (b'{"a":' * 100_000, "nested too deeply"),
    "digits": (b'{"format": ' + b"1" * 5_000 + b"}", "too many digits"),
    "infinity": (b'{"format": 1e999}', "too large"),
    "not a number": (b'{"format": NaN}', "NaN is not a number"),
    "repeated": (b'{"a": 1, "a": 2}', "the key 'a' is repeated"),
    "long key": (b'{"' + b"k" * 9_999 + b'":1,"' + b"k" * 9_999 + b'":1}', "is repeated"),
    "utf-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "latin-1": ('{"a": "\xe9"}'.encode("latin-1"), "not UTF-8"),
    "cut": (b'{"a": ', "not JSON"),
    "empty": (b"", "not JSON"),
    "list": (b"[]", "not a JSON object"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_short_line(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_object(path)
    assert caught.value.where == str(path)
    assert len(caught.value.message) < 200
    assert "\n" not in caught.value.message


def test_a_folder_and_nothing_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        read_json(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        read_json(tmp_path / "none")


def test_a_byte_order_mark_is_no_text() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 2.5, null]}', "x") == {"a": [1, 2.5, None]}


def test_where_they_are_expected_numbers_that_are_none_are_null() -> None:
    assert parse_json(b'{"a": [NaN, -Infinity]}', "x", undefined=True) == {"a": [None, None]}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["harness.toml", "a.json", "a.yaml"])
def test_a_pipe_is_refused_and_not_waited_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    read: Mapping[str, Callable[[Path], Any]] = {
        "a.json": read_json,
        "a.yaml": read_yaml,
        "harness.toml": lambda _: load_settings(),
    }
    with pytest.raises(UserError, match="is not a file"):
        read[name](Path(name))
