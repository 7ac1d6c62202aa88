"""The newer kinds of what a stranger's plugin adds, and whoever comes without the demo's data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.analysis.results import AnalysisTable, write_analysis
from harness.cli.main import invoke, main
from harness.errors import PluginError, reason_of
from harness.figures.contract import Plot
from harness.guard import check_descriptor
from harness.plugins import plugins

RUN = "run --model strange --tasks strange_sums --data strange=world"
EXPORT = "export results --format strange --out out"
PLOT = "plot strange results --out out.svg"
SITE = "site build results --out out"
SUBMIT = "submission EVALUATION --out out.json"
STUDY = "study s.yaml --out out"
PLAN = "study s.yaml --dry-run"
ON = f"{RUN} --results other --on strange"
BOARD = "leaderboard ANALYSIS"


def raises(error: BaseException) -> Callable[[Any], Any]:
    def fault(_: Any) -> Any:
        raise error

    return fault


def returns(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


loose: Any = Plot
RAISED = raises(KeyError("x"))
FAULTS: list[tuple[str, Callable[[Any], Any], str, str]] = [
    ("exporter.call", RAISED, EXPORT, "exporter 'strange' raised in a call: KeyError: 'x'"),
    ("exporter.call", returns([Path("gone")]), EXPORT, "returned str 'gone' from a call"),
    ("figure.call", returns(None), PLOT, "returned None from a call, not a Plot"),
    ("figure.call", returns(loose(len, {}, 7)), PLOT, "not marks that are a list of texts"),
    ("figure.call", returns(loose(len, {}, (), 7)), PLOT, "not a caption that is a text"),
    ("figure.draw", RAISED, PLOT, "figure 'strange' raised in draw: KeyError: 'x'"),
    ("figure.draw", returns(None), PLOT, "returned None from draw, not a Figure of matplotlib"),
    ("submission.row", returns(None), SUBMIT, "returned None from row, not a dict"),
    ("submission.formats", returns("text"), SUBMIT, "returned str 'text' from formats, not bytes"),
    ("study.load", returns(None), STUDY, "study kind 'strange' loads a study without 'id'"),
    ("study.plan", returns(None), PLAN, "returned None from plan, not a StudyPlan"),
    ("study.run", RAISED, STUDY, "study kind 'strange' raised in run: KeyError: 'x'"),
    ("executor.make", RAISED, ON, "executor 'strange' raised in make: KeyError: 'x'"),
    ("executor.start", RAISED, ON, "executor 'strange' raised in start: KeyError: 'x'"),
    ("executor.events", RAISED, ON, "executor 'strange' raised in events: KeyError: 'x'"),
    ("executor.events", returns(None), ON, "returned None from events, not a list of events"),
    ("executor.events", returns([3]), ON, "returned int 3 from events, not Event"),
    ("view.fill", RAISED, BOARD, "study kind 'strange' raised in fill: KeyError: 'x'"),
]


@pytest.fixture
def sealed(strange: Any, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Seal an evaluation and an analysis; return where they are."""
    assert invoke(main, RUN.split()) == 0
    capfd.readouterr()
    Path("s.yaml").write_text("kind: strange\nid: s\n")
    table = AnalysisTable("t", ("x",), ((1,),))
    analysis = write_analysis(Path("results"), "strange", {"a": 1}, [table])
    (evaluation,) = Path("results/evaluations/strange_sums").iterdir()
    assert strange.FAULTS == {}
    return {"EVALUATION": str(evaluation), "ANALYSIS": str(analysis.directory)}


def test_each_newer_fault_is_one_message(
    sealed: dict[str, str], strange: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    for position, fault, command, message in FAULTS:
        strange.FAULTS.clear()
        strange.FAULTS[position] = fault
        code = invoke(main, [sealed.get(word, word) for word in command.split()])
        out, err = capfd.readouterr()
        assert code == 2, (position, out, err)
        assert message in err, position
        assert err.count("error: ") == 1
        assert "plugin 'strange' of dist-strange 1.2" in err
        assert "Traceback" not in out + err


def test_an_executor_that_lacks_a_method_is_refused_before_anything_is_planned(
    strange: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import strange_newer  # type: ignore[import-not-found]

    monkeypatch.setattr(strange_newer, "Executor", lambda _: SimpleNamespace(start=print))
    assert invoke(main, ON.split()) == 2
    assert "which has no method 'ask'" in capfd.readouterr().err
    assert not Path("other").exists()
    assert strange.FAULTS == {}


def test_an_executor_that_does_not_close_hides_nothing(
    strange: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    strange.FAULTS.update({"executor.events": interrupted, "executor.close": RAISED})
    assert invoke(main, ON.split()) == 130
    out = " ".join(capfd.readouterr().out.split())  # lines of a terminal
    assert "executor 'strange' raised in close: KeyError" in out


def test_a_list_says_which_plugin_does_not_load(
    strange: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    strange.FAULTS["hook"] = returns(None)
    plugins.cache_clear()
    assert invoke(main, ["list", "executors"]) == 0
    out, err = capfd.readouterr()
    assert "processes" in out
    assert err == (
        "plugin 'strange' of dist-strange 1.2 does not load: "
        "harness_models returns None, not a list of ModelDescriptor\n"
    )


def test_a_view_that_is_no_target_is_refused(strange: Any) -> None:
    kind = plugins().study_kinds()["strange"]
    with pytest.raises(PluginError, match="the view 'nowhere' is not module:attribute"):
        check_descriptor(replace(kind, view="nowhere"))
    assert strange.FAULTS == {}


def test_a_table_of_an_analysis_has_a_name_that_a_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"'\.\./t' cannot name a table"):
        write_analysis(tmp_path, "strange", {}, [AnalysisTable("../t", ("x",), ())])


@pytest.mark.parametrize("error", [OSError("not gzip"), OSError(), OSError(28, "full")])
def test_a_file_that_fails_has_a_reason(error: OSError) -> None:
    assert reason_of(error) == (error.strerror or str(error) or "OSError")


def test_whoever_names_their_data_needs_no_data_source(
    strange: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, RUN.split()) == 0  # the profile's source, demo_world, is blocked here
    assert invoke(main, RUN.split()[:-2]) == 2
    assert "data source 'demo_world' is not available" in capfd.readouterr().err
    assert invoke(main, ["data", "list"]) == 0
    assert strange.FAULTS == {}


def test_a_device_that_a_model_does_not_use_is_said(
    strange: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "random", *RUN.split()[3:], "--device", "cuda:9"]
    assert invoke(main, [word.replace("sums", "ranks") for word in words]) == 0
    out = " ".join(capfd.readouterr().out.split())
    assert "runs without PyTorch, and reads no --device" in out
    assert strange.FAULTS == {}
