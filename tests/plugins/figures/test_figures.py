from __future__ import annotations

import json
import runpy
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from harness_figures import draw, records
from harness_figures.command import plot
from harness_figures.shapes import Grid, Lines, Panel, Point, Spokes

import harness
from harness import targets
from harness.errors import PluginError, UserError
from harness.figures import make, save
from harness.plugins import Plugins, using
from harness.runs.record import Detail, DetailRow, EvaluationRecord
from harness.tables.build import build_table
from harness.tables.columns import column_of
from tests.runs.sealed import answers, write
from tests.tables.records import metric, record

HOSTILE = "$x_1$ </svg><script>\u202e \x07 & 模型"
FOREST = (Panel(HOSTILE, "Accuracy ↑", (Point(HOSTILE, 0.5, 0.4, 0.6), Point("b", None))),)
GRID = Grid("t", ("a", HOSTILE), ("x: y", "x: z"), ((0.1, None), (-0.4, 0.0)), "skew")
LINES = Lines("", "epoch", "skew", (1, 2, 3), {"MaxSkew@C": [0.3, None, 0.1]})
SPOKES = Spokes("t", ("a", "b", "c"), {HOSTILE: (0.0, 1.0, None)})


def skewed(**changes: Any) -> EvaluationRecord:
    rows = tuple(
        DetailRow({"concept": concept, "gender": gender}, value)
        for concept, gender, value in (
            ("pilot", "female", -0.5),
            ("pilot", "male", 0.25),
            ("chef", "male", None),
        )
    )
    detail = Detail(records.BY_CONCEPT, ("MaxSkew@C",), 0.95, "", rows)
    return record("echo", "scounter", details=(detail,), **changes)


