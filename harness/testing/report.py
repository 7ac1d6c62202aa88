"""Runs every check and says what came of it, in a form to paste into an issue."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from harness._version import __version__
from harness.errors import HarnessError
from harness.evaluation.model import portable
from harness.plugins import plugins
from harness.testing.candidate import Candidate, ContractError, NotApplicableError
from harness.testing.checks import CHECKS, Check

_LIBRARIES = ("torch", "transformers", "open_clip_torch", "peft", "numpy", "pillow")

Status = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a check.

    Attributes:
        name: The check's.
        promise: What it checks, in one line.
        status: ``ok``, ``failed`` or ``skipped``.
        why: Why it failed or was skipped.
        seconds: How long it took.
    """

    name: str
    promise: str
    status: Status
    why: str
    seconds: float


def run_checks(candidate: Candidate, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Run every check; tell of each when it is done."""
    reports = []
    try:
        for check in CHECKS:
            reports.append(_run(check, candidate))
            tell(reports[-1])
    finally:
        candidate.close()
    return reports


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


def _run(check: Check, candidate: Candidate) -> Outcome:
    started = time.perf_counter()
    status: Status = "ok"
    why = ""
    try:
        check.run(candidate)
    except NotApplicableError as error:
        status, why = "skipped", str(error)
    except (ContractError, HarnessError) as error:
        status, why = "failed", str(error)
    except Exception as error:  # noqa: BLE001  whatever a stranger's model raises
        status, why = "failed", f"{type(error).__name__}: {error}"
    return Outcome(check.name, check.promise, status, why, round(time.perf_counter() - started, 2))
