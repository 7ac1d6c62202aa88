"""Which samples validate, and which epoch is the best; no weight is loaded here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_training.pool import cluster_of, make_pool, on_train_split
from harness_training.settings import TrainingSettings
from harness_training.validation import best_epoch, named_task, plan_validation
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.errors import UserError


@pytest.mark.parametrize(
    ("values", "direction", "best"),
    [
        ([0.2, 0.9, 0.4], "higher", 1),
        ([0.2, 0.9, 0.1], "lower", 2),
        ([-0.5, 0.1, -0.05, 0.3], "zero", 2),
        ([0.5, 0.5, None], "higher", 0),
        ([None, 0.1], "higher", 1),
        ([None, None], "lower", None),
        ([], "higher", None),
    ],
)
def test_the_best_epoch_is_the_first_nearest_to_where_the_metric_points(
    values: list[float | None], direction: str, best: int | None
) -> None:
    assert best_epoch(values, direction) == best


@given(st.lists(st.floats(-5, 5) | st.none(), min_size=1), st.integers(1, 30))
def test_an_epoch_that_is_not_the_best_so_far_never_becomes_it(
    values: list[float | None], at: int
) -> None:
    """What lets the weights of old epochs be removed."""
    before, after = best_epoch(values[:at], "zero"), best_epoch(values, "zero")
    assert after == before or after is None or after >= at


def test_task_and_metric_are_parted_by_a_colon() -> None:
    assert named_task("cmsc:MaxSkew@C") == ("cmsc", "MaxSkew@C")
    for wrong in ("cmsc", "cmsc:", ":skew"):
        with pytest.raises(UserError, match="is not TASK:METRIC"):
            named_task(wrong)


def settings(**keywords: Any) -> TrainingSettings:
    return TrainingSettings(**{"validate": "raf_db:accuracy", **keywords})


def test_clusters_held_out_are_validated_on_and_not_trained_on(faces: Path) -> None:
    task = harness.load_task("raf_db", data=faces)
    result = plan_validation(task, settings(hold_out=0.3))
    assert result.about()["split"] == "train"
    assert len(result.ids) == result.about()["held_out"] == 4  # 0.3 x 13, rounded up
    pool = make_pool([task], form=None, limit=None, seed=0, without=result.without)
    taught = {lesson.sample.id for lesson in pool.lessons}
    every = {sample.id for sample in on_train_split(task).samples()}
    assert taught | result.ids == every
    assert not taught & result.ids
    assert not {cluster_of(task, lesson.sample) for lesson in pool.lessons} & result.without
    assert result.seen() == {f"raf_db {name}" for name in result.ids}
    again = plan_validation(task, settings(hold_out=0.3, seed=5))
    assert again.ids == result.ids  # of every seed: trainings validate on the same samples


def test_annotations_that_are_missing_are_named(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    task = harness.load_task("hagridv2", data=tmp_path / "empty")
    with pytest.raises(UserError, match=r"annotations of 'hagridv2' \(val\) are missing"):
        plan_validation(task, settings(validate="hagridv2:F1"))


def test_so_many_samples_at_most(faces: Path) -> None:
    task = harness.load_task("raf_db", data=faces)
    assert len(plan_validation(task, settings(hold_out=0.5, validate_limit=3)).ids) == 3


def test_the_split_that_is_evaluated_never_validates(faces: Path) -> None:
    with pytest.raises(UserError, match="has no validation split of its own: it has train, test"):
        plan_validation(harness.load_task("raf_db", data=faces), settings())
    wanted = settings(validate="fairface:MaxSkew@C")
    with pytest.raises(UserError, match="of its own: it is what the task evaluates"):
        plan_validation(harness.load_task("fairface", data=faces), wanted)


def test_a_metric_the_task_has_not_is_refused(faces: Path) -> None:
    task = harness.load_task("raf_db", data=faces)
    with pytest.raises(UserError, match="unknown metric of 'raf_db' 'acuracy'"):
        plan_validation(task, settings(validate="raf_db:acuracy", hold_out=0.3))


def test_something_is_left_to_train_on(faces: Path) -> None:
    rows = faces / "basic" / "EmoLabel" / "list_patition_label.txt"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[4:]))  # 9 faces train
    with pytest.raises(UserError, match="all 9 clusters of 'raf_db' would be held out"):
        plan_validation(harness.load_task("raf_db", data=faces), settings(hold_out=0.9))