@pytest.mark.parametrize("ending", save.ENDINGS)
@pytest.mark.parametrize(
    ("drawn", "displayed"),
    [(draw.forest, FOREST), (draw.grid, GRID), (draw.lines, LINES), (draw.radar, SPOKES)],
)
def test_the_same_input_gives_the_same_bytes(
    drawn: Callable[[Any], Any], displayed: Any, ending: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = save.figure_bytes(drawn, displayed, ending, note="Marked: demo.")
        assert first == save.figure_bytes(drawn, displayed, ending, note="Marked: demo.")
    assert b"/CreationDate" not in first
    assert b"<dc:date>" not in first


def test_names_are_text_in_a_figure() -> None:
    svg = save.figure_bytes(draw.forest, FOREST, ".svg", note="Marked: demo.")
    tree = ElementTree.fromstring(svg)  # noqa: S314  written a line above
    assert not list(tree.iter("{http://www.w3.org/2000/svg}script"))
    texts = ["".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("$x_1$ </svg><script>") for text in texts)
    assert "Marked: demo." in texts


def test_rules_of_the_caller_change_nothing() -> None:
    import matplotlib as mpl

    before = save.figure_bytes(draw.lines, LINES, ".svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert save.figure_bytes(draw.lines, LINES, ".svg") == before
        assert mpl.rcParams["font.size"] == 30


def test_a_forest_has_a_panel_a_column_and_a_point_a_row() -> None:
    entries = [record("one", "raf_db"), record("two", "raf_db", metric(0.7)), record("one", "pisc")]
    panels = records.forest_of_table(build_table(entries))
    assert [panel.title for panel in panels] == ["RAF DB", "PISC"]
    assert [(point.label, point.value) for point in panels[0].points] == [("one", 50), ("two", 70)]
    assert panels[0].points[1].low == pytest.approx(60)
    assert len(panels[1].points) == 1


def test_a_point_says_that_it_stands_on_other_samples() -> None:
    entries = [
        record("one", "raf_db"),
        record("two", "raf_db", task_fingerprint="other", task_parts={"sample ids": "o"}),
    ]
    (panel,) = records.forest_of_table(build_table(entries))
    assert [point.label for point in panel.points] == ["one", "two (not comparable)"]


def test_a_grid_leaves_fields_without_a_number_empty() -> None:
    grid = records.skew_grid(skewed())
    assert grid.rows == ("pilot", "chef")
    assert grid.columns == ("gender: female", "gender: male")
    assert grid.values == ((-0.5, 0.25), (None, None))


def test_an_evaluation_without_skew_is_no_grid() -> None:
    with pytest.raises(UserError, match="holds no skew by concept and attribute"):
        records.skew_grid(record())


def test_a_scatter_pairs_the_numbers_of_a_row() -> None:
    entries = [
        record("one", "vqav2", metric(0.6)),
        record("one", "scounter", metric(1.5, scale=1.0)),
        record("two", "vqav2", metric(0.4)),
    ]
    table = build_table(entries)
    x, y = (
        next(column for column in table.columns if column.task == task)
        for task in ("vqav2", "scounter")
    )
    displayed = records.scatter_of((table, x), (table, y))
    assert [(dot.label, dot.x.value, dot.y.value) for dot in displayed.dots] == [("one", 60, 1.5)]
    assert column_of(entries[0], entries[0].main) == x
    assert save.figure_bytes(draw.scatter, displayed, ".svg")


def test_the_plane_joins_the_models_that_none_beats_in_both() -> None:
    numbers = {"a": (0.9, 0.8), "b": (0.7, -0.1), "c": (0.6, 0.3), "d": (0.8, 0.4), "e": (0.7, 0.1)}
    entries = [
        record(model, *task)
        for model, (able, biased) in numbers.items()
        for task in (
            ("vqav2", metric(able)),
            ("scounter", metric(biased, name="skew", direction="zero", scale=1.0)),
        )
    ]
    table = build_table(entries)
    displayed = records.scatter_of((table, table.columns[0]), (table, table.columns[1]))
    plane = records.with_front(displayed, *table.columns)
    # c is beaten by d; b and e are as far from 0, and neither is beaten.
    expected = [(70, -0.1), (70, 0.1), (80, 0.4), (90, 0.8)]
    assert plane.front == tuple(pytest.approx(position) for position in expected)
    assert save.figure_bytes(draw.scatter, plane, ".svg")
    with pytest.raises(UserError, match="has no better or worse values"):
        records.with_front(displayed, table.columns[0], replace(table.columns[1], direction="none"))


def test_spokes_go_from_the_worst_row_to_the_best() -> None:
    entries = [
        record(model, task, metric(value, direction=direction))
        for model, values in (("one", (0.2, 0.2, 0.1)), ("two", (0.4, 0.4, -0.3)))
        for task, value, direction in zip(
            ("a", "b", "c"), values, ("higher", "lower", "zero"), strict=True
        )
    ]
    spokes = records.spokes_of(build_table(entries))
    assert spokes.outlines == {"one": (0, 1, 1), "two": (1, 0, 0)}
    with pytest.raises(UserError, match="at least three tasks"):
        records.spokes_of(build_table(entries[:2]))


def test_epochs_come_from_a_training_record(tmp_path: Path) -> None:
    epochs = [{"epoch": 0, "min_skew": -0.4, "max_skew": 0.5}, {"epoch": 1, "max_skew": None}]
    (tmp_path / "train.json").write_text(json.dumps({"epochs": epochs, "marks": ["demo"]}))
    displayed = records.epochs_of(tmp_path)
    assert displayed.places == (1, 2)
    assert displayed.marks == ("demo",)
    assert dict(displayed.lines) == {"MaxSkew@C": [0.5, None], "MinSkew@C": [-0.4, None]}


def test_losses_come_from_a_training_record(tmp_path: Path) -> None:
    epochs = [{"curve": [[10, 2.5], [13, 2.0]]}, {"curve": [[10, 1.5], [13, float("nan")]]}]
    (tmp_path / "train.json").write_text(json.dumps({"epochs": epochs, "marks": ["demo"]}))
    displayed = records.losses_of(tmp_path)
    assert displayed.places == (10, 13, 23, 26)
    assert dict(displayed.lines) == {"loss": [2.5, 2.0, 1.5, None]}
    out = tmp_path / "loss.svg"
    done = CliRunner().invoke(plot, ["loss", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Marked: demo." in out.read_text()
    (tmp_path / "train.json").write_text('{"epochs": [{"epoch": 0}], "marks": []}')
    with pytest.raises(UserError, match="not a training record: KeyError\\('curve'\\)"):
        records.losses_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a training record"),
        ("[]", "not a training record"),
        ('{"epochs": [{"loss": 1}]}', "not a training record"),
        ('{"marks": [], "epochs": [{"epoch": 0, "max_skew": "high"}]}', "measured no skew"),
        ('{"marks": [], "epochs": [{"epoch": 0, "max_skew": NaN}]}', "measured no skew"),
    ],
)
def test_other_files_are_no_training(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(UserError, match=message):
        records.epochs_of(tmp_path)


def test_the_command_writes_a_figure_with_its_marks(tmp_path: Path) -> None:
    write(tmp_path / "one", answers({1: "anger"}), marks=["demo"])
    out = tmp_path / "figures" / "forest.svg"
    done = CliRunner().invoke(plot, ["forest", str(tmp_path / "one"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Marked: demo." in out.read_text()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["forest", "--out", "a.gif"], "no figure is written as a.gif"),
        (["scatter", "--out", "a.svg"], "scatter needs two tasks"),
        (["epochs", "--out", "a.svg"], "epochs wants the folder of one training"),
        (["skew", "{}", "--out", "a.svg"], "none of these evaluations has skew"),
        (["scatter", "{}", "--x", "nope", "--y", "raf_db", "--out", "a.svg"], "unknown task"),
    ],
)
def test_wrong_input_is_said_in_one_message(
    tmp_path: Path, inputs: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "one", answers())
    arguments = [word.format(tmp_path / "one") for word in inputs]
    done = CliRunner().invoke(plot, arguments)
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)
    assert not (tmp_path / "a.svg").exists()


def test_without_matplotlib_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(targets, "is_installed", lambda name: name != "matplotlib")
    monkeypatch.setattr(make, "is_installed", lambda name: name != "matplotlib")
    with pytest.raises(PluginError, match="needs the module 'matplotlib'"):
        harness.plot("forest", tmp_path / "a.svg", tmp_path)
    assert make.why_no_figures("analysis") == "they need matplotlib: pip install matplotlib"


def test_without_the_plugin_pages_say_what_to_install() -> None:
    expected = (
        "no installed plugin draws them: pip install social-harness-claims social-harness-figures"
    )
    with using(Plugins(points=[])):
        assert make.why_no_figures("evaluation") == expected
    with using(Plugins(blocked=["figures"])):
        assert "draws them, and it is blocked" in make.why_no_figures("evaluation")


def test_pages_of_an_evaluation_show_what_it_has() -> None:
    figures = {figure.id: figure for figure in make.page_figures("evaluation", skewed())}
    assert figures.keys() == {"forest", "skew"}
    assert figures["skew"].plot.caption
    plain = make.page_figures("evaluation", record())
    assert [figure.id for figure in plain] == ["forest"]


@pytest.mark.parametrize(
    ("kind", "flag", "value"),
    [
        ("forest", "x", "raf_db"),
        ("forest", "y", "raf_db"),
        ("forest", "model", "null"),
        ("loss", "tasks", "raf_db"),
        ("loss", "metric", "accuracy"),
        ("loss", "duplicates", "newest"),
    ],
)
def test_a_flag_that_a_figure_does_not_read_is_refused(
    tmp_path: Path, kind: str, flag: str, value: str
) -> None:
    write(tmp_path / "one", answers({1: "anger"}))
    training = tmp_path / "trained"
    training.mkdir()
    (training / "train.json").write_text('{"marks": [], "epochs": [{"curve": [[1, 0.5]]}]}')
    folder, out = tmp_path / "one" if kind == "forest" else training, tmp_path / "f.svg"
    done = CliRunner().invoke(plot, [kind, str(folder), "--out", str(out), f"--{flag}", value])
    assert f"--{flag}: the figure {kind!r} does not depend on it" in str(done.exception)
    assert not out.exists()
    arguments: dict[str, Any] = {"tasks": "raf_db"} if kind == "forest" else {}
    assert harness.plot(kind, out, folder, **arguments) == out


def test_no_two_of_many_rows_look_alike() -> None:
    looks = [draw.look(index) for index in range(49)]
    assert len(set(looks)) == 49
    assert all(len(set(looks[start : start + 7])) == 7 for start in range(0, 49, 7))


def test_the_planes_of_the_page_on_skew_show_every_row_of_the_committed_numbers() -> None:
    root = Path(__file__).parents[3]
    made = runpy.run_path(str(root / "benchmarks" / "skew_plane.py"))
    numbers = json.loads(made["NUMBERS"].read_bytes())
    page = (root / "docs" / "explanation" / "skew.md").read_text(encoding="utf-8")
    for name, bias in made["BIASES"].items():
        shown = made["plane"](numbers, bias)
        drawn = (root / "docs" / "explanation" / f"{name}.svg").read_text(encoding="utf-8")
        assert f"({name}.svg)" in page
        assert len(shown.dots) == 8
        assert all(f">{dot.label}<" in drawn for dot in shown.dots)
        best = max(shown.dots, key=lambda dot: dot.x.value)
        assert (best.x.value, best.y.value) == shown.front[-1]
    after_asd = next(dot for dot in shown.dots if dot.label == "SocialFusion demo + ASD")
    assert (after_asd.x.value, after_asd.y.value) not in shown.front
