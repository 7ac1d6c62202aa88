"""The reason of a number that is not defined travels with it through every door that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

import harness
from harness.cli.main import invoke, main
from harness.evaluation.run import RunResult
from harness.plugins import plugins
from harness.runs.read import read_evaluation

WHY = "no sample has the label"
SPEC = {
    "id": "mine",
    "version": 1,
    "title": "Mine",
    "summary": "Two labels of three; one group has no sample of the first.",
    "citation": "none",
    "licence": "none",
    "intended_use": "tests",
    "data": {
        "reader": "table",
        "benchmark": "mine",
        "split": "test",
        "obtain": "drawn",
        "options": {
            "file": "data.csv",
            "id": "id",
            "image": "image",
            "target": "label",
            "groups": {"sex": {"column": "sex", "labelled_by": "human"}},
        },
    },
    "prompt": {"template": "Which?"},
    "ask": {"choose": {"labels": ["a", "b", "c"]}},
    "answer": "{{ target }}",
    "slices": ["sex"],
    "unit": "image",
    "metrics": [
        {"id": "recall", "column": "Of a", "direction": "higher", "main": True,
         "options": {"label": "a"}},
        {"id": "recall", "column": "Of c", "direction": "higher", "options": {"label": "c"}},
    ],
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, RunResult]:
    """Two baselines on a task of which no sample has the label c, and no man has the label a."""
    monkeypatch.chdir(tmp_path)
    lines = ["id,image,label,sex"]
    for index in range(8):
        Image.new("RGB", (16, 16), (9 * index, 0, 0)).save(f"{index}.png")
        sex = "male" if index % 2 else "female"
        lines.append(f"s{index},{index}.png,{'ab'[index % 2]},{sex}")
    Path("data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path("mine.yaml").write_text(yaml.safe_dump(SPEC, sort_keys=False), encoding="utf-8")
    return {
        name: harness.run(name, "mine.yaml", results=tmp_path / "results")
        for name in ("null", "random")
    }


def test_the_record_says_it_over_all_samples_and_in_slices(
    results: dict[str, RunResult],
) -> None:
    (record,) = results["random"].records
    of_a, of_c = record.metrics
    assert (of_a.undefined, of_c.undefined) == ("", WHY)
    by_sex = {part.value: [metric.undefined for metric in part.metrics] for part in record.slices}
    assert by_sex == {"female": ["", WHY], "male": [WHY, WHY]}
    written = json.loads((record.directory / "metrics.json").read_text(encoding="utf-8"))
    assert [metric.get("undefined") for metric in written["metrics"]] == [None, WHY]
    assert read_evaluation(record.directory).metrics == record.metrics


@pytest.mark.parametrize("form", plugins().formats())
def test_each_format_of_a_table_says_it(results: dict[str, RunResult], form: str) -> None:
    del results
    command = ["leaderboard", "results", "--include", "mine.yaml", "--metric", "Of c"]
    assert invoke(main, [*command, "--format", form, "--out", "table"]) == 0
    assert WHY in Path("table").read_text(encoding="utf-8")


def test_commands_and_pages_say_it(
    results: dict[str, RunResult], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(result.records[0].directory) for result in results.values()]
    assert invoke(main, ["results", "show", folders[0]]) == 0
    output = capsys.readouterr().out
    assert f"undefined: {WHY}" in output
    assert "--" not in output
    assert invoke(main, ["compare", *folders]) == 0
    assert f"-- is undefined: {WHY} (Of c)" in capsys.readouterr().out
    (comparison,) = harness.compare(*folders)
    reasons = {(each.column, each.undefined) for each in comparison.metrics}
    assert reasons == {("Of a", ""), ("Of c", WHY)}
    in_slices = {each.value: each.undefined for each in comparison.slices}
    assert in_slices == {"female": "", "male": WHY}
    assert invoke(main, ["site", "build", "site", "results"]) == 0
    page = next(Path("site/evaluations").glob("*.html")).read_text(encoding="utf-8")
    # Of the metric, of the slice without a value, and among the remarks.
    assert page.count(WHY) == 3
    assert "sex: male" in page


def test_a_record_of_an_earlier_version_says_that_it_does_not_say(
    results: dict[str, RunResult],
) -> None:
    from harness.runs.read import _metric

    (record,) = results["null"].records
    content = json.loads((record.directory / "metrics.json").read_text(encoding="utf-8"))
    value = content["metrics"][1]
    del value["undefined"]
    assert _metric(value).undefined == "its record does not say why"
