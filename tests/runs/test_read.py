"""Reading evaluations back: what is left out is named, and NaN is no number."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.runs.read import read_evaluation, survey
from harness.runs.seal import SEAL, seal
from tests.runs.sealed import answers, write


def changed(folder: Path, name: str, **changes: Any) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **changes}))


def test_every_directory_that_does_not_count_is_named(tmp_path: Path) -> None:
    good, lost, damaged, newer = (
        write(tmp_path / name, answers(), model=name) for name in ("a", "b", "c", "d")
    )
    (lost / SEAL).unlink()
    changed(damaged, "evaluation.json", marks=[])
    (damaged / "evaluation.json").write_text((damaged / "evaluation.json").read_text() + " ")
    changed(newer, SEAL, format=99)
    records, problems = survey(tmp_path)
    assert [record.directory for record in records] == [good]
    assert len(problems) == 3
    for problem, (folder, message) in zip(
        problems,
        ((lost, "not finished"), (damaged, "changed since"), (newer, "written in format 99")),
        strict=True,
    ):
        assert str(folder) in problem.why
        assert message in problem.why


@pytest.mark.parametrize("end", ["low", "high"])
def test_nan_is_a_number_that_is_not_defined(tmp_path: Path, end: str) -> None:
    folder = write(tmp_path / "one", answers())
    content = json.loads((folder / "metrics.json").read_text())
    content["metrics"][0]["value"] = math.nan
    content["metrics"][0]["interval"][end] = -math.inf
    (folder / "metrics.json").write_text(json.dumps(content))
    (folder / SEAL).unlink()
    seal(folder)
    (first, *_) = read_evaluation(folder).metrics
    assert (first.value, first.interval) == (None, None)
