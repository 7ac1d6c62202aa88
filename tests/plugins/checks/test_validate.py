"""``harness validate``: every problem, one a line, at its place."""

import json
from pathlib import Path

import pytest

from harness.cli.main import invoke, main
from harness.resources import data_folder

GROUP = "group: {}\ntitle: G\ntasks: [{}]\n"
Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = invoke(main, ["validate", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture
def spec() -> str:
    return (data_folder("task_specs") / "social" / "raf_db.yaml").read_text()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_project_s_own_specs_are_valid(capsys: Capture) -> None:
    code, out, _ = run(capsys, str(data_folder("task_specs")))
    specs = len(list(data_folder("task_specs").rglob("*.yaml")))
    assert (code, out) == (0, f"{specs} specs are valid\n")


def test_one_file(capsys: Capture, tmp_path: Path, spec: str) -> None:
    (tmp_path / "a.yaml").write_text(spec)
    assert run(capsys, "a.yaml")[:2] == (0, "1 spec is valid\n")


def test_every_problem_of_every_file(capsys: Capture, tmp_path: Path, spec: str) -> None:
    (tmp_path / "a.yaml").write_text(spec.replace("reader: raf_db", "reader: raf"))
    (tmp_path / "b.yaml").write_text("id: b\nid: b\n")
    text = spec.replace("version: 1", "version: x\nnonsense: 1").replace("id: raf_db", "id: c")
    (tmp_path / "c.yaml").write_text(text)
    (tmp_path / "d.yaml").write_bytes(b"\xff")
    code, out, err = run(capsys, ".")
    assert (code, err) == (2, "")
    nonsense = "c.yaml:3:1: unknown key 'nonsense'; known: answer, ask, changed_by, citation, "
    lines = out.splitlines()
    assert any(line.startswith(nonsense) for line in lines)
    assert [line for line in lines if not line.startswith(nonsense)] == [
        "a.yaml:15:11: there is no reader 'raf'; did you mean 'raf_db'?",
        "b.yaml:2:1: key 'id' is repeated; it stands on line 1",
        'c.yaml:2:10: version must be a whole number, not "x"',
        "d.yaml:1:1: the file is not UTF-8 text",
    ]


def test_problems_as_json(capsys: Capture, tmp_path: Path, spec: str) -> None:
    (tmp_path / "a.yaml").write_text(spec.replace("id: accuracy", "id: acuracy"))
    (tmp_path / "b.yaml").write_text(spec.replace("id: raf_db", "id: other"))
    code, out, _ = run(capsys, ".", "--json")
    content = json.loads(out)
    assert code == 2
    assert content["valid"] == 1
    (problem,) = content["problems"]
    assert problem["file"] == "a.yaml"
    assert problem["message"] == "there is no metric 'acuracy'"
    assert problem["fix"].startswith("did you mean 'accuracy'")
    line = spec[: spec.index("id: accuracy")].count("\n") + 1
    assert (problem["line"], problem["column"]) == (line, 10)


def test_ids_and_groups_across_files(capsys: Capture, tmp_path: Path, spec: str) -> None:
    (tmp_path / "a.yaml").write_text(spec.replace("id: raf_db", "id: mine"))
    (tmp_path / "b.yaml").write_text(spec.replace("id: raf_db", "id: mine"))
    (tmp_path / "g.yaml").write_text(GROUP.format("g", "mine, raf_db, h, mien"))
    (tmp_path / "h.yaml").write_text(GROUP.format("h", "g"))
    code, out, _ = run(capsys, ".")
    assert code == 2
    assert out.splitlines() == [
        "b.yaml:1:5: the id 'mine' is already used by a.yaml",
        "g.yaml:3:23: a group contains itself: h",
        "g.yaml:3:26: there is no task or group 'mien'; did you mean 'mine'?",
        "h.yaml:3:9: a group contains itself: g",
    ]


def test_a_prompt_is_rendered_on_real_data_where_there_are_some(
    capsys: Capture, tmp_path: Path, spec: str
) -> None:
    labels = tmp_path / "raf" / "basic" / "EmoLabel" / "list_patition_label.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("test_0001.jpg 4\n")
    (tmp_path / "harness.toml").write_text('[data]\nraf_db = "raf"\n')
    (tmp_path / "a.yaml").write_text(spec.replace("this face show", "{{ nobody }} show"))
    code, out, _ = run(capsys, "a.yaml")
    assert code == 2
    line = spec[: spec.index("this face show")].count("\n") + 1
    assert out.startswith(f"a.yaml:{line}:13: on the data in ")
    assert "the field 'nobody', which no sample has" in out


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "the file or folder does not exist"), ("empty", "no YAML file")],
)
def test_places_without_specs(capsys: Capture, tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = run(capsys, path)
    assert code == 2
    assert f"{path}: {message}" in err


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("leaderboard: a", "a layout of a table"),
        ("published: a", "a table of published numbers"),
        ("study: a", "a study"),
        ("models: [null]", "a run or its models"),
        ("model: random\ntasks: [raf_db]", "a run file"),
        ("concepts: {}", "a spec of image sets"),
    ],
)
def test_a_file_of_another_kind_is_named_with_its_own_check(
    capsys: Capture, tmp_path: Path, key: str, message: str
) -> None:
    (tmp_path / "other.yaml").write_text(f"title: T\n{key}\n", encoding="utf-8")
    code, out, _ = run(capsys, "other.yaml")
    assert code == 2
    assert out.startswith(
        f"other.yaml:2:1: this is {message}, not a task spec; its own check: harness"
    )
    assert out.count("\n") == 1


@pytest.mark.parametrize("text", ["models: [random]\n", "- random\n- {model: majority}\n"])
def test_models_alone_are_checked_by_the_flag_that_takes_them(
    capsys: Capture, tmp_path: Path, text: str
) -> None:
    (tmp_path / "models.yaml").write_text(text, encoding="utf-8")
    code, out, _ = run(capsys, "models.yaml")
    assert code == 2
    message, _, command = out.partition("; its own check: harness ")
    assert message == "models.yaml:1:1: this is a run or its models, not a task spec"
    assert command.startswith("run --models models.yaml --tasks IDS --dry-run")
    assert invoke(main, command.replace("IDS", "raf_db").split()) == 0


def test_a_list_of_something_else_is_no_list_of_models(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "numbers.yaml").write_text("- 1\n- 2\n", encoding="utf-8")
    code, out, _ = run(capsys, "numbers.yaml")
    assert code == 2
    assert "models" not in out
