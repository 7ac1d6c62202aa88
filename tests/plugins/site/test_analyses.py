"""Pages of analyses: every table, figures, and nothing of a name runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from harness_site.analysis_tables import Shown, shown_tables
from harness_site.api import read_analyses
from harness_site.command import site

from harness.analysis.results import (
    Analysis,
    AnalysisTable,
    table_of,
    write_analysis,
)
from tests.plugins.site.chromium import browser
from tests.plugins.site.sites import HOSTILE, evaluations


def probed(results: Path) -> Analysis:
    about = {"layer": "-1", "pooling": "mean", "metric": "Accuracy", "scale": 100.0}
    rows: list[dict[str, Any]] = [
        {"encoder": name, "task": "raf_db", **about, "block": 3, "value": value, "low": 0.1,
         "high": 0.9, "converged": True}
        for name, value in (("first", 0.75), (HOSTILE, None))
    ]  # fmt: skip
    lost: list[dict[str, Any]] = [
        {"first": "first", "second": HOSTILE, "task": "raf_db", **about, "degradation": 0.125,
         "low": 0.1, "high": 0.2}
    ]  # fmt: skip
    tables = [table_of("probe", rows), table_of("degradation", lost)]
    return write_analysis(results, "probe", {"marks": ["demo"]}, tables, notes=[HOSTILE])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return evaluations(tmp_path / "results")


def all_kinds(results: Path) -> None:
    """Write one analysis of each kind that has figures."""
    about = {"layer": "-1", "pooling": "mean", "metric": "Accuracy", "scale": 100.0}
    rows: list[dict[str, Any]] = [
        {"encoder": name, "task": task, **about, "block": block, "value": 0.5 + block / 10,
         "low": 0.4, "high": 0.9, "samples": 120}
        for name in ("before", "model:socialfusion,preset=demo,checkpoint=trained/joint")
        for task in ("raf_db", "hagridv2")
        for block in range(4)
    ]  # fmt: skip
    lost: list[dict[str, Any]] = [
        {"first": "before", "second": rows[-1]["encoder"], "task": task, **about,
         "degradation": 0.125, "low": 0.1, "high": 0.2, "p": 0.01}
        for task in ("raf_db", "hagridv2")
    ]  # fmt: skip
    matrix: list[dict[str, Any]] = [
        {"task": "raf_db", "raf_db": 0.5, "hagridv2": -0.25},
        {"task": "hagridv2", "raf_db": -0.25, "hagridv2": 0.1},
    ]
    changed: list[dict[str, Any]] = [
        {"model": "socialfusion", "task": task, "tasks": "raf_db+hagridv2", "metric": "Accuracy",
         "scale": 100.0, "single": 0.5, "joint": 0.6, "relative": value, "low": value - 0.1,
         "high": value + 0.1, "seeds": 3, "transfer": "positive"}
        for task, value in (("raf_db", 0.2), ("hagridv2", -0.004))
    ]  # fmt: skip
    for kind, tables in (
        ("probe", [table_of("probe", rows), table_of("degradation", lost)]),
        ("gradients", [table_of("matrix", matrix)]),
        ("transfer", [table_of("transfer", changed)]),
    ):
        write_analysis(results, kind, {"marks": ["demo"]}, tables)


def build(results: Path, out: Path, *more: str) -> str:
    done = CliRunner().invoke(
        site, ["build", str(out), str(results), "--images", "0", *more], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_an_analysis_has_a_page_with_its_tables(results: Path, tmp_path: Path) -> None:
    analysis = probed(results)
    build(results, tmp_path / "out", "--no-figures")
    (page,) = (tmp_path / "out" / "analyses").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert analysis.fingerprint[:12] in page.name
    for cell in ("75.00", "[10.00, 90.00]", "12.50", "<td>--</td>", "Accuracy %", "demo"):
        assert cell in text
    assert "<img" not in text
    assert 'onerror="' not in text
    listed = (tmp_path / "out" / "analyses.html").read_text(encoding="utf-8")
    assert f'href="analyses/{page.name}"' in listed
    assert 'href="analyses.html"' in (tmp_path / "out" / "index.html").read_text("utf-8")


def shown(kind: str, table: AnalysisTable) -> Shown:
    (result,) = shown_tables(Analysis(kind, "f", {}, (table,)))
    return result


def test_numbers_stand_in_their_unit_with_their_interval() -> None:
    rows: list[dict[str, Any]] = [
        {"task": task, "metric": metric, "scale": scale, "joint": 0.25, "relative": -0.1,
         "low": -0.2, "high": high, "by_seed": [0.1, -0.3]}
        for task, metric, scale, high in (("a", "F1", 100.0, 0.05), ("b", "L2", 1.0, None))
    ]  # fmt: skip
    result = shown("transfer", table_of("transfer", rows))
    heads = ["task", "metric", "joint", "change, %", "95 %", "by seed"]
    assert [head for head, _ in result.heads] == heads
    texts = [[text for text, _ in row] for row in result.rows]
    assert texts[0] == ["a", "F1 %", "25.00", "-10.00", "[-20.00, 5.00]", "10.00, -30.00"]
    assert texts[1] == ["b", "L2", "0.25", "-10.00", "--", "10.00, -30.00"]


def test_what_is_the_same_in_every_row_is_said_once() -> None:
    rows: list[dict[str, Any]] = [
        {"task": task, "pooling": "mean", "samples": 120, "converged": True, "value": 0.5}
        for task in ("a", "b")
    ]
    result = shown("probe", table_of("probe", rows))
    assert [head for head, _ in result.heads] == ["task", "value"]
    assert result.said.endswith("In every row: pooling mean, samples 120, converged yes.")


def test_a_matrix_is_headed_by_tasks_as_they_are_named() -> None:
    rows: list[dict[str, Any]] = [
        {"task": task, "raf_db": 0.5, "a": -0.1} for task in ("raf_db", "a")
    ]
    assert [head for head, _ in shown("gradients", table_of("matrix", rows)).heads] == [
        "task", "raf_db", "a",
    ]  # fmt: skip


def test_what_an_analysis_is_about_comes_first() -> None:
    names = ("conflict", "degradation", "probe", "transfer")
    tables = tuple(AnalysisTable(name, (), ()) for name in names)
    result = shown_tables(Analysis("degradation", "f", {}, tables))
    assert [item.name for item in result] == ["degradation", "transfer", "conflict", "probe"]
    assert all(item.said for item in result)


@pytest.mark.parametrize(
    ("seeds", "message"), [((1, 1), "One seed"), ((3, 3), "3 seeds"), ((2, 3), "2 to 3 seeds")]
)
def test_a_figure_says_of_how_many_seeds_it_is(
    results: Path, tmp_path: Path, seeds: tuple[int, ...], message: str
) -> None:
    pytest.importorskip("matplotlib")
    rows: list[dict[str, Any]] = [
        {"model": "m", "task": task, "relative": 0.1, "low": None, "high": None, "seeds": number}
        for task, number in zip("ab", seeds, strict=True)
    ]
    write_analysis(results, "transfer", {"marks": []}, [table_of("transfer", rows)])
    build(results, tmp_path / "out")
    (page,) = (tmp_path / "out" / "analyses").glob("*.html")
    caption = page.read_text("utf-8").split("<figcaption>")[1].split("</figcaption>")[0]
    assert message in caption


def test_figures_follow_the_reader_s_light(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    probed(results)
    build(results, tmp_path / "out")
    (figure,) = (tmp_path / "out" / "analyses").glob("*.svg")
    assert "prefers-color-scheme:dark" in figure.read_text("utf-8")
    text = next((tmp_path / "out" / "analyses").glob("*.html")).read_text("utf-8")
    assert re.search(rf'<img src="{figure.name}" alt="[^"]+"', text)


def test_without_analyses_nothing_leads_to_them(results: Path, tmp_path: Path) -> None:
    build(results, tmp_path / "out", "--no-figures")
    assert not (tmp_path / "out" / "analyses.html").exists()
    assert "analyses.html" not in (tmp_path / "out" / "index.html").read_text("utf-8")


def test_a_damaged_analysis_is_left_out_and_said(results: Path, tmp_path: Path) -> None:
    analysis = probed(results)
    (analysis.directory / "probe.csv").write_text("")
    content, problems = read_analyses([results])
    assert content == []
    assert len(problems) == 1
    assert "changed since it was sealed" in build(results, tmp_path / "out", "--no-figures")


@pytest.mark.slow
def test_pages_fit_a_phone_and_a_desk_by_day_and_by_night(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    all_kinds(results)
    build(results, tmp_path / "out")
    pages = [tmp_path / "out" / "analyses.html", *(tmp_path / "out" / "analyses").glob("*.html")]
    assert len(pages) == 4
    figures = 0
    with browser(tmp_path / "profile") as page:
        for path in pages:
            for width, dark in ((400, False), (400, True), (1200, False), (1200, True)):
                page.open(path)
                page.look(width=width, dark=dark, out=tmp_path / "page.png")
                page.run("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
                page.until("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert page.run(wide) <= 0, (path, width)
                assert "demo" in page.run("document.querySelector('.marks').textContent")
            figures += page.run("document.querySelectorAll('figure img[alt]').length")
        assert figures == 4
        page.open(next(path for path in pages if path.name.startswith("transfer")))
        outcome = page.run("document.querySelector('figure').textContent")
        assert "95 % interval" in outcome
        assert "3 seeds" in outcome
        assert page.run("document.querySelector('h2').textContent") == "transfer"
        assert page.complaints == []
