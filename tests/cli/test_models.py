"""``harness models``: what there is, what it answers, what it takes."""

import json
import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from harness.cli.main import invoke, main
from harness.descriptors import ModelDescriptor, Option
from harness.plugins import Plugins, hookimpl, using

MODEL = ModelDescriptor(
    id="echo",
    target="x:y",
    summary="says yes \x1b[31m",
    requires=("json", "not_there.inner"),
    install="pip install echo",
    capabilities=frozenset({"generate", "choose"}),
    offers=frozenset({"logprobs", "contrast"}),
    options=(Option(name="size", type="int", default=3, help="how much"),),
    presets={"demo": {"size": 1}},
    preset_marks={"demo": ("demo",)},
)


@hookimpl
def harness_models() -> list[ModelDescriptor]:
    return [MODEL]


@pytest.fixture(autouse=True)
def _one_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module: Any = types.ModuleType("echo_plugin")
    module.harness_models = harness_models
    monkeypatch.setitem(sys.modules, "echo_plugin", module)
    with using(Plugins(points=[EntryPoint("echo", "echo_plugin", "harness")])):
        yield


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["models"]) == 0
    out = capsys.readouterr().out
    assert "choose, generate" in out
    assert "needs not_there.inner" in out
    assert "pip install social-harness-socialfusion" in out
    assert "\x1b" not in out


def test_one_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["models", "show", "echo"]) == 0
    out = capsys.readouterr().out
    assert "from     ? ?" in out
    assert "offers   contrast, logprobs" in out
    assert "how much" in out
    assert "-o preset=demo: size=1 (marks every record: demo)" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    (entries,) = [model for model in listed if model["id"] == "echo"]
    assert entries["missing"] == ["not_there.inner"]
    assert entries["offers"] == ["contrast", "logprobs"]
    assert invoke(main, ["models", "show", "echo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"][0]["name"] == "size"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "show", "ecko"], "did you mean 'echo'?"),
        (["models", "echo"], "fix: harness models show echo"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert invoke(main, arguments) == 2
    assert message in capsys.readouterr().err
