"""What a training takes is told from the newest one that was like it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness_training.estimate import estimate
from harness_training.parts import LoraSettings
from harness_training.settings import TrainingSettings

SIZES = {"all": 100, "trained": 10, "bytes": 4096}
EPOCH = {"samples": 20, "training_seconds": 40.0, "measuring_seconds": 5.0}
RECORD: dict[str, Any] = {
    "model": {"fingerprint": "m"},
    "recipe": {"id": "asd"},
    "parts": "auto",
    "lora": {"rank": 16, "alpha": 32, "dropout": 0.0},
    "settings": TrainingSettings().about(),
    "data": {"samples": 10},
    "trained": {"parts": ["connector", "lora"], "frozen": []},
    "parameters": SIZES,
    "epochs": [EPOCH, EPOCH],
}


@pytest.fixture
def plan(tmp_path: Path) -> Any:
    task = SimpleNamespace(settings=SimpleNamespace(results=tmp_path / "results"))
    return SimpleNamespace(
        about={"model": {"fingerprint": "m"}},
        recipe=SimpleNamespace(id="asd"),
        chooses_weights=False,
        parts="auto",
        lora=LoraSettings(),
        settings=TrainingSettings(epochs=3),
        pool=SimpleNamespace(examples=[0] * 50),
        tasks=[task],
    )


def put(folder: Path, age: int = 0, **other: Any) -> Path:
    folder.mkdir(parents=True)
    path = folder / "train.json"
    path.write_text(json.dumps({**RECORD, **other}))
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return folder


def test_seconds_grow_with_epochs_and_samples(plan: Any, tmp_path: Path) -> None:
    put(tmp_path / "trained" / "before")
    result = estimate(plan, tmp_path / "trained" / "now")
    assert result is not None
    # 2 s a sample that is shown, and half a second a sample of the pool to measure it.
    assert result.seconds == pytest.approx((2.0 + 0.5) * 3 * 50)
    assert result.sizes == SIZES
    plan.recipe.id = "ft"
    other = estimate(plan, tmp_path / "trained" / "now")
    assert other is not None
    assert other.seconds == pytest.approx(2.0 * 3 * 50)


def test_recipes_that_choose_weights_tell_of_themselves_alone(plan: Any, tmp_path: Path) -> None:
    put(tmp_path / "before", trained={"parts": ["connector"], "frozen": ["connector 0.weight"]})
    assert estimate(plan, tmp_path / "now") is not None
    plan.recipe.id = "ft"
    assert estimate(plan, tmp_path / "now") is None
    put(tmp_path / "later")
    assert estimate(plan, tmp_path / "now") is not None
    plan.chooses_weights = True
    assert estimate(plan, tmp_path / "now") is None


def test_epochs_that_are_done_take_no_time(plan: Any, tmp_path: Path) -> None:
    put(tmp_path / "before")
    (tmp_path / "now" / "epoch-000" / "end").mkdir(parents=True)
    (tmp_path / "now" / "epoch-001").mkdir()
    result = estimate(plan, tmp_path / "now")
    assert result is not None
    assert result.seconds == pytest.approx(2.5 * 2 * 50)


def test_the_newest_training_of_results_or_beside_tells(plan: Any, tmp_path: Path) -> None:
    out = tmp_path / "trained" / "now"
    assert estimate(plan, out) is None
    old = put(tmp_path / "trained" / "old", age=2)
    new = put(tmp_path / "results" / "trainings" / "new", age=1)
    result = estimate(plan, out)
    assert result is not None
    assert result.folder == new
    (new / "train.json").write_text("{")
    result = estimate(plan, out)
    assert result is not None
    assert result.folder == old


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"fingerprint": "n"}},
        {"parts": "full"},
        {"lora": {"rank": 4}},
        {"settings": replace(TrainingSettings(), device="cpu").about()},
        {"settings": replace(TrainingSettings(), checkpointing=True).about()},
        {"processes": 2},
        {"epochs": []},
        {"epochs": [{"samples": 20}]},
        {"parameters": None},
        {"lora": {"rnk": 4}},
        {"model": 3},
        {"settings": []},
    ],
)
def test_a_training_that_was_not_like_it_tells_nothing(
    plan: Any, tmp_path: Path, other: dict[str, Any]
) -> None:
    put(tmp_path / "before", **other)
    assert estimate(plan, tmp_path / "now") is None
