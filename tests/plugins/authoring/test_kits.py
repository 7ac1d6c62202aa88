"""Each check of each kit passes what keeps its promise, and catches what does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_authoring.contract import ContractError, NotApplicableError, run_check
from harness_authoring.kits import checks_of
from harness_authoring.subjects import Subject
from PIL import Image

from harness.descriptors import (
    AnswerMethodDescriptor,
    CommandDescriptor,
    DataSourceDescriptor,
    EncoderDescriptor,
    ExecutorDescriptor,
    ExporterDescriptor,
    ExtractorDescriptor,
    FormatDescriptor,
    MetricDescriptor,
    Option,
    ReaderDescriptor,
    RecipeDescriptor,
    StudyDescriptor,
)
from tests.plugins.authoring import broken_data, broken_files, broken_running, broken_scoring

KINDS: dict[str, tuple[type[Any], dict[str, Any], Any, str]] = {
    "metric": (MetricDescriptor, {}, broken_scoring, "Metric"),
    "extractor": (ExtractorDescriptor, {}, broken_scoring, "LastWord"),
    "answer method": (
        AnswerMethodDescriptor,
        {"treats": {"choose": frozenset({"logprobs"})}},
        broken_scoring,
        "Method",
    ),
    "reader": (ReaderDescriptor, {"splits": ("test",)}, broken_data, "Reader"),
    "recipe": (RecipeDescriptor, {}, broken_data, "Plain"),
    "format": (FormatDescriptor, {"suffix": ".html"}, broken_files, "page"),
    "exporter": (ExporterDescriptor, {}, broken_files, "export"),
    "encoder": (EncoderDescriptor, {"forms": ("good:NAME",)}, broken_files, "find"),
    "command": (CommandDescriptor, {}, broken_files, "command"),
    "executor": (ExecutorDescriptor, {}, broken_running, "Workers"),
    "data source": (
        DataSourceDescriptor,
        {"benchmarks": frozenset({"raf_db"})},
        broken_running,
        "Source",
    ),
    "study kind": (StudyDescriptor, {}, broken_running, "load"),
}
TORCH = {"recipe"}
SLOW = {"exporter", "executor"}  # they evaluate or plan a task
STUDY = "kind: good\nstudy: good\ntitle: Nothing\n"


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("harness_authoring.kits.executors.PATIENCE", 1.0)
    yield
    Path("stray.txt").unlink(missing_ok=True)  # of an exporter that writes into the current folder


def subject(kind: str, name: str, data: Path | None = None) -> Subject:
    make, more, module, good = KINDS[kind]
    target = f"{module.__name__}:{name or good}"
    descriptor = make(id="good", target=target, summary="Something.", **more)
    remainder = "/a/folder/tiny" if kind == "encoder" else ""
    return Subject(kind, descriptor, {}, installed=False, data=data, split="test", rest=remainder)


def broken(kind: str) -> Iterator[tuple[str, str]]:
    """Yield objects that break a promise, with the check that their docstring names."""
    checks = {check.name for check in checks_of(kind)}
    module, good = KINDS[kind][2], KINDS[kind][3]
    pattern = getattr(module, good)
    for name, value in vars(module).items():
        message = (getattr(value, "__doc__", None) or getattr(value, "help", None) or "").strip()
        alike = issubclass(value, pattern) if isinstance(value, type) and isinstance(
            pattern, type
        ) else callable(value) and not isinstance(pattern, type)  # fmt: skip
        if alike and message in checks:
            yield name, message


CASES = [
    pytest.param(
        kind,
        name,
        check,
        id=f"{kind} {check}: {name}",
        marks=[
            *([pytest.mark.torch] if kind in TORCH else []),
            *([pytest.mark.slow] if kind in SLOW else []),
        ],
    )
    for kind in KINDS
    for name, check in broken(kind)
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with a table of six images."""
    rows = []
    (tmp_path / "images").mkdir()
    for number in range(6):
        Image.new("RGB", (6, 6), (40 * number, 0, 9)).save(tmp_path / "images" / f"{number}.png")
        rows.append(f"{number}.png,{('happy', 'sad')[number % 2]},s{number // 2}")
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def used(kind: str, folder: Path) -> Path | None:
    """Return the data that a kind is checked on."""
    return {"reader": folder, "study kind": folder / "study.yaml"}.get(kind)


