from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.plugins import plugins
from harness.runs.record import Counts, EvaluationRecord
from harness.stats.interval import Interval
from harness.tables import Table, build_table
from harness.tables.build import TableOptions
from harness.tables.layout import Layout, LayoutColumn, LayoutRows, Match
from harness.tables.notes import BESIDE
from harness.tables.render import render
from harness.tables.table import TableStyle
from tests.tables.records import metric, record


def names(table: Table) -> list[str]:
    return [row.model for row in table.rows]


def test_rows_are_models_and_columns_are_tasks() -> None:
    table = build_table([record("a", "x"), record("a", "y"), record("b", "y")])
    assert [column.task for column in table.columns] == ["x", "y"]
    assert names(table) == ["a", "b"]
    assert [cell is None for cell in table.rows[1].cells] == [True, False]
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert (cell.value, cell.low, cell.high) == pytest.approx((50.0, 40.0, 60.0))
    assert (cell.n, cell.clusters, cell.level) == (40, 20, 0.95)


def test_only_the_tasks_asked_for_are_shown_in_their_order() -> None:
    records = [record("a", "x"), record("a", "y"), record("a", "z")]
    assert [c.task for c in build_table(records, tasks=["z", "x"]).columns] == ["z", "x"]
    with pytest.raises(UserError, match="unknown task among these evaluations 'zz'"):
        build_table(records, tasks=["zz"])


def test_another_metric_can_be_asked_for() -> None:
    values = (
        metric(0.5),
        metric(0.2, name="recall", column="Friends", main=False, options={"label": "friends"}),
        metric(0.3, name="recall", column="Family", main=False, options={"label": "family"}),
    )
    table = build_table([record("a", "x", *values), record("a", "y")], metric="recall")
    assert [column.name for column in table.columns] == ["Friends", "Family"]
    assert [c.name for c in build_table([record("a", "x", *values)], metric="Family").columns] == [
        "Family"
    ]
    with pytest.raises(UserError, match="did you mean 'recall'"):
        build_table([record("a", "x", *values)], metric="recal")


def test_no_record_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="no finished evaluation"):
        build_table([])


# --- names of rows --------------------------------------------------------------------------------


def test_namesakes_are_told_apart_by_the_options_that_differ() -> None:
    table = build_table(
        [
            record(model_fingerprint="1", model_options={"size": 2, "prefix": True, "note": None}),
            record(model_fingerprint="2", model_options={"size": 4, "prefix": True, "note": "x"}),
        ]
    )
    assert names(table) == ["echo (size=2, note=unset)", "echo (size=4, note=x)"]


def test_a_row_without_a_word_on_reasoning_has_the_default() -> None:
    strip = {"reasoning": "strip", "reasoning_tags": [], "reasoning_tokens": 0}
    table = build_table(
        [record(model_fingerprint="1"), record(model_fingerprint="2", model_options=strip)]
    )
    assert names(table) == ["echo (reasoning=auto)", "echo (reasoning=strip)"]


def test_namesakes_are_told_apart_by_settings_and_at_last_by_fingerprint() -> None:
    by_settings = build_table([record(settings={"shots": 0}), record(settings={"shots": 4})])
    assert names(by_settings) == ["echo (shots=0)", "echo (shots=4)"]
    by_weights = build_table(
        [record(model_fingerprint="1" * 64), record(model_fingerprint="2" * 64)]
    )
    assert names(by_weights) == ["echo (#11111111)", "echo (#22222222)"]


def test_an_option_with_the_name_of_a_setting_and_a_dtype_tell_rows_apart() -> None:
    seeds = [
        record(model_fingerprint=str(seed), model_options={"seed": seed}, settings={"seed": 0})
        for seed in (1, 2)
    ]
    assert names(build_table(seeds)) == ["echo (-o seed=1)", "echo (-o seed=2)"]
    dtypes = [
        record(model_fingerprint=dtype, identity={"dtype": dtype})
        for dtype in ("float16", "float32")
    ]
    assert names(build_table(dtypes)) == ["echo (dtype=float16)", "echo (dtype=float32)"]


# --- comparability --------------------------------------------------------------------------------


