"""``harness run`` as a user types it, right and wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import harness
from harness import progress
from harness.cli.main import invoke, main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = invoke(main, ["run", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


ASK = ("--model", "majority", "--tasks", "raf_db")
RANDOM = ("--model", "random", "--tasks", "raf_db")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "majorty", "--tasks", "raf_db"), "did you mean 'majority'?"),
        (("--model", "null", "--tasks", "raf"), "did you mean 'raf_db'?"),
        (("--model", "null", "--tasks", "socialall"), "did you mean 'social_all'"),
        ((*ASK, "-o", "seed"), "is not KEY=VALUE"),
        ((*ASK, "-o", "sed=1"), "unknown option of model 'majority' 'sed'"),
        (("--model", "random", "--tasks", "raf_db", "-o", "seed=x"), "is not a whole number"),
        ((*ASK, "--task-option", "raf_db.x=1"), "raf_db"),
        ((*ASK, "--task-option", "pisc_fine.absent_class=zero"), "tasks of this run: raf_db"),
        ((*ASK, "--data", "raf_db=nowhere"), "the data folder of 'raf_db' is missing"),
        ((*ASK, "--data", "raf_db=."), "looked for basic/EmoLabel/list_patition_label.txt"),
        ((*ASK, "--data", "raf_db="), "--data gives no path for 'raf_db'"),
        ((*ASK, "--data", "RAF_DB=."), "did you mean 'raf_db'?"),
        ((*ASK, "--data", "raf_db=~nosuchuser/x"), "no home folder of that user"),
        ((*ASK, "--data", "raf_db=" + "a" * 300), "no path that a system could have"),
        (
            ("--model", "predictions", "--tasks", "raf_db", "-o", "path=~nosuchuser/x"),
            "no home folder of that user",
        ),
        ((*ASK, "--results=~nosuchuser/x"), "no home folder of that user"),
        ((*ASK, "--profile", "ful"), "did you mean 'full'?"),
        ((*ASK, "--profile", "full"), "--profile demo"),
        ((*ASK, "--batch-size", "0"), "neither auto nor"),
        ((*ASK, "--batch-size", "\u00b2"), "neither auto nor"),
        ((*ASK, "--threads", "0"), "neither auto nor"),
        ((*ASK, "--threads", "9" * 5000), "neither auto nor"),
        ((*ASK, "--kv-budget", "2 apples"), "is not a size"),
        ((*ASK, "--ids", "@gone.txt"), "gone.txt: cannot be read"),
        ((*ASK, "--limit", "0"), "--limit"),
    ],
)
def test_mistakes_end_with_2_and_one_message(
    capsys: Capture, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not Path("results").exists()


def test_a_data_path_is_read_alike_by_every_command(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for command in (["run", *ASK], ["data", "check", "raf_db"], ["tasks", "show", "raf_db"]):
        for mistakes, message in (
            (("rafdb=x",), "did you mean 'raf_db'?"),
            (("raf_db=x", "raf_db=y"), "gives 'raf_db' twice"),
            (("raf_db=",), "gives no path for 'raf_db'"),
        ):
            flags = [word for mistake in mistakes for word in ("--data", mistake)]
            assert invoke(main, [*command, *flags]) == 2
            assert message in capsys.readouterr().err
        invoke(main, [*command, "--data", "raf_db=~/faces"])
        printed = capsys.readouterr()
        assert str(tmp_path / "home/faces") in "".join((printed.out + printed.err).split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profile = ", "not valid TOML"),
        ("profil = 'demo'", "did you mean 'profile'?"),
        ("data = 3", "'data' must be a table"),
        ("[data]\nraf_db = 3", "'data.raf_db' must be a string"),
        ("[models]\nnull = 3", "'models.null' must be a table"),
        ("results = '\xff'", "not UTF-8"),
    ],
)
def test_a_malformed_settings_file(capsys: Capture, text: str, message: str) -> None:
    Path("harness.toml").write_bytes(text.encode("latin-1"))
    code, _, err = run(capsys, *ASK)
    assert code == 2
    assert message in err
    assert "harness.toml" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"test_0001.jpg 9\n", "list_patition_label.txt:1"),
        (b"test_0001.jpg\n", "list_patition_label.txt:1"),
        (b"\xff\xfe\x00test", "list_patition_label.txt"),
    ],
)
def test_damaged_annotations_name_file_and_line(
    capsys: Capture, content: bytes, message: str
) -> None:
    labels = Path("raf/basic/EmoLabel/list_patition_label.txt")
    labels.parent.mkdir(parents=True)
    labels.write_bytes(content)
    code, _, err = run(capsys, *ASK, "--data", "raf_db=raf")
    assert code == 2
    assert message in err


def test_results_that_cannot_be_written(capsys: Capture) -> None:
    Path("taken").write_text("a file")
    for folder in ("taken", "taken/inside"):
        code, out, err = run(capsys, *ASK, "--results", folder, "--limit", "3")
        assert code == 2
        assert err.startswith("error: taken: records need a folder")
        assert out == ""  # not even a plan


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_a_device_that_is_not_there_is_refused_before_the_plan_is_shown(
    capsys: Capture, device: str
) -> None:
    ask = ("--model", "llava", "--tasks", "raf_db", "--limit", "3", "--device", device)
    code, out, err = run(capsys, *ask)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: device '{device}' is not available")


def test_names_that_come_twice_are_refused(capsys: Capture) -> None:
    for flags, message in (
        (("--model", "random,random", "--tasks", "raf_db"), "the name 'random' is named twice"),
        (("--model", "null", "--tasks", "raf_db,raf_db"), "task or group 'raf_db' is named twice"),
        ((*ASK, "--ids", "a,b,a"), "--ids: the id 'a' is named twice"),
    ):
        code, out, err = run(capsys, "--dry-run", *flags)
        assert (code, out) == (2, "")
        assert err.startswith(f"error: {message}")


def test_a_dry_run_computes_nothing(capsys: Capture) -> None:
    code, out, _ = run(capsys, *ASK, "--dry-run", "--json")
    assert code == 0
    (plan,) = json.loads(out)
    assert (plan["task"], plan["state"], plan["samples"]) == ("raf_db", "to do", 420)
    assert plan["marks"] == ["demo"]
    assert not Path("results").exists()


def test_the_plan_names_tasks_of_a_group_that_are_left_out(capsys: Capture) -> None:
    group = ("--model", "majority", "--tasks", "general_all", "--limit", "5", "--dry-run")
    code, out, _ = run(capsys, *group)
    assert code == 0
    assert "left out: mmbench" in out
    code, out, err = run(capsys, *group, "--json")
    assert {plan["task"] for plan in json.loads(out)} == {"vqav2", "textvqa"}
    assert "left out: mmbench" in err


def test_json_is_all_there_is_on_standard_output(capsys: Capture) -> None:
    code, out, _ = run(capsys, *ASK, "--limit", "10", "--json")
    assert code == 0
    assert json.loads(out)


def test_the_table_says_demo(capsys: Capture) -> None:
    code, out, _ = run(capsys, *ASK)
    assert code == 0
    assert "demo" in out
    assert "RAF-DB" in out
    code, out, _ = run(capsys, *ASK)
    assert "done" in out


def test_a_log_file_hears_of_each_task_and_of_how_far_it_is_on_standard_error(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.0)
    ask = ("--model", "majority", "--tasks", "raf_db,gazefollow", "--limit", "150")
    code, out, err = run(capsys, *ask)
    assert code == 0
    lines = err.splitlines()
    assert [line for line in lines if line.endswith(": 150 samples")] == [
        "raf_db: 150 samples",
        "gazefollow: 150 samples",
    ]
    assert any(re.match(r"raf_db: \d+ of 150 samples", line) for line in lines)
    assert "of 150 samples" not in out
    _, _, again = run(capsys, *ask)
    assert again == ""


def test_a_limit_is_part_of_the_row_s_name_unless_it_leaves_nothing_out(capsys: Capture) -> None:
    names = {"2": "random, limit=2", "0.1": "random, limit=0.1", "5000": "random"}
    for limit, name in names.items():
        code, out, _ = run(capsys, *RANDOM, "--limit", limit, "--json")
        assert code == 0
        (row,) = json.loads(out)["sections"][0]["rows"]
        assert row["model"] == name
    samples = harness.load_task("raf_db", profile="demo").samples()
    ids = ",".join(sample.id for sample, _ in zip(samples, range(2), strict=False))
    code, out, _ = run(capsys, *RANDOM, "--ids", ids, "--json")
    (row,) = json.loads(out)["sections"][0]["rows"]
    assert row["model"] == "random, ids=2"


def test_tasks_of_another_limit_are_no_cells_of_one_row(capsys: Capture) -> None:
    run(capsys, *RANDOM, "--limit", "2")
    run(capsys, "--model", "random", "--tasks", "textvqa", "--limit", "3")
    run(capsys, "--model", "random", "--tasks", "pisc_fine", "--limit", "3")
    rows = harness.leaderboard("results").rows
    assert {row.model: sum(cell is not None for cell in row.cells) for row in rows} == {
        "random, limit=2": 1,
        "random, limit=3": 2,
    }


def test_the_same_samples_by_count_and_by_share_are_one_evaluation(capsys: Capture) -> None:
    run(capsys, *RANDOM, "--limit", "42")
    _, out, _ = run(capsys, *RANDOM, "--limit", "0.1", "--dry-run", "--json")
    (plan,) = json.loads(out)
    assert (plan["samples"], plan["state"]) == (42, "done")


def test_a_limit_of_ids_is_refused(capsys: Capture) -> None:
    code, _, err = run(capsys, *ASK, "--limit", "1", "--ids", "a,b")
    assert code == 2
    assert "--limit and --ids both choose samples" in err


def test_each_plan_names_its_model(capsys: Capture) -> None:
    code, out, _ = run(capsys, "--model", "random,null", "--tasks", "raf_db", "--dry-run")
    assert code == 0
    assert [line.strip() for line in out.splitlines() if line.startswith("Plan")] == [
        "Plan of random",
        "Plan of null",
    ]
