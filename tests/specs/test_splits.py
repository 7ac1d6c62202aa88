"""A split that a spec names and its reader does not have is refused wherever the data are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import harness
from harness.cli.main import main
from harness.errors import UserError
from harness.resources import data_folder


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    shipped = data_folder("task_specs") / "social" / "raf_db.yaml"
    raw = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**raw, "id": "mine"}, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("split: test", "split: tset", "data.split"),
        ("train_split: train", "train_split: tset", "data.train_split"),
        ("    test:", "    tset:", "data.counts.tset"),
    ],
)
def test_an_unknown_split_is_named_with_file_and_key(
    spec: Path, old: str, new: str, key: str
) -> None:
    text = spec.read_text(encoding="utf-8")
    assert old in text
    spec.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match="unknown split of reader 'raf_db' 'tset'") as raised:
        harness.plan("null", str(spec))
    assert str(raised.value.where) == f"{spec}: {key}"
    assert "did you mean 'test'?" in raised.value.fix
    done = CliRunner().invoke(main, ["validate", str(spec)])
    assert "reader 'raf_db' has no split 'tset'" in done.output + str(done.exception)


def test_an_unknown_metric_or_reader_is_named_with_the_file(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    for old, new in (("id: accuracy", "id: acuracy"), ("reader: raf_db", "reader: raf_dbb")):
        spec.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(UserError, match="unknown") as raised:
            harness.plan("null", str(spec))
        assert str(raised.value.where) == str(spec)
        assert "did you mean" in raised.value.fix


def test_a_layouts_task_that_resembles_a_known_one_is_refused(spec: Path) -> None:
    harness.run("null", "raf_db", limit=3, results="results")
    layout = spec.with_name("layout.yaml")
    text = "leaderboard: mine\ntitle: Mine\ncolumns: [{task: raf_bd}, {task: raf_db}]\n"
    layout.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="unknown task 'raf_bd'") as raised:
        harness.leaderboard("results", layout=layout)
    assert raised.value.fix == "did you mean 'raf_db'?; a spec of your own: --include FILE"
    layout.write_text(text.replace("raf_bd", "somebody_elses"), encoding="utf-8")
    assert len(harness.leaderboard("results", layout=layout).columns) == 2


def test_what_asks_is_left_out_for_answers_that_were_there_before(spec: Path) -> None:
    answers = spec.with_name("answers.jsonl")
    answers.write_text('{"id": "test_0001", "answer": "anger"}\n', encoding="utf-8")
    plan = harness.plan(
        "predictions", "raf_db", options={"path": str(answers)}, shots=2, temperature=0.5
    )
    assert "predictions is asked nothing: --shots, --temperature has no effect" in (
        plan.settings.notes
    )
    assert plan.evaluations[0].job.plan.task.spec.asked == {}
