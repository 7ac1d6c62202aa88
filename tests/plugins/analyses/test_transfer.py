"""Joint against single training: pairs by seed, signs by metric, intervals over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from harness_training.changes import relative
from scipy.stats import t as student

from harness.analysis.results import read_analysis
from harness.cli.main import entry
from tests.runs.sealed import answers, write

WRONG = "disgust"


def evaluation(
    place: Path,
    recipe: str,
    tasks: list[str],
    seed: int,
    *,
    wrong: int,
    said: Mapping[str, Any] | None = None,
    **more: Any,
) -> None:
    """Write an evaluation of RAF-DB after a training, with so many wrong answers of six."""
    from harness.runs.seal import seal, write_json

    folder = place / f"{recipe}-{'-'.join(tasks)}-{seed}-{len(list(place.glob('*')))}"
    write(folder, answers(dict.fromkeys(range(wrong), WRONG)), model="m", **more)
    content = json.loads((folder / "evaluation.json").read_text())
    content["model"]["identity"] = {"weights": "w"}
    if recipe:
        content["model"]["identity"]["checkpoint"] = str(folder)
        content["model"]["training"] = {
            "recipe": {"id": recipe, "options": {}},
            "data": {"tasks": tasks},
            "seed": seed,
            "parts": ["lora"],
            "fingerprint": "f",
            **(said or {}),
        }
    write_json(folder / "evaluation.json", content)
    seal(folder)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(list(arguments))
    return int(str(ended.value.code or 0))


def test_changes_are_paired_by_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results"
    for seed, alone, together in ((0, 3, 2), (1, 3, 1), (2, 4, 2)):
        evaluation(folder, "single", ["raf_db"], seed, wrong=alone)
        evaluation(folder, "joint", ["gazefollow", "raf_db"], seed, wrong=together)
    evaluation(folder, "joint", ["gazefollow", "raf_db"], 3, wrong=0)
    evaluation(folder, "single", ["gazefollow"], 0, wrong=5)
    evaluation(folder, "", [], 0, wrong=6)
    assert run("transfer", str(folder), "--results", str(tmp_path / "r")) == 0
    assert "+66.67" in capsys.readouterr().out
    analysis = read_analysis(next((tmp_path / "r").rglob("analysis.json")).parent)
    (row,) = analysis.table("transfer").records()
    each = [1 / 3, 2 / 3, 1.0]
    assert row["relative"] == pytest.approx(sum(each) / 3)
    low, high = student.interval(0.95, 2, loc=2 / 3, scale=(1 / 3) / 3**0.5)
    assert row["low"] == pytest.approx(low)
    assert row["high"] == pytest.approx(high)
    assert (row["seeds"], row["transfer"]) == (3, "not told apart")
    matrix = {str(item["trained"]): item for item in analysis.table("matrix").records()}
    assert matrix["gazefollow"]["value"] == pytest.approx(1 / 6)
    assert matrix["gazefollow"]["relative"] == pytest.approx((1 / 6 - 1 / 2) / (1 / 2))
    assert matrix["raf_db"]["untrained"] == 0


def test_a_training_by_a_recipe_that_is_not_installed_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    evaluation(folder, "gone", ["raf_db"], 0, wrong=1)
    assert run("transfer", str(folder)) == 2
    assert "trainings by the recipe 'gone', which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "direction", "wanted"),
    [
        (0.5, 0.6, "higher", 0.2),
        (0.5, 0.6, "lower", -0.2),
        (-0.5, 0.25, "zero", 0.5),
        (0.0, 0.6, "higher", None),
        (None, 0.6, "higher", None),
    ],
)
def test_a_change_is_positive_where_it_is_better(
    before: float | None, after: float, direction: str, wanted: float | None
) -> None:
    result = relative(before, after, direction)
    assert result is None if wanted is None else result == pytest.approx(wanted)


def test_what_cannot_be_paired_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    evaluation(folder, "single", ["raf_db"], 0, wrong=1)
    assert run("transfer", str(folder)) == 2
    assert "after both a single and a joint training" in capsys.readouterr().err
    evaluation(folder, "joint", ["gazefollow", "raf_db"], 0, wrong=1, prompt="other")
    assert run("transfer", str(folder)) == 2
    assert "did not use the same questions" in capsys.readouterr().err
    evaluation(folder, "single", ["raf_db"], 0, wrong=2)
    assert run("transfer", str(folder)) == 2
    errors = capsys.readouterr().err
    assert "several single trainings of m on raf_db" in errors
    assert "one training, asked twice" in errors
    assert run("transfer", str(tmp_path / "nowhere")) == 2


def test_trainings_that_cannot_be_told_apart_are_named_with_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rate, limit in ((1e-4, 10), (1e-3, 10)):
        message = {"fingerprint": str(rate), "settings": {"rate": rate, "limit": limit}}
        evaluation(tmp_path, "single", ["raf_db"], 0, wrong=1, said=message)
    evaluation(tmp_path, "joint", ["gazefollow", "raf_db"], 0, wrong=1)
    assert run("transfer", str(tmp_path)) == 2
    said_of = " ".join(capsys.readouterr().err.split())
    assert "they differ in settings.rate 0.0001 and 0.001" in said_of
    assert "limit" not in said_of


def test_models_with_another_tower_are_compared_among_themselves(tmp_path: Path) -> None:
    for tower, single in (("a" * 64, 4), ("b" * 64, 2)):
        evaluation(tmp_path, "single", ["raf_db"], 0, wrong=single, said={"tower": tower})
        evaluation(tmp_path, "joint", ["gazefollow", "raf_db"], 0, wrong=1, said={"tower": tower})
    assert run("transfer", str(tmp_path), "--results", str(tmp_path / "r")) == 0
    analysis = read_analysis(next((tmp_path / "r").rglob("analysis.json")).parent)
    rows = {str(row["model"]): row["relative"] for row in analysis.table("transfer").records()}
    assert rows == {
        "m (tower aaaaaaaa)": pytest.approx((5 - 2) / 2),
        "m (tower bbbbbbbb)": pytest.approx((5 - 4) / 4),
    }