def test_records_of_unequal_tasks_are_put_apart_and_the_difference_is_said() -> None:
    odd: dict[str, Any] = {
        "task_fingerprint": "other",
        "task_parts": {"prompt": "p", "sample ids": "few"},
    }
    table = build_table([record("c", **odd), record("a"), record("b")])
    assert [[row.model for row in section.rows] for section in table.sections] == [
        ["a", "b"],
        ["c"],
    ]
    assert table.sections[0].title == ""
    assert table.sections[1].title == (
        "Not comparable with the rows above: PISC FINE differs in sample ids"
    )


def test_a_whole_split_stands_above_parts_of_it() -> None:
    part: dict[str, Any] = {"task_fingerprint": "of ten samples", "marks": ("limited",)}
    table = build_table([record("a", **part), record("b", **part), record("c")])
    assert [[row.model for row in section.rows] for section in table.sections] == [
        ["c"],
        ["a", "b"],
    ]


def test_a_title_says_what_differs_as_far_as_records_keep_it() -> None:
    few = Counts(10, 10, 0, 0, 0, 5)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"task_parts": {"prompt": "p", "sample ids": "few"}, "counts": few},
         "sample ids (samples 10, above 40)"),
        ({"task_parts": {"prompt": "q", "sample ids": "s"},
          "settings": {"asked": {"shots": 2, "temperature": 0.5}}},
         "prompt (shots 2, above the task's own)"),
        ({"task_parts": {"prompt": "p", "sample ids": "s", "ask": "x"},
          "settings": {"asked": {"shots": 2, "temperature": 0.5}}},
         "ask (temperature 0.5, above the task's own)"),
        ({"task_parts": {"prompt": "p", "sample ids": "s", "options": "x"},
          "task_options": {"unit": "image"}}, "options (unit image, above the task's own)"),
        ({"task_parts": {"prompt": "p", "sample ids": "s", "spec": "x"}, "task_version": 2},
         "spec (version 2, above 1)"),
        ({"task_parts": {"prompt": "q", "sample ids": "s"}}, "prompt"),
    ]  # fmt: skip
    for other, text in changes:
        table = build_table([record("a"), record("b"), record("c", task_fingerprint="o", **other)])
        assert table.sections[1].title.endswith(f"differs in {text}")


def test_one_model_asked_in_two_ways_has_two_rows_and_no_average() -> None:
    table = build_table(
        [record("a", "x", metric(0.2)), record("a", "x", metric(0.4), task_fingerprint="other")]
    )
    values = [row.cells[0].value for row in table.rows if row.cells[0] is not None]
    assert values == pytest.approx([20.0, 40.0])
    assert len(table.sections) == 2


def test_other_images_are_another_task_and_no_images_fit_any() -> None:
    table = build_table(
        [record("a", images="1"), record("b", images="2"), record("c"), record("d", images="2")]
    )
    assert [[row.model for row in section.rows] for section in table.sections] == [
        ["b", "c", "d"],
        ["a"],
    ]
    assert table.sections[1].title.endswith("differs in images")


def test_two_different_evaluations_for_one_cell_are_refused_by_name() -> None:
    records = [
        record("a", "x", metric(0.2), directory=Path("results/one")),
        record("a", "x", metric(0.4), directory=Path("results/two")),
    ]
    with pytest.raises(UserError, match=r"results.one and results.two") as caught:
        build_table(records)
    assert caught.value.exit_code == 2


def test_two_equal_evaluations_are_one() -> None:
    copy = record("a", "x", directory=Path("elsewhere"))
    assert build_table([record("a", "x"), copy]) == build_table([record("a", "x")])


def test_rows_that_count_different_samples_are_said_to() -> None:
    lost = Counts(samples=40, scored=39, errors=1, unparsed=0, refusals=0, clusters=20)
    note = (
        "X (x): the rows count different samples: 40 (a), 39 (b); "
        "--intersect counts those that all of them share."
    )
    assert note in build_table([record("a", "x"), record("b", "x", counts=lost)]).notes
    assert note not in build_table([record("a", "x"), record("b", "y", counts=lost)]).notes


@pytest.mark.parametrize(
    ("low", "high", "is_beside"),
    [(0.6, 0.7, True), (0.1, 0.4, True), (0.5, 0.7, False), (0.3, 0.5, False)],
)
def test_an_interval_beside_its_number_is_explained_below(
    low: float, high: float, *, is_beside: bool
) -> None:
    beside = metric(0.5, interval=Interval(low, high, 0.95, "cluster bootstrap, BCa", 1000))
    table = build_table([record("a", "x", beside)])
    assert (BESIDE in table.notes) is is_beside
    hidden = TableOptions(looks=TableStyle(interval="none"))
    assert BESIDE not in build_table([record("a", "x", beside)], options=hidden).notes


