"""A study by workers, a trial at a time: the numbers of one process, past what fails or is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness_studies.api import plan_study

from harness.errors import UserError
from harness.studies.kind import StudyReport
from harness.workers.contract import BlockRequest, Lost
from harness.workers.start import FoundExecutor
from tests.plugins.studies.world import World
from tests.workers.inline import Inline


@pytest.fixture(autouse=True)
def _records(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "harness_studies.on_workers.read_evaluation", lambda path: world.records[path.name]
    )


def run(out: str, executor: Inline | None = None, message: list[str] | None = None) -> StudyReport:
    on = None if executor is None else "processes"
    planned = plan_study("small.yaml", results="results", on=on)
    if executor is not None:
        assert planned._workers is not None
        result = FoundExecutor(planned._workers.descriptor, executor, 1)
        object.__setattr__(planned, "_workers", result)
    return planned.run(Path(out), (list[str]() if message is None else message).append)


def written(out: str) -> tuple[dict[str, bytes], Any]:
    tables = {path.name: path.read_bytes() for path in Path(out).glob("table.*")}
    record = json.loads((Path(out) / "study.json").read_text())
    for trial in record["trials"]:
        del trial["seconds"]
    return tables, record


@pytest.mark.parametrize("number", [1, 3])
def test_the_numbers_are_those_of_one_process(world: World, number: int) -> None:
    executor, messages = Inline(number), list[str]()
    assert not run("many", executor, messages).failed
    assert sorted(executor.blocks()) == [(0, at) for at in range(6)]
    assert any(line.startswith("[3/6] Model + Single (Faces), seed 0: worker") for line in messages)
    assert executor.closed
    run("one")
    assert written("many") == written("one")


def test_a_trial_that_fails_marks_its_cell_and_the_rest_goes_on(world: World) -> None:
    world.breaks = {("single", 1)}
    report = run("many", Inline(2))
    line = "Model + Single (Faces), seed 1: RuntimeError: the recipe broke"
    assert report.failed == [line]
    assert f"Not there: {line}" in report.tables[0].notes
    assert len(world.trained) == 3


def test_a_lost_worker_costs_its_trial_which_is_asked_again(world: World) -> None:
    messages: list[str] = []

    def loses(name: str, request: BlockRequest) -> bool:
        return request.block == 4 and "'" not in name

    run("many", Inline(2, loses), messages)
    assert sum("is lost (told to)" in line for line in messages) == 2
    run("one")
    assert written("many") == written("one")


def test_a_trial_that_costs_three_workers_is_an_outcome(world: World) -> None:
    report = run("many", Inline(1, lambda _, request: request.block == 2))
    (line,) = report.failed
    assert "Model + Single (Faces), seed 0: 3 workers were lost with it" in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda terms: terms["versions"].update(torch="0.1"), "version of torch"),
        (
            lambda terms: terms["evaluations"]["3 Model + Single (Faces), seed 0"].update(
                fingerprint="x", settings={"training": "another"}
            ),
            "(settings: training)",
        ),
    ],
)
def test_a_worker_that_plans_otherwise_is_refused(
    world: World, change: Callable[[Any], object], message: str
) -> None:
    def changes(name: str, terms: dict[str, Any]) -> dict[str, Any]:
        copied: dict[str, Any] = json.loads(json.dumps(terms))
        if name == "2":
            change(copied)
        return copied

    executor, notes = Inline(2, changes=changes), list[str]()
    run("many", executor, notes)
    assert any(line.startswith("worker 2 is refused") and message in line for line in notes)
    assert {name for name, _ in executor.requests} == {"1"}


def test_workers_that_end_before_a_trial_end_the_study(world: World) -> None:
    class Dying(Inline):
        def join(self, name: str) -> None:
            self.said.append(Lost(name, "killed"))

    with pytest.raises(UserError, match="5 workers in a row ended"):
        run("many", Dying(2))


def test_the_plan_says_what_workers_would_take(world: World) -> None:
    run("one")
    Path("small.yaml").write_text(Path("small.yaml").read_text().replace("epochs: 2", "epochs: 4"))
    notes = plan_study("small.yaml", results="results").plan.notes
    assert any("trials are independent, the longest takes" in note for note in notes)
    with pytest.raises(UserError, match="unknown executor"):
        plan_study("small.yaml", on="slrum")