@pytest.mark.parametrize(("kind", "name", "check"), CASES)
def test_a_broken_promise_is_caught(kind: str, name: str, check: str, data: Path) -> None:
    named = next(item for item in checks_of(kind) if item.name == check)
    assert run_check(named, subject(kind, name, used(kind, data))).status == "failed"


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in KINDS],
)
def test_what_keeps_its_promises_passes(kind: str, data: Path) -> None:
    checked = subject(kind, "", used(kind, data))
    outcomes = [run_check(check, checked) for check in checks_of(kind)]
    unsaid = {"features"} if kind == "encoder" else set()
    assert [
        outcome for outcome in outcomes if outcome.status == "failed" and outcome.name not in unsaid
    ] == []
    assert sum(outcome.status == "ok" for outcome in outcomes) >= 4


def test_every_check_of_every_kit_has_something_that_breaks_it() -> None:
    shared = {check.name for check in checks_of("figure")}
    untested = {"command": {"light"}, "encoder": {"forms", "features"}}
    for kind in KINDS:
        caught = {check for _, check in broken(kind)}
        names = {check.name for check in checks_of(kind)} - shared - untested.get(kind, set())
        if kind == "command":
            names, caught = names - {"helps", "wrong_flag"}, set()
        assert names - caught == set(), kind


@pytest.mark.parametrize(
    ("task_options", "message"),
    [
        ({"raf_db": {"classes": "drawn"}}, "classes"),
        ({"imagenet_zeroshot": {"classes": "draw"}}, "draw"),
        ({"raf_dd": {}}, "raf_dd"),
    ],
)
def test_options_that_a_source_chooses_for_a_task_are_the_tasks_own(
    task_options: dict[str, Any], message: str
) -> None:
    checked = subject("data source", "")
    chosen = replace(checked.descriptor, task_options=task_options)
    named = next(item for item in checks_of("data source") if item.name == "provides")
    outcome = run_check(named, replace(checked, descriptor=chosen))
    assert outcome.status == "failed"
    assert message in outcome.why


@pytest.mark.parametrize(("name", "check"), [("no_help", "helps"), ("wrong_flag", "wrong_flag")])
def test_commands_that_say_too_little_are_caught(name: str, check: str) -> None:
    named = next(item for item in checks_of("command") if item.name == check)
    with pytest.raises(ContractError):
        named.run(subject("command", name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"summary": "two\nlines"}, "not a single line"),
        ({"options": (Option(name="a"),)}, "has no help"),
        ({"options": (Option(name="a", help="x"), Option(name="a", help="x"))}, "two options"),
        ({"options": (Option(name="a", type="int", default="x", help="x"),)}, "the default of 'a'"),
        (
            {"options": (Option(name="a", default="c", choices=("x", "y"), help="x"),)},
            "the default of 'a'",
        ),
    ],
)
def test_a_descriptor_that_is_not_sound_is_caught(changes: dict[str, Any], message: str) -> None:
    fields = {"id": "good", "target": "x:y", "summary": "Something.", **changes}
    checked = Subject("metric", MetricDescriptor(**fields), {}, installed=False)
    named = next(item for item in checks_of("metric") if item.name == "descriptor")
    with pytest.raises(ContractError, match=message):
        named.run(checked)


def test_a_target_that_is_not_there_is_caught() -> None:
    made = MetricDescriptor(id="good", target="json:nothing", summary="Something.")
    named = next(item for item in checks_of("metric") if item.name == "target")
    outcome = run_check(named, Subject("metric", made, {}, installed=False))
    assert (outcome.status, "json" in outcome.why) == ("failed", True)


def test_an_encoder_whose_forms_are_another_s_is_caught() -> None:
    made = EncoderDescriptor(id="good", target="x:y", summary="Something.", forms=("other:NAME",))
    named = next(item for item in checks_of("encoder") if item.name == "forms")
    with pytest.raises(ContractError, match="does not begin with good:"):
        named.run(Subject("encoder", made, {}, installed=False))


def test_a_reader_without_data_is_not_checked() -> None:
    named = next(item for item in checks_of("reader") if item.name == "ids")
    with pytest.raises(NotApplicableError, match="give them with --data"):
        named.run(subject("reader", ""))
