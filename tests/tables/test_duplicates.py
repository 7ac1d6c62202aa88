from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.runs.record import Counts, EvaluationRecord
from harness.stats.interval import Interval
from harness.tables import build_table
from harness.tables.build import TableOptions
from tests.tables.records import metric, record


def seeded(seed: int, value: float | None, **changes: object) -> EvaluationRecord:
    return record("a", "x", metric(value), settings={"seed": seed}, **changes)


def test_by_default_seeds_are_rows_of_their_own() -> None:
    table = build_table([seeded(0, 0.2), seeded(1, 0.4)])
    assert [row.model for row in table.rows] == ["a (seed=0)", "a (seed=1)"]


def test_a_mean_over_seeds_says_that_it_is_one() -> None:
    def interval(values: Sequence[float]) -> Interval:
        return Interval(min(values), max(values), 0.95, "range, for a test", 0, "few seeds")

    table = build_table(
        [seeded(0, 0.2), seeded(1, 0.4), seeded(2, 0.9)],
        options=TableOptions(duplicates="mean", seed_interval=interval),
    )
    (row,) = table.rows
    cell = row.cells[0]
    assert row.model == "a"
    assert cell is not None
    assert cell.value == pytest.approx(50)
    assert cell.low == pytest.approx(20)
    assert cell.high == pytest.approx(90)
    assert cell.seeds == 3
    assert any("Means over 3 evaluations" in note for note in table.notes)
    assert "X: few seeds." in table.notes
    assert "Intervals: 95 %, range, for a test." in table.notes


def test_a_mean_without_an_interval_has_none() -> None:
    table = build_table([seeded(0, 0.2), seeded(1, 0.4)], options=TableOptions(duplicates="mean"))
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert (cell.low, cell.high) == (None, None)


def test_two_seeds_with_equal_numbers_are_two() -> None:
    table = build_table([seeded(0, 0.2), seeded(1, 0.2)], options=TableOptions(duplicates="mean"))
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert cell.seeds == 2


def test_a_mean_of_which_one_number_is_undefined_is_undefined() -> None:
    table = build_table([seeded(0, 0.2), seeded(1, None)], options=TableOptions(duplicates="mean"))
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert cell.value is None


def test_marks_and_losses_of_all_seeds_stand_beside_a_mean() -> None:
    item = seeded(0, 0.2, marks=("errored",), counts=Counts(40, 39, 1, 4, 0, 20))
    table = build_table([item, seeded(1, 0.4)], options=TableOptions(duplicates="mean"))
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert (cell.marks, cell.errors, cell.n) == (("errored",), 1, 39)


def test_the_newest_is_taken_by_its_clock(tmp_path: Path) -> None:
    records = []
    for name, day, value in (("new", "2026-02-01", 0.4), ("old", "2026-01-01", 0.2)):
        folder = tmp_path / name
        folder.mkdir()
        message = json.dumps({"finished": f"{day}T00:00:00+00:00"})
        (folder / "timings.json").write_text(message, encoding="utf-8")
        records.append(record("a", "x", metric(value), directory=folder))
    table = build_table(records, options=TableOptions(duplicates="newest"))
    assert [cell.value for row in table.rows for cell in row.cells if cell] == [pytest.approx(40)]


def test_without_a_clock_the_newest_is_not_known() -> None:
    records = [
        record("a", "x", metric(0.2), directory=Path("results/one")),
        record("a", "x", metric(0.4), directory=Path("results/two")),
    ]
    with pytest.raises(UserError, match="the newest is unknown"):
        build_table(records, options=TableOptions(duplicates="newest"))


def test_a_refusal_names_the_flag_that_decides() -> None:
    records = [
        record("a", "x", metric(0.2), directory=Path("results/one")),
        record("a", "x", metric(0.4), directory=Path("results/two")),
    ]
    with pytest.raises(UserError, match="--duplicates newest"):
        build_table(records)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_undefined(value: float) -> None:
    table = build_table([record("a", "x", metric(value)), record("b", "x", metric(0.2))])
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert (cell.value, cell.low, cell.high, cell.rank) == (None, None, None, "")


def test_a_copy_with_other_marks_adds_its_marks() -> None:
    table = build_table([record("a", "x"), record("a", "x", marks=("limited",))])
    (cell,) = [cell for row in table.rows for cell in row.cells if cell]
    assert cell.marks == ("limited",)


def test_a_mean_counts_every_kind_of_loss() -> None:
    from harness.tables.duplicates import settled
    from harness.tables.rows import Key, Placed

    losses = dict.fromkeys(("errors", "unparsed", "refusals", "unlabelled", "cut", "unfinished"), 3)
    counts = Counts(samples=40, scored=37, clusters=20, notes={"far": 2}, **losses)
    placed = [Placed(Key(0), seeded(seed, 0.2, counts=counts)) for seed in (0, 1)]
    (mean,) = settled(placed, "mean")
    assert mean.record.counts == counts
