"""Runs every check and reports the results, in a form to paste into an issue."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness._version import __version__
from harness.evaluation.model import portable
from harness.plugins import plugins

from harness_authoring import contract
from harness_authoring.contract import Outcome
from harness_authoring.models.candidate import Candidate
from harness_authoring.models.checks import CHECKS

_LIBRARIES = ("torch", "transformers", "open_clip_torch", "peft", "numpy", "pillow")


def run_checks(candidate: Candidate, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Run every check; tell of each when it is done."""
    try:
        return contract.run_checks(CHECKS, candidate, tell)
    finally:
        candidate.close()


def about(candidate: Candidate) -> dict[str, Any]:
    """Return what the report says beside the checks: the model, versions, the machine."""
    descriptor = candidate.descriptor
    facts = {
        option.name: portable(option, candidate.options[option.name])
        for option in descriptor.options
        if candidate.options[option.name] != option.default
        and option.type != "path"
        and option.changes_numbers
    }
    if "preset" in candidate.given:
        facts["preset"] = candidate.given["preset"]
    versions = {"social-harness": __version__, "python": platform.python_version()}
    if candidate.installed:
        versions["plugin"] = plugins().distribution_of(descriptor)
    for name in _LIBRARIES if descriptor.requires else ():
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "kind": "model",
        "model": descriptor.id,
        "options": facts,
        "device": candidate.runtime.device,
        "dtype": candidate.runtime.dtype,
        "versions": versions,
        "platform": platform.platform(),
    }


def as_json(candidate: Candidate, outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the report as plain data."""
    return {**about(candidate), "checks": [asdict(outcome) for outcome in outcomes]}
