"""Figures of analyses show what their tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from harness_figures.analyses import (
    MAKERS,
    Arrows,
    conflict_grids,
    transfer_arrows,
)
from harness_figures.command import plot
from harness_figures.draw_analyses import DRAWN
from harness_figures.shapes import Point

from harness.analysis.results import Analysis, AnalysisTable, table_of, write_analysis
from harness.errors import UserError
from harness.figures.make import page_figures
from harness.figures.save import ENDINGS

pytest.importorskip("matplotlib")
CARETLEFT, CARETRIGHT = 4, 5  # as matplotlib.markers has them
HOSTILE = "$x_1$ </svg><script>\u202e & 模型"


def probe() -> list[AnalysisTable]:
    about = {"pooling": "mean", "metric": "Accuracy", "scale": 100.0}
    rows: list[dict[str, Any]] = [
        {"encoder": name, "task": task, "layer": str(block), "block": block, **about,
         "value": 0.5 + 0.1 * block, "low": 0.4, "high": 0.9}
        for name in ("first", HOSTILE)
        for task in ("raf_db", "hagridv2")
        for block in (0, 1, 2)
    ]  # fmt: skip
    lost: list[dict[str, Any]] = [
        {"second": HOSTILE, "task": task, "layer": "-1", **about, "degradation": value,
         "low": value - 0.1, "high": value + 0.1}
        for task, value in (("raf_db", 0.2), ("hagridv2", 0.0))
    ]  # fmt: skip
    return [table_of("probe", rows), table_of("degradation", lost)]


def gradients() -> list[AnalysisTable]:
    rows: list[dict[str, Any]] = [
        {"task": "a", "a": 0.5, "b": -0.25},
        {"task": "b", "a": -0.25, "b": None},
    ]
    return [table_of("matrix", rows)]


def transfer() -> list[AnalysisTable]:
    rows: list[dict[str, Any]] = [
        {"model": HOSTILE, "task": "a", "relative": 0.1, "low": 0.05, "high": 0.15},
        {"model": HOSTILE, "task": "b", "relative": None, "low": None, "high": None},
    ]
    return [table_of("transfer", rows)]


def analysis(kind: str, tables: list[AnalysisTable]) -> Analysis:
    return Analysis(kind, "f", {"marks": ["demo"]}, tuple(tables))


ALL = {"probe": probe, "gradients": gradients, "transfer": transfer}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ALL)
def test_the_same_analysis_gives_the_same_bytes(kind: str, ending: str) -> None:
    figures = page_figures("analysis", analysis(kind, ALL[kind]()))
    assert figures
    for figure in figures:
        first = figure.content(ending)
        assert first == figure.content(ending)
        assert b"<script>" not in first


def test_every_kind_of_figure_can_be_drawn() -> None:
    assert MAKERS.keys() == DRAWN.keys()
    figures = [page_figures("analysis", analysis(name, ALL[name]())) for name in ALL]
    assert {figure.id for of_one in figures for figure in of_one} == set(MAKERS)


def test_a_study_s_conflict_is_a_grid_for_each_tower() -> None:
    rows: list[dict[str, Any]] = [
        {"tower": tower, "first": first, "second": other, "cosine": value}
        for tower in ("before", "after")
        for first, other, value in (("a", "b", -0.5), ("a", "a", 0.3), ("b", "b", 0.2))
    ]
    grids = conflict_grids(analysis("degradation", [table_of("conflict", rows)]))
    assert [grid.title for grid in grids] == ["tower: before", "tower: after"]
    assert grids[0].values == ((0.3, -0.5), (-0.5, 0.2))


def test_arrows_are_in_percent() -> None:
    (content,) = transfer_arrows(analysis("transfer", transfer()))
    assert content.points[0].value == pytest.approx(10)
    assert content.points[1].value is None


def test_a_change_shorter_than_an_arrow_s_head_is_a_dot() -> None:
    points = tuple(Point(str(value), value) for value in (0.0, -0.05, 5.0, -5.0))
    (axes,) = DRAWN["transfer"]([Arrows("model", "%", points)]).axes
    heads = [line.get_marker() for line in axes.lines if line.get_marker() != "None"]
    assert heads == ["o", "o", CARETRIGHT, CARETLEFT]


def test_one_layer_makes_no_curve() -> None:
    table = probe()[0]
    item = AnalysisTable("probe", table.columns, table.rows[:1])
    kinds = {figure.id for figure in page_figures("analysis", analysis("probe", [item]))}
    assert "layers" not in kinds
    with pytest.raises(UserError, match="one layer cannot make a curve"):
        MAKERS["layers"](analysis("probe", [item]))


def test_an_analysis_is_plotted_by_its_folder(tmp_path: Path) -> None:
    result = write_analysis(tmp_path, "transfer", {"a": 1}, transfer())
    out = tmp_path / "arrows.svg"
    done = CliRunner().invoke(plot, ["transfer", str(result.directory), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert b"change by joint training" in out.read_bytes()
    for words, message in (
        (["conflict", str(result.directory)], "has no table 'conflict'"),
        (["transfer"], "wants the folder of one analysis"),
        (["transfer", str(tmp_path)], "no finished analysis"),
    ):
        done = CliRunner().invoke(plot, [*words, "--out", str(out)])
        assert isinstance(done.exception, UserError)
        assert message in str(done.exception)
