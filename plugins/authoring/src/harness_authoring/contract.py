"""A kit: the promises of one kind of plugin, each with its check, and how they are run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import HarnessError

Status = Literal["ok", "failed", "skipped"]


class ContractError(AssertionError):
    """A plugin that does not keep its contract; the message says how."""


class NotApplicableError(Exception):
    """A check that says nothing of this plugin; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """A promise and how it is checked.

    Attributes:
        name: Stable; a report and a test's id show it.
        promise: One line.
        run: Takes what is checked; raises :class:`ContractError` or :class:`NotApplicableError`.
    """

    name: str
    promise: str
    run: Callable[[Any], None]


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


def run_check(check: Check, subject: object) -> Outcome:
    """Run one check; whatever it raises is its outcome."""
    started = time.perf_counter()
    status: Status = "ok"
    why = ""
    try:
        check.run(subject)
    except NotApplicableError as error:
        status, why = "skipped", str(error)
    except (ContractError, HarnessError) as error:
        status, why = "failed", str(error)
    except Exception as error:  # noqa: BLE001  whatever a stranger's plugin raises
        status, why = "failed", f"{type(error).__name__}: {error}"
    return Outcome(check.name, check.promise, status, why, round(time.perf_counter() - started, 2))


def run_checks(
    checks: Iterable[Check], subject: object, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every check; tell of each when it is done."""
    outcomes = []
    for check in checks:
        outcomes.append(run_check(check, subject))
        tell(outcomes[-1])
    return outcomes
