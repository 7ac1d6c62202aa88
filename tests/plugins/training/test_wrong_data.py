"""Data and recipes that are not right: one message each; what was seen is told by its id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness_recipes.plain import FineTune
from harness_training.checkpoint import TrainedCheckpoint
from harness_training.guard import check_pool
from harness_training.pool import make_pool, on_train_split, source_id

import harness
from harness.errors import UserError
from harness.training import Epoch, Example, Recipe
from tests.plugins.benchmarks.people import counterfactuals, shard
from tests.plugins.training.test_train import flags, train


@pytest.mark.parametrize("form", ["open", "yes_no"])
def test_a_task_asked_per_value_is_contaminated_by_the_sample_itself(
    sets: Path, tmp_path: Path, form: str
) -> None:
    task = harness.load_task("scounter", data=sets, options={"concepts": "cmsc"})
    assert all("#" in sample.id for sample in task.samples())
    pool = make_pool([task], form=form, limit=5, seed=0)
    seen = {f"scounter {source_id(lesson.task, lesson.sample)}\n" for lesson in pool.lessons}
    assert len(seen) == 5
    assert not any("#" in line for line in seen)
    (tmp_path / "seen.txt").write_text("".join(seen))
    checkpoint = TrainedCheckpoint(tmp_path, "0" * 64, {}, frozenset(), {})
    assert checkpoint.saw("scounter", on_train_split(task).samples())
    assert not checkpoint.saw("scounter", task.samples())
    assert not checkpoint.saw("cmsc", on_train_split(task).samples())


def test_samples_without_attributes_are_named_with_what_has_them() -> None:
    class Needy(Recipe):
        needs_groups = True

    pool = [Example("a", "t", "yes", groups={"race": "x"}), Example("b", "t", "yes")]
    with pytest.raises(UserError, match="sample 'b' of 't' has none") as raised:
        check_pool(Needy(), "needy", pool)
    assert "train on a task whose samples carry groups" in str(raised.value)


@pytest.mark.torch
def test_a_counterfactual_set_without_its_attribute_is_refused(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = counterfactuals("chef", 0)
    rows[3]["a2"] = None
    (tmp_path / "sets").mkdir()
    shard(tmp_path / "sets", rows)
    requested = flags(built, faces, "out", "--recipe", "asd", "--tasks", "scounter")
    requested.remove("--data")
    requested.remove(f"raf_db={faces}")
    assert train(*requested, "--data", f"scounter={tmp_path / 'sets'}") == 2
    errors = capsys.readouterr().err
    assert "row 3" in errors
    assert "a2" in errors
    assert "Traceback" not in errors


def broken(*_: Any) -> Epoch:
    raise ValueError("no such\nthing")


def weighing(weight: float) -> Callable[..., Epoch]:
    def epoch(self: Recipe, number: int, pool: Any, measure: Any, random: Any) -> Epoch:
        order = Recipe.epoch(self, number, pool, measure, random).order
        return Epoch(order, [weight] * len(order))

    return epoch


@pytest.mark.torch
@pytest.mark.parametrize(
    ("epoch", "message"),
    [
        (broken, "recipe 'ft' raised in epoch: ValueError: no such thing"),
        (weighing(float("inf")), "recipe 'ft' gave a weight that is negative or not finite"),
        (weighing(3e38), "the loss is not finite at step 1, samples train_"),
    ],
)
def test_a_recipe_gone_wrong_ends_in_one_message(  # noqa: PLR0917  fixtures
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, epoch: Any, message: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(FineTune, "epoch", epoch)
    assert train(*flags(built, faces, "out", "--epochs", "1", "--learning-rate", "1")) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out" / "train.json").exists()
