"""How a number depends on the way of asking: mean, range, answers that change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness_studies.robustness import build_robustness, changed_share
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json
from harness.errors import UserError
from harness.runs.record import EvaluationRecord
from harness.tables.build import build_table
from tests.tables.records import metric, record


def asked(value: float, variant: str = "", model: str = "echo") -> EvaluationRecord:
    plain = record(model, "raf_db", metric(value))
    return replace(
        plain,
        task_parts={**plain.task_parts, "variant": variant},
        task_fingerprint=f"asked {variant}",
        variant=variant,
    )


EVERY = [asked(0.5), asked(0.7, "paraphrase 1"), asked(0.3, "paraphrase 2")]
ANSWERS = {
    "": {"a": "sad", "b": "glad", "c": "sad"},
    "paraphrase 1": {"a": "sad", "b": "sad", "c": "sad"},
    "paraphrase 2": {"a": "sad", "b": "glad"},
}


def test_a_row_shows_value_mean_range_and_changes() -> None:
    table = build_robustness(EVERY, lambda item: ANSWERS[item.variant])
    (row,) = table.rows
    values = [cell.value for cell in row.cells if cell is not None]
    assert values == pytest.approx([50, 50, 30, 70, 50])
    assert table.columns[0].name == "As asked"
    assert any("as asked, paraphrase 1, paraphrase 2" in note for note in table.notes)


def test_variants_do_not_stand_in_a_leaderboard() -> None:
    (row,) = build_table(EVERY).rows
    (cell,) = row.cells
    assert cell is not None
    assert cell.value == 50
    with pytest.raises(UserError, match="variants of tasks only"):
        build_table(EVERY[1:])


def test_a_model_asked_one_way_only_is_left_out() -> None:
    table = build_robustness([*EVERY, asked(0.9, model="mute")], lambda item: ANSWERS[item.variant])
    assert [row.model for row in table.rows] == ["echo"]
    with pytest.raises(UserError, match="no task was evaluated with several prompts"):
        build_robustness([asked(0.9)], lambda _: {})


@given(st.lists(st.dictionaries(st.integers(0, 5), st.booleans(), min_size=6), min_size=1))
def test_the_share_is_counted_over_shared_samples(ways: list[dict[int, bool]]) -> None:
    named = [{str(key): value for key, value in way.items()} for way in ways]
    changed = [name for name in named[0] if len({way[name] for way in named}) > 1]
    assert changed_share([{**way} for way in named]) == pytest.approx(len(changed) / 6)


def test_a_trained_model_is_named_by_recipe_data_and_seed() -> None:
    plain = record("echo", "raf_db")
    training: dict[str, Json] = {
        "recipe": {"id": "asd"},
        "data": {"tasks": ["scounter"]},
        "seed": 2,
    }
    trained = replace(plain, training=training, model_fingerprint="trained")
    names = [row.model for row in build_table([plain, trained]).rows]
    assert names == ["echo", "echo + asd (scounter, seed 2)"]


def test_a_way_of_asking_without_a_value_leaves_no_mean_of_the_others() -> None:
    lost = replace(EVERY[2], metrics=(metric(None, undefined="one class alone"),))
    (row,) = (
        table := build_robustness([*EVERY[:2], lost], lambda item: ANSWERS[item.variant])
    ).rows
    assert [cell and cell.value for cell in row.cells] == pytest.approx([50, None, None, None, 50])
    reason = "Mean (echo): undefined, paraphrase 2 has no value (one class alone)."
    assert sum(reason in note for note in table.notes) == 1
    lost = replace(EVERY[0], metrics=(metric(None, undefined="one class alone"),))
    (row,) = build_robustness([lost, *EVERY[1:]], lambda item: ANSWERS[item.variant]).rows
    assert row.cells[0] is not None
    assert (row.cells[0].value, row.cells[0].undefined) == (None, "one class alone")


def test_without_a_sample_answered_in_all_ways_no_share_of_them_changes() -> None:
    assert changed_share([{"a": "x"}, {"b": "x"}]) is None
    table = build_robustness(EVERY, lambda item: {item.variant: "sad"})
    assert table.rows[0].cells[-1].value is None  # type: ignore[union-attr]
    assert any("no sample was answered in all ways" in note for note in table.notes)
