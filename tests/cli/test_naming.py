"""One way to name an evaluation: every command takes what ``harness results list`` prints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

import harness
from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.plugins import plugins
from harness.targets import load_target
from tests.cli.test_settings_file import leaves
from tests.runs.sealed import answers, write

Capture = pytest.CaptureFixture[str]
# Each command that reads finished evaluations, with NAME where one is named.
READERS = {
    "leaderboard": "NAME",
    "compare": "NAME raf_db/other",
    "export": "NAME --format card --out out",
    "plot": "forest NAME --out forest.svg",
    "submission": "NAME --out answers.json",
    "rescore": "NAME --metrics accuracy",
    "prompts": "NAME",
    "human": "NAME",
    "robustness": "NAME",
    "site build": "out NAME --images 0 --no-figures",
    "push": "NAME --to ./pushed --yes",
    "results show": "NAME",
    "transfer": "NAME",
}
TAKES = {"places", "first", "evaluation"}


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two finished evaluations, and the run of one of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", "r")
    for model in ("one", "other"):
        write(Path("r", "evaluations", "raf_db", model), answers(), model=model)
    manifest = Path("r", "runs", "one-0123456789ab.json")
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"evaluations": ["evaluations/raf_db/one"]}))


def ended(capsys: Capture, command: str, name: str) -> tuple[int, str]:
    capsys.readouterr()
    words = [*command.split(), *READERS[command].replace("NAME", shlex.quote(name)).split()]
    code = invoke(main, words)
    return code, capsys.readouterr().err


def test_the_list_of_commands_is_whole() -> None:
    taking = set()
    for descriptor in plugins().commands().values():
        command = load_target(descriptor)
        for leaf in leaves(command, descriptor.id):
            inner = command
            for word in leaf.split()[1:]:
                inner = inner.commands[word]
            if TAKES & {parameter.name for parameter in inner.params}:
                taking.add(leaf)
    assert taking == READERS.keys() - {"results show"}


@pytest.mark.parametrize("command", READERS)
def test_a_name_of_the_list_is_taken(command: str, capsys: Capture) -> None:
    for name in ("raf_db/one", "one-0123456789ab", "r/evaluations/raf_db/one"):
        _, err = ended(capsys, command, name)
        assert "no such results" not in err, name
        assert "does not exist" not in err, name


@pytest.mark.parametrize("command", READERS)
def test_a_name_that_is_nearly_one_is_refused_with_it(command: str, capsys: Capture) -> None:
    for name, meant in (("raf_db/ones", "raf_db/one"), ("one-0123456789ac", "one-0123456789ab")):
        code, err = ended(capsys, command, name)
        assert (code, err.count("error:")) == (2, 1)
        assert meant in err.partition("fix:")[2]


@pytest.mark.parametrize("command", READERS)
def test_no_name_drives_the_terminal(command: str, capsys: Capture) -> None:
    hostile = "\x1b[31mred\x07\u202etxt" + "x" * 300
    samples = [{**sample, "id": f"{sample['id']}\x1b[2J"} for sample in answers({0: "anger"})]
    write(Path("r", "evaluations", "raf_db", "bad"), samples, model=hostile, marks=[hostile])
    if command == "compare":
        other = Path("r", "evaluations", "raf_db", "worse")
        write(other, [{**item, "answer": "fear"} for item in samples], model=hostile[::-1])
        invoke(main, ["compare", "raf_db/bad", "raf_db/worse"])
    else:
        ended(capsys, command, "raf_db/bad")
    printed = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & {*printed.out, *printed.err}


def test_python_takes_the_same_names() -> None:
    assert harness.read_evaluation("raf_db/one").model == "one"
    assert harness.read_evaluation("one-0123456789ab").model == "one"
    (comparison,) = harness.compare("raf_db/one", "raf_db/other")
    assert (comparison.first, comparison.second) == ("one", "other")
    with pytest.raises(UserError, match=r"did you mean 'raf_db/one'"):
        harness.read_evaluation("raf_db/oen")
    with pytest.raises(UserError, match="fix: one-0123456789ab"):  # the name of a model
        harness.read_evaluation("one")


def test_a_run_of_several_names_them(capsys: Capture) -> None:
    both = ["evaluations/raf_db/one", "evaluations/raf_db/other"]
    Path("r", "runs", "both-1.json").write_text(json.dumps({"evaluations": both}))
    code, err = ended(capsys, "results show", "both-1")
    assert (code, "raf_db/one, raf_db/other" in err) == (2, True)
    assert invoke(main, ["results", "rm", "both-1", "--yes"]) == 2
    assert "this is a run" in capsys.readouterr().err


def test_an_evaluation_is_not_compared_with_itself(capsys: Capture) -> None:
    for name in ("raf_db/one", "one-0123456789ab"):
        code = invoke(main, ["compare", name, "r/evaluations/raf_db/one"])
        err = capsys.readouterr().err
        assert (code, "compared with themselves" in err) == (2, True)


def test_a_folder_of_results_that_is_no_flag_is_explained(capsys: Capture) -> None:
    for command in ("list", "prune"):
        assert invoke(main, ["results", command, "r"]) == 2
        assert "--results FOLDER" in capsys.readouterr().err


def test_a_missing_folder_of_results_is_said_to_be_missing(capsys: Capture) -> None:
    assert invoke(main, ["results", "list", "--results", "nowhere"]) == 2
    assert "it is missing" in capsys.readouterr().err


def test_a_command_that_is_typed_below_another_is_named(capsys: Capture) -> None:
    assert invoke(main, ["data", "quality", "made", "--reference", "real"]) == 2
    assert "fix: harness quality --help\n" in capsys.readouterr().err
