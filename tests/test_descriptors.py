"""Descriptors: options that parse what people type, and targets that load or say why not."""

from pathlib import Path
from typing import Any

import pytest

from harness.descriptors import (
    AnswerMethodDescriptor,
    Json,
    ModelDescriptor,
    Option,
    is_installed,
    parse_options,
)
from harness.errors import PluginError, UserError
from harness.targets import load_target


@pytest.mark.parametrize(
    ("option", "arguments", "value"),
    [
        (Option(name="a", type="int"), "3", 3),
        (Option(name="a", type="float"), "0.5", 0.5),
        (Option(name="a", type="float"), 2, 2.0),
        (Option(name="a", type="bool"), "Yes", True),
        (Option(name="a", type="bool"), False, False),
        (Option(name="a", type="str"), 3, "3"),
        (Option(name="a", type="path"), "x/y", "x/y"),
        (Option(name="a", type="int"), None, None),
        (Option(name="a", choices=("x", "y")), "y", "y"),
    ],
)
def test_an_option_parses(option: Option, arguments: Json, value: Json) -> None:
    parsed = option.parse(arguments)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("option", "arguments", "message"),
    [
        (Option(name="a", type="int"), "3.5", "option 'a': '3.5' is not a whole number"),
        (Option(name="a", type="int"), True, "option 'a': True is not a whole number"),
        (Option(name="a", type="float"), "x", "option 'a': 'x' is not a finite number"),
        (Option(name="a", type="bool"), "maybe", "option 'a': 'maybe' is neither true nor false"),
        (Option(name="a", choices=("left", "right")), "rigth", "did you mean 'right'?"),
    ],
)
def test_an_option_refuses(option: Option, arguments: Json, message: str) -> None:
    with pytest.raises(UserError) as caught:
        option.parse(arguments)
    assert message in str(caught.value)


def test_options_have_defaults_and_near_misses() -> None:
    options = (Option(name="size", type="int", default=4), Option(name="path"))
    assert parse_options(options, {"path": "x"}, owner="model 'm'") == {"size": 4, "path": "x"}
    with pytest.raises(UserError, match=r"unknown option of model 'm' 'sise'\n.*'size'"):
        parse_options(options, {"sise": 3}, owner="model 'm'")


def model(target: str, **more: tuple[str, ...]) -> ModelDescriptor:
    return ModelDescriptor(id="m", target=target, summary="", **more)  # type: ignore[arg-type]


def test_a_target_loads() -> None:
    assert load_target(model("harness.errors:UserError")) is UserError


@pytest.mark.parametrize(
    ("descriptor", "message"),
    [
        (
            model("not_there_at_all:x"),
            "not_there_at_all:x: model 'm' does not load: No module named",
        ),
        (model("harness.errors:Nothing"), "'m' does not load: module 'harness.errors' has no"),
        (model("harness.errors:X", requires=("not_there",)), "needs the module 'not_there'"),
        (model("harness.errors:X", requires=("not_there.inner",)), "fix: pip install not_there"),
    ],
)
def test_a_target_that_cannot_be_had_says_why(descriptor: ModelDescriptor, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        load_target(descriptor)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_target_that_raises_on_import_costs_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    (tmp_path / "explodes_on_import.py").write_text("raise RuntimeError('boom')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match="'m' does not load: boom"):
        load_target(model("explodes_on_import:x"))


def test_a_dotted_module_without_its_parent_is_not_installed() -> None:
    assert is_installed("json.decoder")
    assert not is_installed("not_there.inner")


@pytest.mark.parametrize(
    "treats",
    [
        {},
        {"choose"},
        {"chose": frozenset()},
        {"choose": "logprobs"},
        {"choose": frozenset({"logits"})},
    ],
)
def test_a_method_says_what_it_treats(treats: Any) -> None:
    with pytest.raises(PluginError, match="'m': treats must name kinds of answer"):
        AnswerMethodDescriptor(id="m", target="m:M", summary="", treats=treats)
