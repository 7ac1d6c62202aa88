from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.runs.record import EvaluationRecord
from harness.tables import Table, build_table
from harness.tables.build import TableOptions
from harness.tables.layout import Layout, layout_names, load_layout, load_published
from tests.tables.records import metric, record

TWO = """\
leaderboard: two
title: Two tasks
columns:
  - {task: x, metric: Accuracy, group: First}
  - {task: y, decimals: 0}
"""


def layout(tmp_path: Path, text: str) -> Layout:
    path = tmp_path / "layout.yaml"
    path.write_text(text, encoding="utf-8")
    return load_layout(str(path))


def skews(model: str, task: str, low: float, high: float) -> EvaluationRecord:
    values = [
        metric(
            value, name=name, column=column, direction="zero", scale=1.0, main=name == "min_skew"
        )
        for value, name, column in (
            (low, "min_skew", "MinSkew@C"),
            (high, "max_skew", "MaxSkew@C"),
        )
    ]
    return record(model, task, *values)


def groups(table: Table) -> list[tuple[str, str]]:
    return [(row.group, row.model) for row in table.rows]


# --- what is shipped ------------------------------------------------------------------------------


def test_a_shipped_layout_says_in_its_title_and_caption_nothing_of_the_rows() -> None:
    """Whatever was evaluated can stand in them: baselines, other trainings, another world."""
    of_rows = re.compile(
        r"train|joint|tun(ed|ing)|one by one|alone|together|with(out)? |after|resampl|loss|demo|"
        r"multimodal|model|group|concept|paper|five|two|three tasks",
        re.IGNORECASE,
    )
    for name in layout_names():
        layout = load_layout(name)
        assert not of_rows.search(layout.title), layout.title
        assert not of_rows.search(layout.caption), layout.caption


def test_every_shipped_layout_loads() -> None:
    assert {"asd_ablation", "asd_main", "socialfusion"} <= set(layout_names())
    for name in layout_names():
        layout = load_layout(name)
        assert layout.id == name
        assert layout.looks.label == name


def test_reported_numbers_stand_apart_with_their_source_and_no_rank() -> None:
    records = [skews("llava", "scounter", -0.1, 0.1), skews("llava_2", "scounter", -0.2, 0.2)]
    table = build_table(records, layout=load_layout("asd_main"))
    (panel,) = table.reported
    assert panel.heading.startswith("Reported, not measured here: ")
    assert "2408.06569" in panel.citation
    assert "secondary note" in panel.note
    assert panel.rows[2].model == "LLaVA-7B + ASD"
    assert panel.rows[2].values == (-0.17, 0.37, -0.86, 0.49, -1.50, 0.73, 78.18, None, 58.36)
    assert not any("LLaVA-7B" in row.model for row in table.rows)
    # The reported maximum is nearer zero nowhere, and would not be ranked if it were.
    assert [row.cells[1].rank for row in table.rows if row.cells[1]] == ["best", "second"]


def test_no_number_of_socialfusion_is_reported() -> None:
    assert load_layout("socialfusion").reported == ()


def test_nothing_of_ours_is_called_a_reproduction() -> None:
    folder = Path(__file__).parents[2] / "leaderboards"
    for path in folder.rglob("*.yaml"):
        assert "reproduc" not in path.read_text(encoding="utf-8").lower()


# --- what a layout decides ------------------------------------------------------------------------


def test_columns_take_group_heading_and_decimals(tmp_path: Path) -> None:
    table = build_table([record("a", "y"), record("a", "x")], layout=layout(tmp_path, TWO))
    assert [column.over for column in table.columns] == ["First", "Y"]
    assert table.columns[1].number(12.6) == "13"
    assert table.title == "Two tasks"


def test_a_task_nobody_ran_is_an_empty_column_and_a_note(tmp_path: Path) -> None:
    table = build_table([record("a", "x")], layout=layout(tmp_path, TWO))
    assert table.rows[0].cells[1] is None
    assert "No evaluation of y." in table.notes


def test_a_layout_of_which_nothing_was_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="layout's tasks: x, y"):
        build_table([record("a", "z")], layout=layout(tmp_path, TWO))


def test_rows_come_in_groups_and_order_and_the_rest_last(tmp_path: Path) -> None:
    text = TWO + (
        "rows:\n"
        "  - {group: Ours, label: Best of ours, match: [{model: 'our*', options: {size: 2}}]}\n"
        "  - {group: Baselines, match: [{model: random}, {model: majority}]}\n"
    )
    records = [
        record("random", "x"),
        record("else", "x"),
        record("ours", "x", model_options={"size": 2}),
        record("ours", "y", model_options={"size": 1}),
    ]
    content = layout(tmp_path, text)
    assert groups(build_table(records, layout=content)) == [
        ("Ours", "Best of ours"),
        ("Baselines", "random"),
        ("Others", "else"),
        ("Others", "ours"),
    ]
    only = layout(tmp_path, text + "others: false\n")
    assert groups(build_table(records, layout=only)) == [
        ("Ours", "Best of ours"),
        ("Baselines", "random"),
    ]


