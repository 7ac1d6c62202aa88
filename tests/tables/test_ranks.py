from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.tables import Table, build_table
from harness.tables.build import TableOptions
from harness.tables.table import Column
from tests.tables.records import metric, record


def ranks(table: Table, column: int = 0) -> dict[str, str]:
    return {row.model: cell.rank for row in table.rows if (cell := row.cells[column]) is not None}


def test_best_and_second_are_decided_on_unrounded_values() -> None:
    table = build_table(
        [
            record("a", "x", metric(0.50001)),
            record("b", "x", metric(0.50002)),
            record("c", "x", metric(0.4)),
        ]
    )
    assert ranks(table) == {"a": "second", "b": "best", "c": ""}


def test_numbers_that_differ_by_rounding_alone_are_a_tie() -> None:
    values = {"a": 0.65 - 0.35, "b": 0.625 - 0.325, "c": 0.1}
    assert values["a"] != values["b"]
    table = build_table([record(name, "x", metric(value)) for name, value in values.items()])
    assert ranks(table) == {"a": "best", "b": "best", "c": "second"}


def test_every_number_of_a_tie_is_marked() -> None:
    values = {"a": 0.5, "b": 0.5, "c": 0.4, "d": 0.4, "e": 0.1}
    table = build_table([record(name, "x", metric(value)) for name, value in values.items()])
    assert ranks(table) == {"a": "best", "b": "best", "c": "second", "d": "second", "e": ""}


@pytest.mark.parametrize(("direction", "best"), [("higher", "c"), ("lower", "a"), ("zero", "b")])
def test_better_depends_on_the_direction(direction: str, best: str) -> None:
    values = {"a": -0.5, "b": 0.1, "c": 0.4}
    table = build_table(
        [record(n, "x", metric(v, direction=direction, scale=1.0)) for n, v in values.items()]
    )
    assert [name for name, rank in ranks(table).items() if rank == "best"] == [best]


def test_a_number_that_is_better_at_neither_end_ranks_no_row() -> None:
    values = {"a": 0.2, "b": 0.7}
    table = build_table(
        [record(name, "x", metric(value, direction="none")) for name, value in values.items()],
        options=TableOptions(baseline="a"),
    )
    assert ranks(table) == {"a": "", "b": ""}
    assert table.columns[0].heading == "Accuracy"
    assert [cell.trend for row in table.rows for cell in row.cells if cell] == ["", ""]


def test_one_number_alone_is_not_the_best() -> None:
    assert ranks(build_table([record("a"), record("b", "y")])) == {"a": ""}


@pytest.mark.parametrize("mark", ["contaminated", "errored"])
def test_numbers_over_other_samples_or_learnt_ones_are_not_ranked(mark: str) -> None:
    table = build_table(
        [
            record("a", "x", metric(0.9), marks=(mark,)),
            record("b", "x", metric(0.5)),
            record("c", "x", metric(0.4)),
        ]
    )
    assert ranks(table) == {"a": "", "b": "best", "c": "second"}
    assert f"Numbers marked {mark} are not ranked." in table.notes


def test_rows_that_are_not_comparable_are_ranked_apart() -> None:
    table = build_table(
        [
            record("a", "x", metric(0.1)),
            record("b", "x", metric(0.2)),
            record("c", "x", metric(0.9), task_fingerprint="other"),
        ]
    )
    assert ranks(table) == {"a": "second", "b": "best", "c": ""}


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_ranks_follow_the_order_of_the_values(values: list[float]) -> None:
    result = ranks(build_table([record(f"m{n}", "x", metric(v)) for n, v in enumerate(values)]))
    ordered = sorted({value * 100.0 for value in values}, reverse=True)
    wanted = {ordered[0]: "best"} | ({ordered[1]: "second"} if len(ordered) > 1 else {})
    assert result == {f"m{n}": wanted.get(v * 100.0, "") for n, v in enumerate(values)}


# --- tied with the best ---------------------------------------------------------------------------


class Close:
    """Takes every row but one for tied."""

    note = "a made-up test"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, list[str]]] = []

    def __call__(self, column: Column, best: str, others: Sequence[str]) -> Collection[str]:
        self.asked.append((column.task, best, list(others)))
        return {"b on x"}


def test_a_paired_test_is_asked_once_a_column_with_all_other_rows() -> None:
    values = {"a": 0.9, "b": 0.8, "c": 0.1}
    close = Close()
    table = build_table(
        [record(name, "x", metric(value)) for name, value in values.items()],
        options=TableOptions(tied=close),
    )
    assert close.asked == [("x", "a on x", ["b on x", "c on x"])]
    tied = {row.model: cell.tied for row in table.rows if (cell := row.cells[0]) is not None}
    assert tied == {"a": False, "b": True, "c": False}
    assert "≈ a made-up test." in table.notes


# --- differences ----------------------------------------------------------------------------------


def test_differences_are_to_the_row_named() -> None:
    table = build_table(
        [
            record("a", "x", metric(0.5)),
            record("b", "x", metric(0.7)),
            record("b", "y", metric(0.7)),
            record("c", "x", metric(0.2, direction="higher")),
        ],
        options=TableOptions(baseline="a"),
    )
    deltas = {row.model: cell.delta for row in table.rows if (cell := row.cells[0]) is not None}
    assert deltas == {"a": None, "b": pytest.approx(20), "c": pytest.approx(-30)}
    assert table.rows[1].cells[1] is not None
    assert table.rows[1].cells[1].delta is None  # the baseline did not run this task


@pytest.mark.parametrize(
    ("direction", "trend"), [("higher", "worse"), ("lower", "better"), ("zero", "better")]
)
def test_a_trend_is_in_the_sense_of_better(direction: str, trend: str) -> None:
    values = {"a": 0.5, "b": 0.2}
    table = build_table(
        [record(n, "x", metric(v, direction=direction)) for n, v in values.items()],
        options=TableOptions(baseline="a"),
    )
    cell = table.rows[1].cells[0]
    assert cell is not None
    assert cell.delta == pytest.approx(-30)
    assert cell.trend == trend


def test_a_baseline_that_is_no_row_is_refused_with_near_names() -> None:
    with pytest.raises(UserError, match="did you mean 'echo'"):
        build_table([record("echo")], options=TableOptions(baseline="ecco"))
