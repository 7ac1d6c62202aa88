from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from harness_site.command import site
from PIL import Image

import harness
from harness.cli.main import invoke, main
from harness.config.tasks import forget_included
from harness.errors import CheckFailed, UserError
from tests.runs.sealed import answers, write


def test_a_site_is_built_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    write(tmp_path / "results" / "one", answers())
    broken = write(tmp_path / "results" / "two", answers(), model="other")
    (broken / "samples.jsonl").write_text("")
    out = tmp_path / "out"
    arguments = ["build", str(out), str(tmp_path / "results"), "--no-figures", "--profile", "full"]
    done = CliRunner().invoke(site, arguments)
    assert done.exit_code == 0, done.output
    assert f"{out / 'index.html'}\n" in done.stdout
    assert "left out: " in done.stderr
    assert "prompts and images of raf_db left out: no data path is set" in done.stderr
    page = next(out.glob("samples/*.html")).read_text()
    assert "Prompts and images are not shown: no data path is set" in page
    strict = CliRunner().invoke(site, [*arguments, "--strict"])
    assert isinstance(strict.exception, CheckFailed)


def test_images_that_are_wanted_and_not_wanted_contradict_each_other(tmp_path: Path) -> None:
    write(tmp_path / "results" / "one", answers())
    arguments = ["build", str(tmp_path / "out"), str(tmp_path / "results"), "--with-images"]
    done = CliRunner().invoke(site, [*arguments, "--images", "0"])
    assert isinstance(done.exception, UserError)
    assert "--with-images shows images, and --images 0 shows none" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_two_evaluations_for_one_cell_need_a_rule(tmp_path: Path) -> None:
    write(tmp_path / "results" / "one", answers())
    write(tmp_path / "results" / "two", answers({1: "anger"}))
    arguments = ["build", str(tmp_path / "out"), str(tmp_path / "results"), "--no-figures"]
    done = CliRunner().invoke(site, arguments)
    assert isinstance(done.exception, UserError)
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(site, [*arguments, "--duplicates", "newest"]).exit_code == 0


def test_a_task_of_one_s_own_is_found_by_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = tmp_path / "faces"
    for number in range(4):
        path = faces / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(path)
    results = tmp_path / "results"
    assert invoke(main, ["new", "task", str(faces), "--yes", "--id", "own_faces"]) == 0
    for limit in (None, 2):
        harness.run("random", str(faces / "own_faces.yaml"), results=results, limit=limit)
    forget_included()
    capsys.readouterr()
    build = ["site", "build", str(tmp_path / "site"), str(results), "--no-figures"]
    assert invoke(main, build) == 0
    hint = "left out: unknown task 'own_faces' (--include FILE names its spec)"
    assert capsys.readouterr().err.count(hint) == 1
    assert invoke(main, [*build, "--include", str(faces)]) == 0
    assert "unknown task" not in capsys.readouterr().err
