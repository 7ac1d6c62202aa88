"""What a plugin of this project that is missing is called, and which checkpoints are whose."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from harness_authoring.packages_index import OURS, as_text, described
from packaging.requirements import Requirement

import harness
from harness import packages, plugins
from harness.descriptors import ModelDescriptor, ModelType
from harness.errors import PluginError

ROOT = Path(__file__).parents[1]


def test_the_index_says_what_our_plugins_say_of_themselves() -> None:
    assert packages.INDEX.read_text(encoding="utf-8") == as_text(described())


def test_every_plugin_of_ours_is_in_the_index() -> None:
    installed = {dist.name for dist in distributions() if dist.name.startswith(OURS)}
    listed = {entry["package"] for kind in described().values() for entry in kind.values()}
    assert listed == installed


@pytest.mark.parametrize(
    ("kind", "name", "package"),
    [
        ("model", "llava", "social-harness-llava"),
        ("recipe", "asd", "social-harness-recipes"),
        ("answer method", "vdd", "social-harness-answer-methods"),
        ("data source", "demo_world", "social-harness-demo-world"),
        ("study kind", "degradation", "social-harness-social-degradation"),
    ],
)
def test_what_is_not_installed_names_its_package(kind: str, name: str, package: str) -> None:
    message = f"{name}' is not installed\n  fix: pip install {package}"
    with plugins.using(plugins.Plugins(points=[])), pytest.raises(PluginError, match=message):
        plugins.find(kind, name, {})


@pytest.mark.parametrize(
    ("name", "package"), [("build_site", "site"), ("probe", "analyses"), ("mir", "analyses")]
)
def test_a_function_whose_plugin_is_not_installed_names_its_package(
    name: str, package: str
) -> None:
    message = f"not installed\n  fix: pip install social-harness-{package}$"
    with plugins.using(plugins.Plugins(points=[])), pytest.raises(PluginError, match=message):
        getattr(harness, name)


def test_what_is_blocked_is_not_said_to_be_missing() -> None:
    message = r"recipe 'asd' is not available: .* blocked"
    with (
        plugins.using(plugins.Plugins(blocked=["recipes"])) as blocked,
        pytest.raises(PluginError, match=message),
    ):
        plugins.find("recipe", "asd", blocked.recipes())


def model(name: str, *types: ModelType) -> ModelDescriptor:
    return ModelDescriptor(
        id=name, target="x:X", summary="", model_types=types, offers=frozenset({"train"})
    )


def test_the_model_that_fits_most_narrowly_reads_a_checkpoint() -> None:
    expected = {
        "any": model("any", ModelType("*", keys=("vision_config",))),
        "odd": model("odd", ModelType("odd*")),
        "odder": model("odder", ModelType("oddest", keys=("eyes",))),
    }
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("oddest", {"eyes": 1, "vision_config": {}}, "odder"),
        ("oddest", {"vision_config": {}}, "odd"),
        ("even", {"vision_config": {}}, "any"),  # of two that read anything, by name
        ("even", {}, ""),
    ]
    for kind, keys, name in cases:
        assert packages.reader_of({"model_type": kind, **keys}, expected) == name


def test_models_that_train_are_listed_the_installed_first() -> None:
    assert packages.offering("train", {"mine": model("mine")})[0] == "mine"
    assert "llava" in packages.offering("train", {})


def test_the_readme_names_every_wheel_that_brings_pytorch() -> None:
    base = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needs = {"social-harness": list(base["dependencies"])}
    for file in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        needs[project["name"]] = list(project["dependencies"])

    def brings(requirement: str) -> bool:
        result = Requirement(requirement)
        if result.name in {"torch", "open_clip_torch", "transformers", "diffusers"}:
            return True
        extras = base["optional-dependencies"] if result.name == "social-harness" else {}
        inner = [item for extra in result.extras for item in extras[extra]]
        return any(map(brings, [*needs.get(result.name, ()), *inner]))

    heavy = {
        name.removeprefix("social-harness-").replace("-", "_")
        for name, listed in needs.items()
        if any(map(brings, listed))
    }
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    sentence = text.partition("Without those of ")[2].partition(" no PyTorch is installed")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == heavy
