"""``--keep-prompts``: the prompt as sent stands in each record, and what lacks it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.cli.main import entry
from harness.evaluation.requests import sent_prompt
from harness.requests import Embed, Generate, Request, Turn
from harness.runs.sample_record import SentPrompt, read_samples
from harness.tables.frames import sample_rows
from tests.plugins.site.sites import built, data

Faces = Callable[[int], Path]
QUESTION = "Which expression does this face show?"


def run(results: str, *flags: str) -> int:
    words = ["run", "--model", "random", "--tasks", "raf_db", "--data", "raf_db=raf"]
    with pytest.raises(SystemExit) as ended:
        entry([*words, "--results", results, *flags])
    return int(ended.value.code or 0)


def lines(results: str) -> list[dict[str, object]]:
    (path,) = Path(results).rglob("samples.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_prompts_are_kept_beside_the_same_record(
    faces: Faces, capsys: pytest.CaptureFixture[str]
) -> None:
    faces(70)
    assert run("plain") == 0
    assert run("kept", "--keep-prompts") == 0
    remaining = lines("kept")
    sent = [line.pop("sent") for line in remaining]
    assert remaining == lines("plain")
    assert sent[0] == {"turns": [["user", QUESTION]], "options": kept_labels()}
    capsys.readouterr()
    assert run("kept", "--keep-prompts") == 0  # at once, with nothing to say
    assert "no prompts" not in capsys.readouterr().out
    (plain,) = Path("plain").rglob("metrics.json")
    (other,) = Path("kept").rglob("metrics.json")
    assert plain.read_bytes() == other.read_bytes()
    assert plain.parent.name == other.parent.name  # the fingerprint knows nothing of it


def kept_labels() -> list[str]:
    return list(harness.load_task("raf_db").spec.labels)


def test_a_finished_evaluation_without_prompts_says_so(
    faces: Faces, capsys: pytest.CaptureFixture[str]
) -> None:
    faces(5)
    run("r")
    capsys.readouterr()
    assert run("r", "--keep-prompts") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "no prompts were kept when samples of raf_db were answered" in printed
    assert "--again repeats all of them" in printed
    assert all("sent" not in line for line in lines("r"))
    assert run("r", "--keep-prompts", "--again") == 0
    assert "no prompts" not in capsys.readouterr().out
    newest = [path for path in Path("r").rglob("samples.jsonl") if path.parent.suffix != ".1"]
    assert all(record.sent for record in read_samples(newest[0].parent))


def test_prompts_that_were_kept_before_and_are_not_now_are_said(
    faces: Faces, capsys: pytest.CaptureFixture[str]
) -> None:
    faces(5)
    message = "earlier samples of raf_db kept their prompts, and new ones do not"
    run("r", "--keep-prompts")
    capsys.readouterr()
    run("r")  # finished: nothing is asked, so that nothing is dropped
    assert message not in " ".join(capsys.readouterr().out.split())
    run("r", "--again")
    assert message in " ".join(capsys.readouterr().out.split())
    run("r", "--again")
    assert message not in " ".join(capsys.readouterr().out.split())


def test_workers_keep_prompts_too(faces: Faces) -> None:
    from harness.workers.start import find_workers

    faces(5)
    plan = find_workers("random", ["raf_db"], {"on": "processes", "keep_prompts": True})
    assert plan.options["keep_prompts"] is True
    order = harness.plan("random", "raf_db", data={"raf_db": "raf"}, keep_prompts=True)
    assert order.evaluations[0].job.asker.keep_prompts


def test_texts_of_other_requests_are_kept() -> None:
    turns = (Turn("system", "Be brief."), Turn("user", "Who?"))
    written = Request(id="a", sample="a", task="t", turns=turns, want=Generate(8))
    assert sent_prompt(written) == SentPrompt((("system", "Be brief."), ("user", "Who?")))
    embedded = Request(id="a", sample="a", task="t", turns=(), want=Embed(("a cat", "a dog")))
    assert sent_prompt(embedded) == SentPrompt((), ("a cat", "a dog"))


def test_kept_prompts_are_shown_without_the_data(faces: Faces, tmp_path: Path) -> None:
    faces(5)
    result = harness.run("random", "raf_db", data={"raf_db": "raf"}, results="r", keep_prompts=True)
    assert next(sample_rows(result.records))["prompt"] == f"user: {QUESTION}"
    site = built(tmp_path / "site", [Path("r")])
    (paths,) = site.rglob("ask-0.js")
    assert data(paths)["prompts"] == [[[["user", QUESTION]], kept_labels()]]
    (page,) = (site / "samples").glob("*.html")
    assert "Images are not shown" in page.read_text("utf-8")