# --- notes ----------------------------------------------------------------------------------------


def test_a_mark_on_every_cell_is_said_once_and_one_on_some_stands_beside_them() -> None:
    table = build_table([record("a", marks=("demo", "limited")), record("b", marks=("demo",))])
    assert [row.cells[0].shown for row in table.rows if row.cells[0]] == [("limited",), ()]
    assert table.notes[0].startswith("Every number is marked demo:")
    assert "mean nothing outside the demo world" in table.notes[0]
    assert table.notes[1].startswith("(L) limited:")


def test_named_options_are_said_but_for_empty_ones() -> None:
    table = build_table(
        [record(task_options={"absent_class": "leave_out", "crop": True, "columns": ""})]
    )
    assert table.notes[0] == (
        "PISC FINE (pisc_fine, version 1): 40 samples; named options: "
        "absent_class = leave_out, crop = true."
    )


_COUNTS = Counts(40, 40, 0, 0, 0, 20)


def test_losses_are_counted_beside_the_number() -> None:
    table = build_table([record(counts=Counts(50, 40, 10, 4, 2, 20), marks=("errored",))])
    cell = table.rows[0].cells[0]
    assert cell is not None
    assert (cell.n, cell.errors, cell.unparsed, cell.refusals) == (40, 10, 0.1, 0.05)
    assert "scored as wrong" in table.notes[-1]


def test_cut_answers_and_unfinished_reasoning_are_noted() -> None:
    counts = Counts(50, 40, 10, 4, 2, 20, cut=7, unfinished=3)
    cut, unfinished = build_table([record(counts=counts)]).notes[-2:]
    assert cut.startswith("Answers that their limit of tokens cut: 7 of 40 (")
    assert "used up their tokens while reasoning" in unfinished
    assert "3 of 40" in unfinished
    assert "-o reasoning_tokens" in unfinished
    many = [record(f"m{number}", counts=counts) for number in range(9)]
    assert "and in 3 more evaluations" in build_table(many).notes[-1]


def test_a_note_names_the_evaluations_only_where_their_counts_differ() -> None:
    def last_note(*counts: tuple[str, int]) -> str:
        records = [
            record(model, "x", counts=replace(_COUNTS, notes={"left out": times} if times else {}))
            for model, times in counts
        ]
        return build_table(records).notes[-1]

    assert last_note(("a", 1200), ("b", 1200)) == "X (x): left out: 1,200."
    assert last_note(("a", 1200), ("b", 3)) == "X (x): left out: 1,200 (a), 3 (b)."
    assert last_note(("a", 1200), ("b", 0)) == "X (x): left out: 1,200 (a)."
    many = last_note(*((f"m{number}", 1 + number) for number in range(9)))
    assert many.endswith("6 (m5), and in 3 more evaluations.")


def test_a_note_names_rows_not_models() -> None:
    counts = replace(_COUNTS, notes={"left out": 2}, cut=1)
    table = build_table(
        [
            record("a", "x", settings={"rate": rate}, counts=counts, fingerprint=f"{rate}")
            for rate in (1, 2)
        ]
        + [record("b", "x", counts=_COUNTS)]
    )
    names = [row.model for row in table.rows]
    assert names == ["a (rate=1)", "a (rate=2)", "b"]
    assert table.notes[-1] == "X (x): left out: 2 (a (rate=1)), 2 (a (rate=2))."
    assert "(a (rate=1), x)" in table.notes[-2]


@pytest.mark.parametrize(
    ("row", "name"), [("A 7B + FT", "A 7B + FT"), ("FT", "A 7B: FT"), ("", "A 7B: a")]
)
def test_a_note_names_the_group_of_a_row_unless_the_row_does(row: str, name: str) -> None:
    noted = record("a", "x", counts=replace(_COUNTS, notes={"left out": 2}))
    layout = Layout(
        id="table",
        title="Table",
        columns=(LayoutColumn("x"),),
        rows=(LayoutRows((Match("a"),), "A 7B", row),),
    )
    table = build_table([noted, record("b", "x", counts=_COUNTS)], layout=layout)
    assert f"X (x): left out: 2 ({name})." in table.notes


