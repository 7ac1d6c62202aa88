"""One run by several workers: the bytes of one process, whoever is lost, differs or joins."""

from __future__ import annotations

import errno
import fcntl
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.api.runs import NullReporter
from harness.errors import UserError
from harness.evaluation.writer import EvaluationWriter
from harness.runs.seal import SEALED
from harness.workers import crew
from harness.workers.contract import Answered, BlockRequest, Lost, Refused, WorkOrder
from harness.workers.worker import begin
from tests.evaluation.conftest import faces
from tests.workers.inline import Inline

__all__ = ["faces"]
Faces = Callable[[int], Path]
TASKS = "raf_db"


class Notes(NullReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.samples = 0

    def say(self, note: str) -> None:
        self.said.append(note)

    def progress(self, samples: int) -> None:
        self.samples += samples


def plan_of(results: str, executor: Inline | None = None, **options: Any) -> Any:
    arguments: dict[str, Any] = {"data": {"raf_db": "raf"}, "results": results, **options}
    if executor is None:
        return harness.plan("random", TASKS, **arguments)
    planned = harness.plan("random", TASKS, on="processes", **arguments)
    object.__setattr__(planned.workers, "executor", executor)
    return planned


def sealed(results: str) -> dict[str, bytes]:
    actual = {
        f"{seal.parent.parent.name}/{name}": (seal.parent / name).read_bytes()
        for seal in Path(results).rglob("seal.json")
        for name in (*SEALED, "seal.json")
    }
    assert actual
    return actual


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_any_number_of_workers_leaves_the_same_bytes(faces: Faces, number: int) -> None:
    faces(450)
    plan_of("one").run()
    reporter = Notes()
    executor = Inline(number)
    plan_of("many", executor).run(reporter)
    assert sealed("many") == sealed("one")
    assert reporter.samples == 450
    assert sorted(executor.blocks()) == [(0, block) for block in range(8)]
    assert executor.closed
    timings = json.loads(next(Path("many").rglob("timings.json")).read_text())
    workers = timings["workers"]
    assert (workers["executor"], workers["workers"]) == ("processes", number)
    assert workers["devices"] == {"cpu": number}


def test_a_lost_worker_costs_its_block_which_is_asked_elsewhere(faces: Faces) -> None:
    faces(450)
    plan_of("one").run()
    lost: list[int] = []

    def loses(_: str, request: BlockRequest) -> bool:
        lost.append(request.block)
        return lost.count(request.block) == 1 and request.block in {0, 2, 5}

    executor, reporter = Inline(2, loses), Notes()
    plan_of("many", executor).run(reporter)
    assert sealed("many") == sealed("one")
    assert {block: lost.count(block) for block in range(8)} == {
        block: 2 if block in {0, 2, 5} else 1 for block in range(8)
    }
    assert sum("is lost (told to); block" in note for note in reporter.said) == 3


def test_a_block_that_costs_three_workers_is_recorded_and_counted(faces: Faces) -> None:
    faces(200)
    executor = Inline(2, lambda _, request: request.block == 1)
    result = plan_of("r", executor, max_errors=0.5).run()
    (record,) = result.records
    assert (record.counts.samples, record.counts.errors) == (200, 64)
    assert "errored" in record.marks
    lines = next(Path("r").rglob("samples.jsonl")).read_text().splitlines()
    errors = {json.loads(line)["error"]["kind"] for line in lines[64:128]}
    assert errors == {"worker_lost"}
    plan_of("one").run()
    plan_of("r", retry_errors=True).run()
    assert sealed("r") == sealed("one")


def test_workers_that_never_load_the_model_end_the_run(faces: Faces) -> None:
    faces(10)

    class Dying(Inline):
        def ask(self, worker: str, request: BlockRequest) -> None:  # noqa: ARG002
            self.said.append(Lost(worker, "out of memory"))

    with pytest.raises(UserError, match=r"5 workers in a row ended.*out of memory"):
        plan_of("r", Dying(2)).run()
    assert not list(Path("r").rglob("random-*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda terms: terms["versions"].update(numpy="0.1"), "version of numpy"),
        (lambda terms: terms.update({"device type": "cuda"}), "device type (cpu there, cuda here)"),
        (lambda terms: terms.update(dtype="float16"), "dtype"),
        (
            lambda terms: terms["evaluations"]["raf_db"].update(fingerprint="x", task={}),
            "task 'raf_db' (task: ",
        ),
    ],
)
def test_a_worker_that_differs_is_refused_and_the_part_is_named(
    faces: Faces, change: Callable[[Any], object], message: str
) -> None:
    faces(200)
    plan_of("one").run()

    def changes(name: str, terms: dict[str, Any]) -> dict[str, Any]:
        copied: dict[str, Any] = json.loads(json.dumps(terms))
        if name == "2":
            change(copied)
        return copied

    executor, reporter = Inline(2, changes=changes), Notes()
    plan_of("many", executor).run(reporter)
    assert sealed("many") == sealed("one")
    (note,) = [note for note in reporter.said if note.startswith("worker 2 is refused")]
    assert message in note
    assert executor.stopped == ["2"]
    assert {name for name, _ in executor.requests} == {"1"}


@pytest.mark.parametrize("gone", [False, True])
def test_a_worker_with_other_images_is_refused_and_a_sample_is_named(
    faces: Faces, gone: bool
) -> None:
    faces(200)
    plan_of("one").run()
    image = min(Path("raf").rglob("test_*.jpg"))
    original = image.read_bytes()

    class Elsewhere(Inline):
        def join(self, name: str) -> None:
            if name == "2":
                image.unlink() if gone else image.write_bytes(original + b" ")
            super().join(name)
            image.write_bytes(original)

    executor, reporter = Elsewhere(2), Notes()
    plan_of("many", executor).run(reporter)
    assert sealed("many") == sealed("one")
    (note,) = [note for note in reporter.said if note.startswith("worker 2 is refused")]
    assert "it differs in task 'raf_db' (the image of sample 'test_" in note
    assert {name for name, _ in executor.requests} == {"1"}


def test_another_processor_is_a_mark_and_refused_when_bytes_must_be_equal(faces: Faces) -> None:
    faces(200)

    def changes(name: str, terms: dict[str, Any]) -> dict[str, Any]:
        return {**terms, "rounding": {**terms["rounding"], "processor": f"cpu {name}"}}

    result = plan_of("r", Inline(2, changes=changes)).run()
    assert "mixed workers" in result.records[0].marks
    reporter = Notes()
    strict = plan_of("s", Inline(2, changes=changes), deterministic=True).run(reporter)
    assert "mixed workers" not in strict.records[0].marks
    assert any("processor (cpu 1 there, cpu 2 here)" in note for note in reporter.said)


def test_no_worker_that_may_take_part_is_one_message(faces: Faces) -> None:
    faces(10)
    executor = Inline(3, changes=lambda _, terms: {**terms, "versions": {}})
    with pytest.raises(UserError, match=r"no worker could join the run.*version of"):
        plan_of("r", executor).run()
    assert executor.closed


def test_a_worker_that_hangs_is_lost(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    faces(200)
    monkeypatch.setattr(crew, "UNKNOWN", 0.2)
    monkeypatch.setattr(crew, "LEAST", 0.2)
    hung: list[str] = []

    class Hanging(Inline):
        def ask(self, worker: str, request: BlockRequest) -> None:
            if request.block == 1 and not hung:
                hung.append(worker)
            else:
                super().ask(worker, request)

    executor, reporter = Hanging(1), Notes()
    plan_of("many", executor).run(reporter)
    plan_of("one").run()
    assert sealed("many") == sealed("one")
    assert executor.stopped == hung
    assert any("it hangs" in note for note in reporter.said)


class Late(Inline):
    """The first worker that is asked for block 6 answers it after everything else."""

    late: str = ""
    changed = False

    def ask(self, worker: str, request: BlockRequest) -> None:
        if request.block != 6:
            super().ask(worker, request)
        elif not self.late:
            self.late = worker
            before = len(self.said)
            super().ask(worker, request)
            self.kept = [self.said.pop() for _ in range(len(self.said) - before)]
        else:
            super().ask(worker, request)
            answers = [event for event in self.kept if isinstance(event, Answered)]
            for answer in answers:
                records: list[Any] = [dict(record) for record in answer.records]
                records[0] |= {"answer": "other"} if self.changed else {}
                self.said.append(replace(answer, records=records))


@pytest.mark.parametrize("changed", [False, True])
def test_a_block_that_straggles_is_asked_twice_and_the_first_answer_counts(
    faces: Faces, monkeypatch: pytest.MonkeyPatch, *, changed: bool
) -> None:
    faces(450)
    monkeypatch.setattr(crew, "_SHORTEST", 0.05)
    plan_of("one").run()
    executor, reporter = Late(2), Notes()
    executor.changed = changed
    plan_of("many", executor).run(reporter)
    assert sorted(executor.blocks()).count((0, 6)) == 2
    assert reporter.samples == 450
    many, item = sealed("many"), sealed("one")
    assert many["raf_db/samples.jsonl"] == item["raf_db/samples.jsonl"]
    assert (many == item) == (not changed)  # otherwise a mark says so
    assert (b"mixed workers" in many["raf_db/evaluation.json"]) == changed
    differs = [note for note in reporter.said if "answers differ; the first one is kept" in note]
    assert len(differs) == changed


def test_a_worker_that_is_lost_with_a_block_that_another_answers_costs_nothing(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces(450)
    monkeypatch.setattr(crew, "_SHORTEST", 0.05)
    plan_of("one").run()

    class Dying(Late):
        def ask(self, worker: str, request: BlockRequest) -> None:
            again = request.block == 6 and bool(self.late)
            super().ask(worker, request)
            if again:
                self.said.pop()  # the late answer never comes
                self.said.appendleft(Lost(self.late, "killed"))

    executor = Dying(2)
    plan_of("many", executor).run()
    assert sealed("many") == sealed("one")
    assert sorted(executor.blocks()).count((0, 6)) == 2


def test_workers_join_while_it_runs(faces: Faces) -> None:
    faces(450)

    class Growing(Inline):
        def ask(self, worker: str, request: BlockRequest) -> None:
            super().ask(worker, request)
            if request.block == 3:
                self.join("late")

    executor = Growing(1)
    plan_of("many", executor).run()
    plan_of("one").run()
    assert sealed("many") == sealed("one")
    assert "late" in {name for name, _ in executor.requests}


def test_a_second_coordinator_is_refused_before_it_starts_a_worker(faces: Faces) -> None:
    faces(10)
    first, executor = plan_of("r"), Inline(1)
    with (
        EvaluationWriter(first.evaluations[0].job, print, print),
        pytest.raises(UserError, match="another run is writing"),
    ):
        plan_of("r", executor).run()
    assert executor.order is None


def test_an_order_is_plain_data(faces: Faces) -> None:
    faces(10)
    executor = Inline(1)
    plan_of("r", executor, ids=["test_0001", "test_0002"]).run()
    assert executor.order is not None
    text = json.dumps(executor.order.to_json())
    assert WorkOrder.from_json(json.loads(text)) == WorkOrder.from_json(executor.order.to_json())


def test_a_worker_that_cannot_plan_says_why(faces: Faces) -> None:
    """As one on another machine where a plugin or the data are missing."""
    faces(10)
    executor = Inline(1)
    plan_of("r", executor).run()
    assert executor.order is not None
    for change, message in (
        ({"model": "elsewhere"}, "unknown model 'elsewhere'"),
        ({"options": {**executor.order.options, "data": {"raf_db": "gone"}}}, "gone"),
    ):
        worker, event = begin("far", replace(executor.order, **change))
        assert worker is None
        assert isinstance(event, Refused)
        assert message in event.reason


def test_a_file_system_without_locks_is_written_all_the_same(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces(200)
    plan_of("one").run()

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    plan_of("many", Inline(2)).run()
    assert sealed("many") == sealed("one")
