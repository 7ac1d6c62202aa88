"""Kinds of study come from plugins, and one that breaks its contract is named."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from harness_studies.files import read_study

from harness.descriptors import StudyDescriptor
from harness.errors import PluginError, UserError
from harness.plugins import Plugins, hookimpl, using
from harness.specs.yaml_loader import parse_yaml
from harness.studies.kind import StudyPlan


class Scaling:
    """A study of a plugin; its plan is no plan."""

    id, title, profile = "mine", "Mine", None

    def plan(self, _: Path | None) -> Any:
        return ["one"]

    def run(self, *_: object) -> Any:
        raise ValueError("cannot count")


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    @hookimpl
    def harness_studies() -> list[StudyDescriptor]:
        return [StudyDescriptor(id="scaling", target="scaling_kind:load", summary="of sizes")]

    module: Any = types.ModuleType("scaling_kind")
    module.harness_studies, module.load = harness_studies, lambda _: Scaling()
    monkeypatch.setitem(sys.modules, "scaling_kind", module)
    loaded = Plugins(points=[EntryPoint("scaling", "scaling_kind", "harness")])
    with using(loaded):
        yield module


def test_a_file_is_read_by_the_kind_it_names(scaling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scaling, "plan", lambda *_: StudyPlan(notes=("ten sizes",)))
    assert read_study(parse_yaml("kind: scaling")).plan(None).notes == ("ten sizes",)


def test_a_kind_that_is_not_there_says_what_is_near(scaling: Any) -> None:
    with pytest.raises(UserError, match="did you mean 'scaling'"):
        read_study(parse_yaml("study: x\nkind: scalling"))


@pytest.mark.parametrize("broken", ["plan", "run", "load", "id"])
def test_a_kind_that_breaks_its_contract_is_named(
    scaling: Any, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken == "load":
        scaling.load = lambda document: document.nothing
    if broken == "id":
        monkeypatch.delattr(Scaling, "id")

    def use() -> None:
        study = read_study(parse_yaml("kind: scaling"))
        _ = study.plan(None) if broken == "plan" else study.run(Path("out"), None, print)

    with pytest.raises(PluginError, match="study kind 'scaling'"):
        use()
