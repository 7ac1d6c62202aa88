"""The YAML loader: plain data in, places out, everything clever refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json
from harness.errors import UserError
from harness.specs import yaml_loader
from harness.specs.yaml_loader import parse_yaml, read_yaml

# Signs that YAML takes inside double quotes as they are; JSON escapes the rest.
SIGNS = st.characters(
    exclude_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp"), exclude_characters="\ufeff"
)
TEXTS = st.text(SIGNS, max_size=20)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_read_as_it_is(value: Json) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False)).data == value


@given(VALUES)
def test_every_value_has_a_place(value: Json) -> None:
    document = parse_yaml(json.dumps(value, ensure_ascii=False, indent=1))

    def paths(content: Json, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
        inner: list[tuple[str | int, Json]] = []
        if isinstance(content, dict):
            inner = list(content.items())
        elif isinstance(content, list):
            inner = list(enumerate(content))
        return [path, *(p for key, item in inner for p in paths(item, (*path, key)))]

    assert set(document.values) == set(paths(value, ()))


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=0, max_size=4), st.integers(0, 5))
def test_a_repeated_key_is_found_at_any_depth(above: list[str], position: int) -> None:
    keys = ["k0", "k1", "k2", "k3", "k4", "k5"]
    keys.insert(position + 1, keys[position])
    lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(above)]
    lines += [f"{'  ' * len(above)}{key}: 1" for key in keys]
    with pytest.raises(UserError) as caught:
        parse_yaml("\n".join(lines), name="f.yaml")
    line, column = len(above) + position + 2, 2 * len(above) + 1
    assert str(caught.value) == (
        f"f.yaml:{line}:{column}: key 'k{position}' is repeated; it stands on line {line - 1}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object:os.system x", "f:1:4: tags are not allowed: "),
        ("a: !x 1", "f:1:4: tags are not allowed: !x"),
        ("a: !!str 1", "f:1:4: tags are not allowed: "),
        ("a: 1\n---\nb: 2", "f:2:1: a second document starts here"),
        ("a: {b: 1, b: 2}", "f:1:11: key 'b' is repeated; it stands on line 1"),
        ("a:\n  - [1\nb: 2", "f:3:2: not YAML: "),
        ("a: b: c", "f:1:5: not YAML: "),
        ("", "f:1:1: the file is empty"),
        ("? [a]\n: b", "f:1:3: a key must be plain text"),
        ("x: &x {a: 1}\ny: {<<: *x}", "f:2:5: merge keys (<<) are not allowed"),
        ("a: &a [*a]", "f:1:8: alias *a has no anchor before it"),
        ("a: *b", "f:1:4: alias *b has no anchor before it"),
        ("a: .inf", "f:1:4: .inf is not a finite number"),
        ("a: 1e999", "f:1:4: 1e999 is too large a number"),
        ("a: " + "9" * 400, "f:1:4: a number of over 300 digits"),
        ("a: \x07", "f:1:4: not YAML: "),
        ("[" * 40 + "]" * 40, "f:1:34: nested deeper than 32 levels"),
    ],
)
def test_what_is_refused_is_refused_at_its_place(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_yaml(text, name="f")
    assert str(caught.value).startswith(message)


def test_aliases_expand_within_a_bound() -> None:
    assert parse_yaml("a: &a [1, 2]\nb: *a").data == {"a": [1, 2], "b": [1, 2]}
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(UserError, match="aliases expand to over"):
        parse_yaml("\n".join(lines))


@pytest.mark.parametrize(
    ("word", "value"),
    [("yes", "yes"), ("no", "no"), ("on", "on"), ("12:30", "12:30"), ("010", "010"),
     ("0x1F", "0x1F"),
     ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("true", True), ("~", None), ("", None),
     ("-7", -7), ("1.5", 1.5), ("1e3", 1000.0), ('"1"', "1"), ("'true'", "true")],
)  # fmt: skip
def test_plain_words_follow_the_core_schema(word: str, value: Json) -> None:
    assert parse_yaml(f"a: {word}").data == {"a": value}


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.yaml"
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_yaml(path)
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(UserError, match=r"f.yaml:2:4: the file is not UTF-8 text"):
        read_yaml(path)
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_yaml(path).data == {"a": 1}
    monkeypatch.setattr(yaml_loader, "MAX_BYTES", 3)
    with pytest.raises(UserError, match="the file is over"):
        read_yaml(path)


def test_the_loader_without_c_says_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a:\n  - b: 1\n    c: |\n      x\n  - 'two'\n"
    first = parse_yaml(text)
    monkeypatch.setattr(yaml_loader, "_LOADER", yaml.SafeLoader)
    assert parse_yaml(text) == first


def test_a_text_read_twice_is_two_documents_and_changing_one_leaves_the_other() -> None:
    first, second = (parse_yaml("a: [1, {b: 2}]", name="x") for _ in range(2))
    assert first == second
    data: Any = first.data
    data["a"][1]["b"] = 3
    data["a"].append(4)
    first.keys.clear()
    first.values.clear()
    assert second.data == parse_yaml("a: [1, {b: 2}]", name="x").data == {"a": [1, {"b": 2}]}
    assert parse_yaml("a: [1, {b: 2}]", name="y").where(("a", 0)) == "y:1:5"
    assert (
        parse_yaml("a: [1, {b: 2}]", name="x").where(("a", 0)) == second.where(("a", 0)) == "x:1:5"
    )
