"""``harness tasks``: lists and one task, for people and as JSON."""

import json
from pathlib import Path

import pytest

from harness.cli.main import invoke, main

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = invoke(main, list(arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def raf_db(folder: Path) -> Path:
    """Write two faces' labels in the release's layout."""
    labels = folder / "basic" / "EmoLabel" / "list_patition_label.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("train_00001.jpg 5\ntest_0001.jpg 4\n")
    return folder


def test_the_list(capsys: Capture) -> None:
    code, out, err = run(capsys, "tasks")
    assert (code, err) == (0, "")
    for name in ("hagridv2", "PISC (fine)", "social_all"):
        assert name in out


def test_the_list_of_a_group_as_json(capsys: Capture) -> None:
    code, out, _ = run(capsys, "tasks", "--group", "social_all", "--json")
    assert code == 0
    assert [content["id"] for content in json.loads(out)["tasks"]] == [
        "hagridv2", "pisc_fine", "gazefollow", "raf_db", "jrdb_social",
    ]  # fmt: skip
    code, out, _ = run(capsys, "tasks", "--json")
    content = json.loads(out)
    assert "pisc_coarse" in [task["id"] for task in content["tasks"]]
    assert "social_all" in [group["id"] for group in content["groups"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tasks", "--group", "social"), "did you mean 'social_all'?"),
        (("tasks", "show", "hagrid"), "did you mean 'hagridv2'?"),
        (("tasks", "show", "social_all"), "is a group: hagridv2"),
        (("tasks", "raf_db"), "fix: harness tasks show raf_db"),
        (("tasks", "show", "raf_db", "--data", "raf_db"), "--data 'raf_db' is not TASK=PATH"),
        (("tasks", "show", "raf_db", "--profile", "dmo"), "did you mean 'demo'?"),
    ],
)
def test_mistakes_end_with_2(capsys: Capture, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err


def test_one_task_without_data_says_how_to_get_them(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "tasks", "show", "pisc_fine", "--profile", "full")
    assert code == 0
    assert "no data path is set for 'pisc_fine'" in out
    assert "Zenodo record 1059155" in out
    assert "absent_class = leave_out" in out


def test_one_task_with_data_shows_a_prompt(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = raf_db(tmp_path / "raf")
    code, out, _ = run(capsys, "tasks", "show", "raf_db", "--data", f"raf_db={folder}")
    assert code == 0
    assert "user: Which expression does this face show?" in out
    assert "answer: happiness" in out
    code, out, _ = run(capsys, "tasks", "show", "raf_db", "--data", f"raf_db={folder}", "--json")
    content = json.loads(out)
    assert content["data"]["folder"] == str(folder)
    assert content["data"]["answer"] == "happiness"
    assert content["spec"]["metrics"][0]["id"] == "accuracy"
    assert content["data"]["options_as_sent"][0] == "surprise"


def test_a_broken_group_is_left_out_and_said(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.cli import tasks as command
    from harness.specs.catalog import load_catalog

    (tmp_path / "g.yaml").write_text("group: g\ntitle: G\ntasks: [nobody]\n")
    (tmp_path / "worse.yaml").write_text("a: [")
    monkeypatch.setattr(command, "_catalog", lambda: load_catalog([tmp_path]))
    code, _, err = run(capsys, "tasks")
    assert code == 0
    assert "left out: g: " in err
    assert "left out: worse: " in err
