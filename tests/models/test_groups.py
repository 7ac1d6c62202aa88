"""Baselines on every group: what one cannot answer is known in the plan, and leaves no folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import UserError
from harness.plugins import plugins
from harness.specs.catalog import load_catalog

CATALOG = load_catalog(plugins().spec_folders())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(autouse=True)
def place(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(drawn))
    monkeypatch.delenv("HARNESS_PROFILE", raising=False)
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)


def folders() -> set[str]:
    return {path.name for path in Path("results/evaluations").glob("*")}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["null", "random", "majority", "predictions"])
def test_every_group_is_answered_as_far_as_the_plan_says(model: str) -> None:
    requested: dict[str, Any] = {"limit": 2}
    if model == "predictions":
        tasks = [harness.load_task(name) for name in [*CATALOG.entries][::2]]
        lines = [{"id": next(task.samples()).id, "task": task.id, "answer": "x"} for task in tasks]
        Path("answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        requested["options"] = {"path": "answers.jsonl"}
    for group in CATALOG.group_entries:
        try:
            plan = harness.plan(model, group, **requested)
        except UserError as error:
            assert "cannot answer any of these tasks" in error.message  # noqa: PT017
            continue
        names = {item.job.plan.task.id for item in plan.evaluations}
        assert names | set(plan.model.left_out) == set(CATALOG.group(group).tasks)
        for name, why in plan.model.left_out.items():
            assert f"model {model!r} " in why
            with pytest.raises(UserError, match=f"model {model!r} .*{name}"):
                harness.plan(model, name, **requested)
        assert not folders() & set(plan.model.left_out)
        result = harness.run(model, group, **requested)
        assert {record.task for record in result.records} == names
        assert folders() >= names
    assert folders()


def test_a_task_that_cannot_be_answered_is_refused_when_it_is_named() -> None:
    message = (
        "'majority' cannot answer task 'scounter': its train split's answers are neither labels"
    )
    with pytest.raises(UserError, match=message):
        harness.run("majority", "scounter,raf_db", limit=2)
    assert not Path("results").exists()
