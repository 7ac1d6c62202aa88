"""Several models on the same tasks: planned together, evaluated one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli.main import invoke, main
from harness.errors import UserError


def options(tmp_path: Path, **more: Any) -> Any:
    return {"results": tmp_path, "profile": "demo", "limit": 5, **more}


def test_all_models_are_in_one_result(tmp_path: Path) -> None:
    result = harness.run("random,null", "raf_db,textvqa", **options(tmp_path))
    assert [(record.model, record.task) for record in result.records] == [
        ("random", "raf_db"), ("random", "textvqa"), ("null", "raf_db"), ("null", "textvqa"),
    ]  # fmt: skip
    assert len(result.manifests) == 2
    assert all(path.is_file() for path in result.manifests)
    assert [row.model for row in result.table().rows] == ["random, limit=5", "null, limit=5"]


@pytest.mark.parametrize(
    ("models", "more", "message"),
    [
        ("random,nul", {}, "did you mean 'null'"),
        ("random,null", {"options": {"a": "b"}}, "applies to one model, and there are 2"),
        ("random,null", {"options": {"a": "b"}}, "- {model: null, options: {a: b}}"),
        (",", {}, "no model is named"),
        ([], {}, "no model is named"),
        ("random,random", {}, "the name 'random' is named twice"),
        (["random", "random"], {}, "model 'random' is named twice"),
        (["random", {"model": "random"}], {}, "is named twice"),
    ],
)
def test_what_does_not_fit_several_models_is_refused_before_any_runs(
    tmp_path: Path, models: Any, more: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        harness.run(models, "raf_db", **options(tmp_path, **more))
    assert not list(tmp_path.rglob("evaluation.json"))


def test_the_command_prints_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", "--model", "random,null", "--tasks", "raf_db", "--limit", "5"]
    assert invoke(main, [*arguments, "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Accuracy") == 1
    assert "random-" in printed.rsplit("run:", 1)[1]
    assert "null-" in printed.rsplit("run:", 1)[1]