def test_the_interval_is_explained_only_where_there_is_one() -> None:
    assert build_table([record()]).notes[-1] == ("Intervals: 95 %, cluster bootstrap, percentile.")
    assert not any(
        "Intervals" in note for note in build_table([record("a", "x", metric(None))]).notes
    )


def test_intervals_that_are_not_shown_are_not_explained() -> None:
    table = build_table([record()], options=TableOptions(looks=TableStyle(interval="none")))
    assert "Intervals" not in table.caption
    assert not any("Intervals" in note for note in table.notes)


def test_a_note_says_what_differences_are_to() -> None:
    records = [record("a"), record("b", "pisc_fine", metric(0.25))]
    table = build_table(records, options=TableOptions(baseline="b"))
    assert table.notes[-1] == "In parentheses, with its sign: the difference to b."
    assert not any("difference" in note for note in build_table(records).notes)


def _skewed(model: str, yes: float) -> EvaluationRecord:
    skew = metric(0.0, name="max_skew", column="MaxSkew@C", direction="zero", scale=1.0)
    share = metric(yes, name="yes_rate", column="Yes rate", direction="none", main=False)
    return record(model, "fairface", skew, replace(share, range=(0.0, 1.0)))


def test_a_number_best_at_zero_stands_beside_the_share_of_yes_and_one_sided_models_are_marked() -> (
    None
):
    table = build_table([_skewed("always", 0.97), _skewed("never", 0.05), _skewed("half", 0.5)])
    assert [column.name for column in table.columns] == ["MaxSkew@C", "Yes rate"]
    marks = {row.model: [cell.shown for cell in row.cells if cell] for row in table.rows}
    assert marks["always"] == marks["never"] == [("one-sided",)] * 2
    assert marks["half"] == [(), ()]
    assert sum("(O) one-sided" in note for note in table.notes) == 1
    later = TableOptions(one_sided=0.98)
    assert not any(
        "one-sided" in note for note in build_table([_skewed("a", 0.97)], options=later).notes
    )


def test_a_bias_whose_sign_depends_on_the_wording_is_marked_in_every_format() -> None:
    def asked(model: str, skew: float, variant: str = "", seed: int = 0) -> EvaluationRecord:
        bias = metric(skew, name="min_skew", column="MinSkew@C", direction="zero", scale=1.0)
        parts = {"spec": "s"} | ({"variant": variant} if variant else {})
        name = f"{model} {seed} {variant}"
        return record(
            model, "fairface", bias, settings={"seed": seed}, variant=variant, task_parts=parts,
            fingerprint=name, lineage=name,
        )  # fmt: skip

    records = [
        asked("turns", -0.2), asked("turns", 0.1, "paraphrase 1"),
        asked("stays", -0.2), asked("stays", -0.1, "paraphrase 1"), asked("stays", 0.1, "blur 3"),
        asked("seeds", -0.2), asked("seeds", -0.2, seed=1), asked("seeds", 0.1, "paraphrase 1", 1),
    ]  # fmt: skip
    table = build_table(records, options=TableOptions(duplicates="mean"))
    marks = {row.model: [cell.shown for cell in row.cells if cell] for row in table.rows}
    assert marks == {"turns": [("sign changes",)], "stays": [()], "seeds": [("sign changes",)]}
    assert sum("(W) sign changes" in note for note in table.notes) == 1
    for form in ("plain", "markdown", "html", "latex"):
        assert "(W)" in render(plugins().formats()[form], table)
    for form in ("csv", "json"):
        assert "sign changes" in render(plugins().formats()[form], table)
    unasked = build_table(
        [item for item in records if not item.variant], options=TableOptions(duplicates="mean")
    )
    assert not any("sign changes" in note for note in unasked.notes)


def test_a_layout_that_shows_skew_alone_gets_the_share_of_yes_too_and_only_once() -> None:
    columns = (LayoutColumn("fairface", "MaxSkew@C", group="FairFace"), LayoutColumn("other"))
    layout = Layout(id="x", title="x", columns=columns)
    table = build_table([_skewed("a", 0.97), record("a", "other")], layout=layout)
    assert [(column.over, column.label) for column in table.columns] == [
        ("FairFace", "MaxSkew@C"), ("FairFace", "Yes rate"), ("OTHER", "Accuracy")
    ]  # fmt: skip
    declared = replace(layout, columns=(*columns[:1], LayoutColumn("fairface", "Yes rate")))
    assert len(build_table([_skewed("a", 0.97)], layout=declared).columns) == 2
