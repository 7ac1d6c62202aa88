"""constraints.txt: versions that can be installed together."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from importlib.metadata import distributions
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints.txt"


def pinned() -> dict[str, Version]:
    pairs = [line.split("==") for line in FILE.read_text().splitlines() if "==" in line]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def test_no_pinned_version_is_refused_by_an_installed_package_of_its_pinned_version() -> None:
    """pip finds no solution otherwise, and the command that installs it ends there."""
    versions = pinned()
    assert len(versions) > 100
    environment: dict[str, str] = {**default_environment(), "extra": ""}  # type: ignore[dict-item]
    compared, refused = 0, []
    for package in distributions():
        name = canonicalize_name(package.metadata["Name"])
        if versions.get(name) != Version(package.version):
            continue
        for text in package.requires or ():
            wanted = Requirement(text)
            version = versions.get(canonicalize_name(wanted.name))
            if version is None or (wanted.marker and not wanted.marker.evaluate(environment)):
                continue
            compared += 1
            if not wanted.specifier.contains(version, prereleases=True):
                refused.append(f"{name} wants {wanted}, which is pinned to {version}")
    assert compared > 50
    assert not refused


def test_a_package_has_the_same_lower_bound_in_every_distribution() -> None:
    """The lowest versions of all distributions are installed and tested together."""
    bounds = defaultdict[str, set[str]](set)
    for path in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        extras = project.get("optional-dependencies", {}).values()
        for text in sum(extras, list(project.get("dependencies", []))):
            wanted = Requirement(text)
            if not wanted.name.startswith("social-harness"):
                bounds[canonicalize_name(wanted.name)].add(str(wanted.specifier))
    assert len(bounds) > 40
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}
    assert [name for name, found in bounds.items() if not any(">=" in text for text in found)] == []
