"""Samples and tables as DataFrames, and what a run's result shows in a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import PluginError, UserError
from harness.evaluation.run import RunResult
from harness.tables.frames import one_type, sample_rows, to_pandas, to_polars


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("results")
    return harness.run("random", "raf_db", results=folder, limit=8, profile="demo")


def test_a_result_gives_samples_metrics_and_a_frame(result: RunResult) -> None:
    pytest.importorskip("pandas")
    samples = list(result.samples())
    frame = result.to_pandas()
    assert list(frame["id"]) == [sample.id for sample in samples]
    right = frame["equal"].mean()
    assert result.metrics["raf_db"]["accuracy"].value == pytest.approx(right)
    assert frame.groupby("group_gender")["equal"].count().sum() <= len(samples)


def test_samples_of_several_evaluations_can_be_told_apart(tmp_path: Path) -> None:
    models: Any = [{"model": "random", "options": {"seed": seed}} for seed in (1, 2)]
    options: Any = {"results": tmp_path, "limit": 4, "profile": "demo"}
    records = [*harness.run(models, "raf_db", **options).records,
               *harness.run("random", "raf_db", seed=7, **options).records]  # fmt: skip
    rows = list(sample_rows(records))
    assert {row["model"] for row in rows} == {"random, limit=4"}
    assert len({row["evaluation"] for row in rows}) == 3
    assert {row["seed"] for row in rows} == {0, 7}


def test_metrics_of_several_models_are_not_one_of_them(tmp_path: Path) -> None:
    result = harness.run(["random", "null"], "raf_db", results=tmp_path, limit=8, profile="demo")
    assert [record.model for record in result.records] == ["random", "null"]
    with pytest.raises(UserError, match="several models answered 'raf_db'"):
        _ = result.metrics


def test_a_table_gives_a_row_for_each_number(result: RunResult) -> None:
    pytest.importorskip("pandas")
    frame = harness.leaderboard(result.records).to_pandas()
    assert list(frame["metric"]) == ["accuracy"]
    value = result.records[0].main.value
    assert value is not None
    assert frame["value"][0] == pytest.approx(100 * value)
    assert set(frame["marks"]) == {"demo limited"}


def test_a_notebook_shows_the_table(result: RunResult) -> None:
    displayed = result._repr_html_()
    assert displayed is not None
    assert "<table>" in displayed
    assert "random" in displayed
    assert "<script" not in displayed


def test_a_console_shows_no_wall_of_records(result: RunResult) -> None:
    assert len(repr(result)) < 1000
    displayed = repr(harness.leaderboard(result.records))
    assert "random" in displayed
    assert "Column(" not in displayed


def test_columns_of_several_types_become_json() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": 2.5, "b": ["y"]}, {"c": {"d": 1}}]
    assert one_type(rows) == [
        {"a": 1, "b": "x", "c": None},
        {"a": 2.5, "b": '["y"]', "c": None},
        {"a": None, "b": None, "c": '{"d": 1}'},
    ]


@pytest.mark.parametrize(("make", "name"), [(to_pandas, "pandas"), (to_polars, "polars")])
def test_what_is_not_installed_says_how_to_install_it(
    make: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.tables.frames.is_installed", lambda _: False)
    with pytest.raises(PluginError, match=f"{name} is not installed\n  fix: pip install {name}"):
        make([])


def test_the_file_of_the_result_is_untouched(result: RunResult, tmp_path: Path) -> None:
    files = harness.export([result.records[0].directory], "samples_jsonl", tmp_path)
    assert files == [tmp_path / "samples.jsonl"]