def test_ranks_can_be_within_groups(tmp_path: Path) -> None:
    rows = "rows:\n  - {group: A, match: [{model: 'a*'}]}\n  - {group: B, match: [{model: 'b*'}]}\n"
    records = [record(n, "x", metric(v)) for n, v in (("a1", 0.9), ("a2", 0.8), ("b1", 0.1))]
    together = build_table(records, layout=layout(tmp_path, TWO + rows))
    apart = build_table(records, layout=layout(tmp_path, TWO + rows + "rank: group\n"))
    messages = [[row.cells[0].rank for row in t.rows if row.cells[0]] for t in (together, apart)]
    assert messages == [["best", "second", ""], ["best", "second", ""]]
    more = [*records, record("b2", "x", metric(0.2))]
    apart = build_table(more, layout=layout(tmp_path, TWO + rows + "rank: group\n"))
    assert [row.cells[0].rank for row in apart.rows if row.cells[0]] == [
        "best", "second", "second", "best",
    ]  # fmt: skip


def test_a_row_of_several_models_and_its_transfer(tmp_path: Path) -> None:
    text = TWO + (
        "delta: arrow\n"
        "rows:\n"
        "  - label: Joint\n"
        "    versus: Alone\n"
        "    match: [{model: joint}]\n"
        "  - label: Alone\n"
        "    match: [{model: one_x, task: x}, {model: one_y, task: y}]\n"
        "  - label: Never run\n"
        "    match: [{model: nobody}]\n"
    )
    records = [
        record("joint", "x", metric(0.6)),
        record("joint", "y", metric(0.2)),
        record("one_x", "x", metric(0.5)),
        record("one_y", "y", metric(0.5)),
    ]
    table = build_table(records, layout=layout(tmp_path, text))
    assert [row.model for row in table.rows] == ["Joint", "Alone"]
    assert [cell.trend for cell in table.rows[0].cells if cell] == ["better", "worse"]
    assert "Against the row compared with: ▲ better, ▼ worse, = same." in table.notes
    assert "No evaluation for the rows Never run." in table.notes


def test_two_evaluations_for_a_labelled_row_ask_for_a_rule(tmp_path: Path) -> None:
    content = layout(tmp_path, TWO + "rows: [{label: All, match: [{model: '*'}]}]\n")
    records = [record("a", "x", metric(0.2)), record("b", "x", metric(0.4))]
    with pytest.raises(UserError, match="two different evaluations of 'All'"):
        build_table(records, layout=content)
    table = build_table(records, layout=content, options=TableOptions(duplicates="mean"))
    assert [cell.value for cell in table.rows[0].cells if cell] == [pytest.approx(30)]


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "place", "message"),
    [
        ("colour: red\n", ":6:1", "unknown key 'colour'"),
        ("rank: best\n", ":6:7", "rank"),
        ("reported: [nowhere]\n", ":6:12", "unknown published table 'nowhere'"),
        ("rows: [{label: A, versus: B, match: [{model: a}]}]\n", ":6:27", "unknown label 'B'"),
        ("rows: [{group: A}]\n", ":6:8", "'match' is missing"),
        ("decimals: .nan\n", ":6:11", "not a finite number"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, more: str, place: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        layout(tmp_path, TWO + more)
    assert caught.value.where is not None
    assert caught.value.where.endswith(f"layout.yaml{place}")


def test_an_unknown_layout_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'asd_main'"):
        load_layout("asd_mian")


PUBLISHED = """\
published: mine
title: Somebody 2025
citation: Somebody. Something. 2025.
read_in: Read in the paper.
rows:
  - label: A
    values: {x: {Accuracy: 50}}
"""


def test_a_published_table_without_citation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = PUBLISHED.replace("citation: Somebody. Something. 2025.\n", "")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="'citation' is missing") as caught:
        load_published(path)
    assert caught.value.where == f"{path}:1:1"


@pytest.mark.parametrize("value", [".nan", "'50'", "null", ".inf"])
def test_a_published_number_is_a_finite_number(tmp_path: Path, value: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PUBLISHED.replace("50", value), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_published(path)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{path}:7:")


def test_published_tables_beside_a_layout_come_first(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "mine.yaml").write_text(PUBLISHED, encoding="utf-8")
    table = build_table([record("a", "x")], layout=layout(tmp_path, TWO + "reported: [mine]\n"))
    (panel,) = table.reported
    assert panel.rows[0].values == (50, None)


# --- the page -------------------------------------------------------------------------------------


def test_the_examples_of_the_page_are_valid(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "leaderboards.md"
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    mine, somebody = blocks
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "somebody.yaml").write_text(somebody, encoding="utf-8")
    content = layout(tmp_path, mine)
    records = [
        record("faces_1", "raf_db", metric(0.5), metric(0.4, column="Mean class acc.", main=False)),
        record("socialfusion", "hagridv2", model_options={"size": 2}),
        record("else", "hagridv2"),
    ]
    table = build_table(records, layout=content)
    assert [row.model for row in table.rows] == ["joint", "alone"]
    assert table.reported[0].rows[0].model == "Their model"
