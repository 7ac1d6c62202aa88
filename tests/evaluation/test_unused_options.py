"""An option of a model that changes no answer to a task is said in plan, record and table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.api.runs import NullReporter
from harness.descriptors import ModelDescriptor, Option
from harness.errors import PluginError
from harness.models import Runtime
from harness.plugins import plugins
from harness.requests import Choose, Generate
from harness.targets import load_target


class Told(NullReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def say(self, note: str) -> None:
        """Keep a note."""
        self.notes.append(note)


class Odd:
    """Answers the first option, or nothing; its option is of written answers."""

    def __init__(self, options: Any) -> None:
        self._warmth = options["warmth"]

    def identity(self, runtime: Runtime) -> dict[str, Any]:
        """Return what it is."""
        del runtime
        return {"kind": "odd", "warmth": self._warmth}

    def unused(self, want: Any) -> Any:
        """Return the option for a choice."""
        if self._warmth == 3:
            return 3
        return ["warmth (options are scored)"] if isinstance(want, Choose) and self._warmth else []

    def load(self, runtime: Runtime) -> Any:
        """Return a baseline."""
        return load_target(plugins().models()["null"])({}).load(runtime)


ODD = ModelDescriptor(
    id="odd",
    target=f"{__name__}:Odd",
    summary="x",
    capabilities=frozenset({"choose", "generate"}),
    options=(Option(name="warmth", type="float", default=0.0),),
)


@pytest.fixture(autouse=True)
def _demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_CACHE", raising=False)  # drawings are made once for all tests


def test_it_is_said_in_plan_record_and_table(tmp_path: Path) -> None:
    messages = Told()
    run = harness.run(
        ODD, ["raf_db", "vqav2"], options={"warmth": 0.5}, results=tmp_path, limit=3,
        reporter=messages,
    )  # fmt: skip
    note = "-o warmth (options are scored) does not apply"
    assert f"{note} to raf_db" in messages.notes
    counts = [record.counts.notes for record in run.records]
    message = "samples to which -o warmth (options are scored) does not apply"
    assert (counts[0][message], message in counts[1]) == (3, False)
    assert sum(message in line for line in run.table().notes) == 1
    plain = harness.run(ODD, "raf_db", results=tmp_path, limit=3)
    assert message not in plain.records[0].counts.notes


def test_a_model_that_says_it_wrongly_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="returned int 3 from unused, not a list"):
        harness.plan(ODD, "raf_db", options={"warmth": 3}, results=tmp_path)


CHOICE, MATCH, WRITTEN = Choose(("a",)), Choose(("a",), match=True), Generate(3)


@pytest.mark.parametrize(
    ("model", "options", "uses", "does_not"),
    [
        ("hf_vlm", {"path": "x", "score_eos": False}, CHOICE, WRITTEN),
        ("llava", {"path": "x", "score_eos": False}, CHOICE, WRITTEN),
        ("qwen_vl", {"path": "x", "score_eos": False}, CHOICE, WRITTEN),
        ("bunny", {"path": "x", "score_eos": False}, CHOICE, WRITTEN),
        ("socialfusion", {"path": "x", "score_eos": False}, CHOICE, WRITTEN),
        ("open_clip", {"path": "x", "templates": "a {}"}, CHOICE, MATCH),
        ("matching", {"path": "x", "template": "a {}"}, CHOICE, MATCH),
        ("openai_api", {"model": "x", "temperature": 1.0}, WRITTEN, CHOICE),
    ],
)
def test_each_shipped_model_says_which_tasks_use_an_option(
    model: str, options: dict[str, Any], uses: Any, does_not: Any
) -> None:
    descriptor = plugins().models()[model]
    factory: Callable[..., Any] = load_target(descriptor)
    usual = {option.name: option.default for option in descriptor.options}
    made = factory({**usual, **options})
    assert made.unused(uses) == []
    (text,) = made.unused(does_not)
    assert text.startswith(f"{list(options)[-1]} (")
    assert factory({**usual, next(iter(options)): "x"}).unused(does_not) == []


def test_a_long_summary_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "raf_db: computing metrics and intervals, which takes a while"
    for most, count in ((4, 0), (3, 1)):
        monkeypatch.setattr("harness.evaluation.writer._MANY", most)
        messages = Told()
        harness.run("null", "raf_db", results=tmp_path / str(most), limit=3, reporter=messages)
        assert messages.notes.count(message) == count


def test_what_is_asked_otherwise_is_told_to_no_model_that_reads_no_prompt(tmp_path: Path) -> None:
    model = "open_clip"
    requested: dict[str, Any] = {
        "prompt": "{{ options | join(', ') }}?",
        "system": "Be fair.",
        "shots": 1,
    }
    messages = Told()
    plan = harness.plan(model, "pisc_fine", options={"preset": "demo"}, results=tmp_path, limit=3,
                        variants="paraphrases,blur:1", **requested)  # fmt: skip
    plan.show(messages)
    text = " ".join(messages.notes)
    assert f"{model} reads no prompt: --shots, --prompt, --system has no effect" in text
    assert f"{model} reads no prompt: paraphrases would repeat its numbers" in text
    jobs = [item.job.plan.task.spec for item in plan.evaluations]
    assert [spec.variant and str(spec.variant) for spec in jobs] == [None, "blur 1"]
    assert not any(spec.asked for spec in jobs)


COMPUTED: dict[str, Any] = {
    "device": "cuda:9", "dtype": "float16", "batch_size": 3, "kv_budget": 9, "threads": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "task"),
    [("majority", "raf_db"), ("random", "raf_db"), ("null", "raf_db"), ("human", "vqav2"),
     ("predictions", "raf_db")],
)  # fmt: skip
def test_what_a_model_without_pytorch_reads_not_of_how_to_compute_is_in_its_manifest(
    model: str, task: str, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"id": "test_0001", "answer": "sad"}\n', encoding="utf-8")
    options: dict[str, Any] = {"path": str(answers)} if model == "predictions" else {}
    flags = "--device, --dtype, --batch-size, --kv-budget, --threads"
    note = f"model {model!r} runs without PyTorch, and reads no {flags}"
    messages = Told()
    requested: dict[str, Any] = {"options": options, "results": tmp_path, "limit": 2}
    plan = harness.plan(model, task, **requested, **COMPUTED)
    plan.show(messages)
    assert note in messages.notes
    assert note in plan.settings.notes
    usual: dict[str, Any] = {"device": "cpu", "threads": "auto"}
    assert not harness.plan(model, task, **requested, **usual).settings.notes


def test_the_manifest_of_a_run_has_what_its_model_reads_not(tmp_path: Path) -> None:
    run = harness.run("null", "raf_db", results=tmp_path, limit=2, dtype="float16")
    assert json.loads(run.manifest.read_text())["notes"] == [
        "model 'null' runs without PyTorch, and reads no --dtype"
    ]


@pytest.mark.parametrize("model", ["llava", "open_clip", "socialfusion"])
def test_a_model_of_pytorch_reads_all_of_it(model: str, tmp_path: Path) -> None:
    requested: dict[str, Any] = {**COMPUTED, "device": "cpu"}
    plan = harness.plan(
        model, "fairface", options={"preset": "demo"}, results=tmp_path, limit=2, **requested
    )
    assert not [note for note in plan.settings.notes if "PyTorch" in note]
