from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from harness_site.command import site

from harness.errors import CheckFailed, UserError
from tests.runs.sealed import answers, write


def test_a_site_is_built_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    write(tmp_path / "results" / "one", answers())
    broken = write(tmp_path / "results" / "two", answers(), model="other")
    (broken / "samples.jsonl").write_text("")
    out = tmp_path / "out"
    given = ["build", str(out), str(tmp_path / "results"), "--no-figures", "--profile", "full"]
    done = CliRunner().invoke(site, given)
    assert done.exit_code == 0, done.output
    assert f"{out / 'index.html'}\n" in done.stdout
    assert "left out: " in done.stderr
    assert "prompts and images of raf_db left out: nothing says where the data" in done.stderr
    page = next(out.glob("samples/*.html")).read_text()
    assert "Prompts and images are not shown: nothing says where the data" in page
    strict = CliRunner().invoke(site, [*given, "--strict"])
    assert isinstance(strict.exception, CheckFailed)


def test_two_evaluations_for_one_cell_need_a_rule(tmp_path: Path) -> None:
    write(tmp_path / "results" / "one", answers())
    write(tmp_path / "results" / "two", answers({1: "anger"}))
    given = ["build", str(tmp_path / "out"), str(tmp_path / "results"), "--no-figures"]
    done = CliRunner().invoke(site, given)
    assert isinstance(done.exception, UserError)
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(site, [*given, "--duplicates", "newest"]).exit_code == 0
