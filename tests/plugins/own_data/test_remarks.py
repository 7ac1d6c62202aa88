"""What `harness new task` says of columns and values that may mean something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import invoke, main
from harness.config.tasks import forget_included


def test_a_second_column_of_answers_and_groups_written_short_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{number},{'ab'[number % 2]},{'cd'[number % 2]},{['F', 'Female', 'M'][number % 3]}"
            for number in range(12)]  # fmt: skip
    (tmp_path / "two.csv").write_text("\n".join(["id,label,emotion,sex", *rows]), "utf-8")
    command = ["new", "task", str(tmp_path), "--yes", "--id", "two", "--group", "sex=sex:human"]
    assert invoke(main, command) == 0
    out = capsys.readouterr().out
    assert "not read, and may be a right answer too: emotion (--target emotion)" in out
    assert "two values of sex may be one: F, Female" in out
    assert invoke(main, [*command, "--target", "emotion", "--force"]) == 0
    assert "may be a right answer too: label (--target label)" in capsys.readouterr().out
    question = "With {{ emotion }}: a or b?"
    assert invoke(main, [*command, "--target", "label", "--question", question, "--force"]) == 0
    assert "right answer too" not in capsys.readouterr().out
    forget_included()
