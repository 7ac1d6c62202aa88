"""Pages of analyses: every table, figures, and nothing of a name runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.analysis.results import Analysis, read_analyses, table_of, write_analysis
from harness.cli.site import site
from tests.site.sites import HOSTILE, evaluations


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


def build(results: Path, out: Path, *more: str) -> str:
    done = CliRunner().invoke(
        site, ["build", str(out), str(results), "--images", "0", *more], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_an_analysis_has_a_page_with_its_tables(results: Path, tmp_path: Path) -> None:
    found = probed(results)
    build(results, tmp_path / "out", "--no-figures")
    (page,) = (tmp_path / "out" / "analyses").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert found.fingerprint[:12] in page.name
    for cell in ("0.75", "0.125", "<td>--</td>", "demo"):
        assert cell in text
    assert "<img" not in text
    assert 'onerror="' not in text
    listed = (tmp_path / "out" / "analyses.html").read_text(encoding="utf-8")
    assert f'href="analyses/{page.name}"' in listed
    assert 'href="analyses.html"' in (tmp_path / "out" / "index.html").read_text("utf-8")


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
    found = probed(results)
    (found.directory / "probe.csv").write_text("")
    held, problems = read_analyses([results])
    assert held == []
    assert len(problems) == 1
    assert "changed since it was sealed" in build(results, tmp_path / "out", "--no-figures")
