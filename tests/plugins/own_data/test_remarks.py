"""What `harness new task` says of columns and values that may mean something else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

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


def test_an_id_with_a_space_at_its_end_may_be_another_row_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"f{number},{'ab'[number % 2]}" for number in range(6)]
    table = tmp_path / "ids.csv"
    table.write_text("\n".join(["id,label", *rows]) + "\n", encoding="utf-8")
    assert invoke(main, ["new", "task", str(tmp_path), "--yes", "--id", "ids"]) == 0
    spec = tmp_path / "ids.yaml"
    assert yaml.safe_load(spec.read_text("utf-8"))["data"]["options"]["id"] == "id"
    table.write_text(table.read_text("utf-8") + "f1 ,a\n", encoding="utf-8")
    command = ["run", "--model", "random", "--tasks", str(spec), "--results", str(tmp_path / "r")]
    assert invoke(main, command) == 2
    said = capsys.readouterr().err
    assert "ids.csv:8: the id 'f1 ' begins or ends with a space" in said
    forget_included()


def test_utf_16_without_a_mark_is_answered_with_what_a_new_task_can_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wide.csv").write_bytes("id,label\n1,a\n2,b\n".encode("utf-16-le"))
    assert invoke(main, ["new", "task", str(tmp_path), "--yes"]) == 2
    assert "save it as UTF-8, or in a spec: encoding: utf-16-le" in capsys.readouterr().err
