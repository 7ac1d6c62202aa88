"""Under ``--json`` standard output holds a command's own text, whoever else prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOISY = """
import os
print("import")
from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl
from harness.requests import Response, Scores

@hookimpl
def harness_models():
    print("hook")
    able = frozenset({"choose"})
    return [ModelDescriptor(id="noisy", target="noisy:Noisy", summary="", capabilities=able)]

class Noisy:
    def __init__(self, options):
        print("made")
    def identity(self, runtime):
        return {}
    def load(self, runtime):
        return self
    def close(self):
        print("closed")
    def answer(self, requests):
        print("answers")
        os.write(1, b"written\\n")
        os.system("echo called")
        for request in requests:
            first, *others = request.want.options
            yield Response(request.id, Scores("label", (1.0, *(0.0 for _ in others))))
"""


@pytest.fixture
def noisy(tmp_path: Path) -> dict[str, str]:
    about = tmp_path / "noisy-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[harness]\nnoisy = noisy\n")
    (tmp_path / "noisy.py").write_text(NOISY)
    paths = [os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2]), str(tmp_path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def harness(line: str, folder: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m harness {line}"],
        cwd=folder, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


ASK = "run --model noisy --tasks raf_db --limit 2"


def test_what_plugins_print_is_no_part_of_json(tmp_path: Path, noisy: dict[str, str]) -> None:
    code, out, err = harness(f"{ASK} --json", tmp_path, noisy)
    assert code == 0, err
    assert json.loads(out)["columns"][0]["task"] == "raf_db"
    for printed in ("import", "hook", "made", "answers", "written", "called", "closed"):
        assert f"{printed}\n" in err
    code, out, _ = harness("models --json", tmp_path, noisy)
    assert code == 0
    assert "noisy" in {model["id"] for model in json.loads(out)}


@pytest.mark.parametrize("flag", ["", "--json"])
def test_a_full_disk_behind_standard_output_is_said_once(
    tmp_path: Path, noisy: dict[str, str], flag: str
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    code, _, err = harness(f"models {flag} > /dev/full", tmp_path, noisy)
    assert code == 2
    assert err.endswith("error: standard output: No space left on device\n")


def test_a_closed_output_ends_nothing(tmp_path: Path, noisy: dict[str, str]) -> None:
    assert harness("models --json >&-", tmp_path, noisy)[0] == 0
    code, _, err = harness("models --json | true", tmp_path, noisy)
    assert (code, err.count("error")) == (0, 0)
