"""`harness data` from the command line: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from harness_checks.command_data import data

from harness.cli.main import main
from harness.errors import UserError
from tests.plugins.benchmarks.people import counterfactuals, shard
from tests.plugins.checks.test_data_check import faces


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(data, list(words), standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert (result.return_value or 0) == code, result.output
    return result.output


def test_list_says_where_every_task_would_be_read(tmp_path: Path) -> None:
    content = json.loads(call("list", "--data", f"fairface={tmp_path}", "--json"))
    places = {row["task"]: row["data"] for row in content}
    assert places["fairface"] == places["fairface_retrieval"] == str(tmp_path)
    assert "fairface_retrieval" in call("list")


def test_where_tells_what_is_missing_the_licence_and_how_to_obtain_it(tmp_path: Path) -> None:
    output = call("where", "fairface", "--data", f"fairface={tmp_path}", code=1)
    assert "missing  fairface_label_val.csv" in output
    assert "CC BY 4.0" in output
    assert "fairface-img-margin125-trainval" in output
    faces(tmp_path, 1)
    assert "found    fairface_label_val.csv" in call(
        "where", "fairface", "--data", f"fairface={tmp_path}"
    )


def test_where_fetches_nothing_from_the_hub() -> None:
    output = call("where", "scounter", "--data", "scounter=hf:Intel/SocialCounterfactuals")
    assert "a run or a check fetches it" in output


def test_where_without_data_says_so() -> None:
    output = call("where", "fairface", "--profile", "full", code=1)
    assert "looked in: nowhere" in output
    assert "no data path is set" in output


def test_check_ends_with_1_when_something_is_broken(tmp_path: Path) -> None:
    output = call("check", "fairface", "--data", f"fairface={faces(tmp_path, 2)}", code=1)
    assert "val: 2 samples, 2 images, 2 clusters; 2 images opened" in output
    assert "BROKEN: count differs (1)" in output
    assert output.rstrip().endswith("broken")


def test_check_tells_a_whole_folder_as_json(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"chef_White_male_old_{n}.png").write_bytes(b"")
    words = ["check", "cmsc", "--data", f"cmsc={tmp_path}", "--json"]
    content = json.loads(call(*words, "--task-option", "cmsc.shares=0/0/100", "--images", "0"))
    assert content["broken"] is False
    assert {split["split"] for split in content["splits"]} >= {"test", "all"}


def test_check_refuses_what_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither all nor a whole number"):
        call("check", "fairface", "--images", "some")


def test_fingerprint_names_files_ids_and_the_task(tmp_path: Path) -> None:
    words = ["fingerprint", "scounter", "--task-option", "scounter.shares=0/0/100"]
    shard(tmp_path / "a", counterfactuals("chef", 0))
    first = json.loads(call(*words, "--data", f"scounter={tmp_path / 'a'}", "--json"))
    assert first["samples"] == 12
    assert list(first["files"]) == ["data/train-00000-of-00001-0123abcd.parquet"]
    shard(tmp_path / "b", counterfactuals("chef", 1))
    second = json.loads(call(*words, "--data", f"scounter={tmp_path / 'b'}", "--json"))
    assert second["fingerprint"] != first["fingerprint"]
    assert first["fingerprint"] in call(*words, "--data", f"scounter={tmp_path / 'a'}")


def test_it_is_a_sub_command() -> None:
    assert "where" in CliRunner().invoke(main, ["data", "--help"]).output
