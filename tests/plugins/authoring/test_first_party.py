"""Every kit on everything that plugins of this project, and the core, add."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness_authoring.contract import run_check
from harness_authoring.kits import checks_of
from harness_authoring.subjects import KINDS, subject_of

from harness.descriptors import is_installed
from harness.plugins import plugins

QUICK = {"extractor", "answer method", "format", "study kind", "submission", "figure"}
QUICK |= {"analysis kind"}
UNFIT = {
    ("metric", "calibration_error", "interval"): "biased upwards: its resamples lie above it",
    ("metric", "nested_accuracy", "interval"): "draws follow the order in which parts are met",
    ("metric", "recall_at_k", "additivity"): "draws weigh queries, and the gallery stays whole",
}
"""Checks that do not fit, with the reason."""


def objects() -> Iterator[object]:
    for kind, table in KINDS.items():
        if kind == "model":  # each has a suite of its own, on a tiny checkpoint
            continue
        for name, descriptor in table(plugins()).items():
            package = plugins().distribution_of(descriptor).partition(" ")[0]
            if package.startswith("social-harness"):
                marks = () if kind in QUICK else pytest.mark.slow
                yield pytest.param(kind, name, id=f"{kind} {name}", marks=marks)


@pytest.mark.torch
@pytest.mark.parametrize(("kind", "name"), [*objects()])
def test_it_keeps_its_promises(kind: str, name: str) -> None:
    descriptor = KINDS[kind](plugins())[name]
    if missing := [outcome for outcome in descriptor.requires if not is_installed(outcome)]:
        pytest.skip(f"{', '.join(missing)} not installed; make test-all does")
    subject = subject_of(kind, descriptor, {})
    if kind != "command":
        subject.cache["light"] = []  # tests/test_light_start.py asks all at once
    outcomes = [run_check(check, subject) for check in checks_of(kind)]
    wrong = [
        f"{outcome.name}: {outcome.why}"
        for outcome in outcomes
        if outcome.status == "failed" and (kind, name, outcome.name) not in UNFIT
    ]
    assert not wrong, "\n".join(wrong)
