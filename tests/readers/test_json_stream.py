"""The JSON walker equals ``json.load`` on good files and names the place in bad ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.readers import json_stream
from harness.readers.json_stream import elements as of_list
from harness.readers.json_stream import members as of_object
from harness.samples.roots import data_root

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def members(path: Path, inside: str = "") -> Iterator[tuple[str, Any]]:
    return of_object(data_root(path.parent), path.name, inside)


def elements(path: Path, inside: str = "") -> Iterator[tuple[int, Any]]:
    return of_list(data_root(path.parent), path.name, inside)


FRESH = [HealthCheck.function_scoped_fixture]


@given(st.dictionaries(st.text(max_size=6), values, max_size=5), st.sampled_from([1, 3, 1 << 20]),
       st.sampled_from([None, 1]), st.booleans())  # fmt: skip
@settings(suppress_health_check=FRESH, deadline=None)
def test_members_equal_json_load(
    tmp_path: Path, data: dict[str, Any], chunk: int, indent: int | None, ascii_only: bool
) -> None:
    path = tmp_path / "a.json"
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        assert dict(members(path)) == data
        listed = list(data.values())
        path.write_text(json.dumps(listed, indent=indent), encoding="utf-8")
        assert [value for _, value in elements(path)] == listed
        path.write_text(json.dumps({"a": [1], "labels": data, "z": {}}), encoding="utf-8-sig")
        assert dict(members(path, "labels")) == data


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_every_truncation_is_an_error_that_names_the_line(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    text = json.dumps({"one": [1, "two", None], "b\n": {"c": -1.5e3, "d": "\u00e9\\"}}, indent=1)
    path = tmp_path / "a.json"
    for length in range(len(text)):
        path.write_text(text[:length], encoding="utf-8")
        with pytest.raises(DataError) as caught:
            list(members(path))
        position, line = str(caught.value.where).rsplit(":", 1)
        assert position == str(path)
        assert 1 <= int(line) <= text[:length].count("\n") + 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends too early"),
        (b"[1]", "'{' was expected"),
        (b'{"a": 1} x', "goes on after its end"),
        (b'{"a": 1, "b": nope, "c": 123456789012345678901234567890}', "after key 'b'"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": {"1 2": 1, "1 2": 2}}', "the key '1 2' is repeated"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "a.json"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a.json"),
        (b"{a: 1}", "double quotes"),
        (b'{"a": 1,}', "double quotes"),
    ],
)
def test_what_is_not_such_an_object_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words):
        list(members(path))


def test_the_line_of_an_error_is_right_far_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", 50)
    path = tmp_path / "a.json"
    lines = [f'"{k}": [{k},\n 2],' for k in range(100)]
    path.write_text("{" + "\n".join(lines) + '\n"x" 3}', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        list(members(path))
    assert caught.value.where == f"{path}:201"


def test_missing_files_and_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(members(tmp_path / "no.json"))
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataError, match="'labels' is missing"):
        list(members(tmp_path / "a.json", "labels"))


@given(st.lists(values, max_size=5), st.sampled_from([1, 3, 1 << 20]),
       st.sampled_from([",", ", ", ",  ", " ,\n"]))  # fmt: skip
@settings(suppress_health_check=FRESH, deadline=None)
def test_a_list_inside_an_object_is_walked_through(
    tmp_path: Path, listed: list[Any], chunk: int, comma: str
) -> None:
    path = tmp_path / "a.json"
    inner = comma.join(json.dumps(value) for value in listed)
    path.write_text(f'{{"info": [{{}}], "data": [{inner}], "end": 1}}', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        assert list(elements(path, inside="data")) == list(enumerate(listed))
        with pytest.raises(DataError, match="the key 'rows' is missing"):
            list(elements(path, inside="rows"))
        with pytest.raises(DataError, match="was expected"):
            list(elements(path, inside="end"))
