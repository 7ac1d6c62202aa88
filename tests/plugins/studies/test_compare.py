"""Gains of one row over another, worked by hand: what is better, the seed as unit, the samples."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness_studies import compare as module
from harness_studies.compare import compared_columns, gain_table, gains_of, parts_of
from harness_studies.loader import load_study
from harness_studies.noise import SAMPLES
from harness_studies.plan import plan_study
from harness_studies.run import StudyResult, run_study
from harness_studies.study import Comparison, trials_of
from scipy import stats

from harness.stats.interval import Interval
from harness.tables.columns import column_of
from tests.plugins.studies.world import STUDY, Heard, World
from tests.tables.records import metric, record


def differs(low: float, high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    interval = Interval(low, high, 0.95, "bootstrap", 1000)
    paired = SimpleNamespace(difference=(low + high) / 2, interval=interval)
    item = SimpleNamespace(slice="", metric="accuracy", options={}, paired=paired)
    monkeypatch.setattr(module, "compare", lambda *_: SimpleNamespace(metrics=[item]))


def study(asked: str = "{row: Joint, against: Base}") -> StudyResult:
    text = STUDY.replace("evaluation:", f"compare: [{asked}]\nevaluation:")
    Path("small.yaml").write_text(text, encoding="utf-8")
    content = load_study("small.yaml")
    plans = plan_study(content, Path("results"))
    return run_study(content, plans, Path("out"), Path("results"), Heard())


@pytest.mark.parametrize(
    ("direction", "values", "gain"),
    [
        ("higher", (0.5, 0.6), (0.1, (-0.05, 0.15))),
        ("lower", (0.5, 0.6), (-0.1, (-0.15, 0.05))),
        ("zero", (0.5, 0.6), (-0.1, (-0.15, 0.05))),
        ("zero", (-0.5, -0.4), (0.1, (-0.05, 0.15))),
        ("zero", (-0.5, 0.4), (0.1, (None, None))),  # a share of the way was beyond the best
        ("zero", (0.0, 0.4), (-0.4, (None, None))),
    ],
)
def test_a_gain_is_positive_for_better(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    direction: Any,
    values: tuple[float, float],
    gain: tuple[float, tuple[float | None, float | None]],
) -> None:
    differs(-0.05, 0.15, monkeypatch)
    base, *_, joint = study().outcomes
    collected = []
    for outcome, value in zip((base, joint), values, strict=True):
        made = record("m", "raf_db", metric(value, direction=direction, scale=1.0))
        collected.append((outcome.trial, made))
    [column] = [column_of(made, made.main) for _, made in collected[:1]]
    [result] = gains_of(load_study("small.yaml"), collected, [column])
    value, ends = gain
    assert result.value == pytest.approx(value)
    assert [result.low, result.high] == (
        list(ends) if ends[0] is None else pytest.approx(list(ends))
    )


def test_the_seed_is_the_unit_and_a_base_is_the_same_for_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs(0.0, 0.2, monkeypatch)
    _, table = study().tables
    seeds, samples = table.rows
    cell, beside = seeds.cells[0], samples.cells[0]
    assert cell is not None
    assert beside is not None
    # Base .5, Joint .6 and .7, in percent.
    interval = stats.t.interval(0.95, 1, loc=15.0, scale=stats.sem([10.0, 20.0]))
    assert cell.value == pytest.approx(15.0)
    assert [cell.low, cell.high] == pytest.approx(list(interval))
    # What the bootstrap is of, which is not the difference of the rows where concepts are missing.
    assert [beside.value, beside.low, beside.high] == pytest.approx([10.0, 0.0, 20.0])
    assert seeds.model == "Joint against Base (Both): t over seeds"
    content = json.loads(Path("out/compare_seeds.json").read_text())
    assert [seed["gain"] for seed in content[0]["seeds"]] == pytest.approx([10.0, 20.0])


def test_an_interval_without_a_width_is_said_to_say_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs(0.1, 0.1, monkeypatch)
    _, table = study().tables
    assert sum("has no width and says nothing" in note for note in table.notes) == 1


def test_rows_trained_on_other_data_are_not_paired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs(0.0, 0.2, monkeypatch)
    assert len(study("{row: Joint, against: Single}").tables) == 1


def test_two_columns_of_one_metric_have_their_own_gains(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recall of texts and of images is one metric with two options."""
    differs(0.0, 0.2, monkeypatch)
    base, *_, joint = study().outcomes

    def made(text: float, image: float) -> Any:
        return record(
            "m", "raf_db",
            metric(text, scale=1.0, options={"query": "image"}),
            metric(image, scale=1.0, options={"query": "text"}, main=False),
        )  # fmt: skip

    records = made(0.5, 0.5), made(0.75, 0.625)
    columns = [column_of(records[0], value) for value in records[0].metrics]
    entries = [(base.trial, records[0]), (joint.trial, records[1])]
    loaded = load_study("small.yaml")
    table = gain_table(loaded, gains_of(loaded, entries, columns), columns)
    images = [cell and cell.value for cell in table.rows[0].cells]
    assert images == [0.25, 0.125]


def test_two_rows_without_training_vary_over_samples_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs(0.0, 0.2, monkeypatch)
    base = study().outcomes[0].trial
    loaded = load_study("small.yaml")
    other = replace(base, recipe=replace(base.recipe, label="Method"))
    recipes = *loaded.recipes, other.recipe
    loaded = replace(loaded, recipes=recipes, compare=(Comparison("Method", "Base"),))
    entries = [(trial, record("m", "raf_db", metric(0.5))) for trial in (base, other)]
    columns = [column_of(entries[0][1], entries[0][1].main)]
    assert len(loaded.seeds) > 1
    table = gain_table(loaded, gains_of(loaded, entries, columns), columns)
    assert [row.model for row in table.rows] == [f"Method against Base: {SAMPLES}"]
    assert "seeds: 1" in table.notes[0]


def test_a_share_of_yes_is_neither_better_nor_worse() -> None:
    made = record("m", "t", metric(), metric(name="yes_rate", main=False, direction="none"))
    columns = [column_of(made, value) for value in made.metrics]
    assert [column.metric for column in compared_columns(columns)] == ["accuracy"]


def test_a_task_asked_with_two_choices_is_told_apart_by_them() -> None:
    study = load_study("cmsc_concepts_demo")
    records = []
    for task in study.tasks:
        name = str(task.options["concepts"])
        records.append(
            record("m", "cmsc", metric(), task_options=dict(task.options), fingerprint=name)
        )
    assert parts_of(study, records)["education"] == "concepts = education"
    assert len(trials_of(study)) > len(records)
