"""``harness plugin check`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness_authoring import contract, subjects
from harness_authoring.models import candidate, checks, report

from harness.cli.main import invoke, main
from harness.descriptors import parse_options
from tests.plugins.authoring import models

LABEL = ("-o", "label=intimate")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_report_says_what_was_checked_and_with_what(capsys: Capture) -> None:
    assert invoke(main, ["plugin", "check", "null"]) == 0
    output = capsys.readouterr().out
    assert "model: null" in output
    assert "social-harness 0." in output
    assert "ok       option_order" in output
    assert "skipped  prefix_sharing" in output
    assert "0 failed" in output


def test_the_report_as_json_holds_every_check(capsys: Capture) -> None:
    assert invoke(main, ["plugin", "check", "null", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["model"] == "null"
    assert [item["name"] for item in printed["checks"]] == [check.name for check in checks.CHECKS]
    assert {item["status"] for item in printed["checks"]} == {"ok", "skipped"}


def test_a_failed_check_ends_with_one(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_(_: object) -> None:
        raise contract.ContractError("it is broken")

    broken = contract.Check("broken", "is never kept", break_)
    monkeypatch.setattr(report, "CHECKS", (broken,))
    assert invoke(main, ["plugin", "check", "null"]) == 1
    output = capsys.readouterr().out
    assert "failed   broken" in output
    assert "it is broken" in output
    assert "1 failed" in output


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [(models.Good, 0, "1 ok"), (models.SameForAll, 1, "scale=2 does not")],
)
def test_a_change_must_change_the_fingerprint(
    kind: type[models.Good],
    code: int,
    message: str,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = models.describe(kind)
    options = parse_options(described.options, {}, owner="it")
    subject = SimpleNamespace(descriptor=described, options=options)
    monkeypatch.setattr(candidate, "configure_model", lambda *_: subject)
    monkeypatch.setattr(report, "about", lambda _: {})
    monkeypatch.setattr(subjects, "found", lambda *_: [("model", described)])
    only = tuple(check for check in checks.CHECKS if check.name == "fingerprint")
    monkeypatch.setattr(report, "CHECKS", only)
    assert invoke(main, ["plugin", "check", "under-check", "--change", "scale=2"]) == code
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nul"], "did you mean 'null'"),
        (["null", "-o", "x=1"], "unknown option of model 'null' 'x'"),
        (["null", "-o", "x"], "is not KEY=VALUE"),
        (["null", "--change", "x=1"], "unknown option of model 'null' 'x'"),
        (["null", "--change", "x"], "--change 'x' is not KEY=VALUE"),
        (
            ["openai_api", "-o", "model=x", "--change", "temperature=0"],
            "'temperature' of model 'openai_api' has this value already",
        ),
        (["openai_api", "-o", "model=x", "--change", "temperature=hot"], "'temperature'"),
        (["majority"], "needs a task's labels"),
        (
            ["openai_api", "-o", "model=x", "-o", "base_url=http://127.0.0.1:9", "-o", "retries=0"],
            "cannot be reached",
        ),
        (["llava", "-o", "path=/not/there"], "there is no folder"),
        (
            ["openai_api", "-o", "model=x", "-o", "base_url=http://me:word@x"],
            "not contain a user, password",
        ),
    ],
)
def test_a_wrong_command_is_one_message(
    arguments: list[str], message: str, capsys: Capture
) -> None:
    assert invoke(main, ["plugin", "check", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_metric_is_checked_by_its_id(capsys: Capture) -> None:
    assert (
        invoke(main, ["plugin", "check", "recall", "--task", "pisc_coarse", *LABEL, "--json"]) == 0
    )
    printed = json.loads(capsys.readouterr().out)
    assert (printed["kind"], printed["id"], printed["options"]) == (
        "metric",
        "recall",
        {"label": "intimate"},
    )
    assert {"order", "additivity", "interval"} <= {check["name"] for check in printed["checks"]}


def test_what_several_kinds_are_called_is_asked_for(capsys: Capture) -> None:
    assert invoke(main, ["plugin", "check", "open_clip"]) == 2
    message = capsys.readouterr().err
    assert "'open_clip' is a model and an encoder" in message
    assert "harness plugin check open_clip --kind model" in message


def test_a_plugin_s_name_stands_for_all_that_it_adds(capsys: Capture) -> None:
    assert invoke(main, ["plugin", "check", "answer_methods", "--json"]) == 0
    reports = json.loads(capsys.readouterr().out)["reports"]
    assert {"posthoc", "vdd", "bend"} <= {report["id"] for report in reports}
    assert {report["status"] for each in reports for report in each["checks"]} <= {"ok", "skipped"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["accuracy", "--kind", "metrics"], "unknown kind 'metrics'"),
        (["accuracy", "--kind", "reader"], "unknown reader 'accuracy'"),
        (["accurcy"], "did you mean 'accuracy'"),
        (["recall", "-o", "lable=no"], "did you mean 'label'"),
        (["recall", "-o", "label=x", "--task", "pisc_coarse"], "unknown label 'x'"),
        (["accuracy", "--task", "raf-db"], "did you mean 'raf_db'"),
        (["hf:/not/there", "--kind", "metric"], "unknown metric"),
    ],
)
def test_what_is_not_there_is_one_message(
    arguments: list[str], message: str, capsys: Capture
) -> None:
    assert invoke(main, ["plugin", "check", *arguments]) == 2
    assert message in capsys.readouterr().err
