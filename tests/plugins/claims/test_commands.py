"""What commands that read finished evaluations have in common: tasks, marks, what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from harness_claims.human_command import human
from harness_claims.prompts_command import prompts
from harness_claims.rescore_command import rescore
from harness_perturbations.command import robustness

import harness
from harness.api.runs import NullReporter
from harness.commands import print_json
from harness.descriptors import ModelDescriptor
from harness.errors import UserError
from harness.specs.variants import changing

COMMANDS: dict[str, tuple[click.Command, list[str]]] = {
    "human": (human, []),
    "prompts": (prompts, []),
    "rescore": (rescore, ["--metrics", "accuracy"]),
    "robustness": (robustness, []),
}


class Listening(NullReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def say(self, note: str) -> None:
        """Keep it."""
        self.notes.append(note)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    options: Any = {"profile": "demo", "limit": 8, "results": "results"}
    harness.run("random", "raf_db", variants="paraphrases=1", **options)
    harness.run(Brightness(), "raf_db", variants="blur:1", **options)
    harness.run("random", "vqav2", **options)
    return tmp_path / "results"


class Brightness:
    """Answers by an image's pixels."""

    id = "brightness"
    identity = {"name": "brightness"}

    def answer(self, requests: Any) -> list[str]:
        return [
            request.want.options[
                sum(request.images[0].pixels.tobytes()) % len(request.want.options)
            ]
            for request in requests
        ]


def test_tasks_that_are_not_there_are_refused_and_marks_are_shown(results: Path) -> None:
    for name, (command, flags) in COMMANDS.items():
        arguments = [str(results), *flags, "--tasks", "raf_db,nope"]
        with pytest.raises(UserError, match="unknown task among these evaluations 'nope'"):
            CliRunner().invoke(command, arguments, catch_exceptions=False)
        displayed = CliRunner().invoke(command, [str(results), *flags], catch_exceptions=False)
        assert "marks: demo, limited" in displayed.stdout, name
        code = CliRunner().invoke(command, [str(results), *flags, "--json"])
        assert all(row["marks"] == ["demo", "limited"] for row in json.loads(code.stdout)), name


def test_a_perturbed_evaluation_with_nothing_beside_it_is_said(results: Path) -> None:
    evaluations = results / "evaluations" / "raf_db"
    blurred = next(
        path for path in evaluations.glob("brightness-*") if harness.read_evaluation(path).variant
    )
    with pytest.raises(UserError, match="both the original and perturbed images"):
        CliRunner().invoke(robustness, [str(blurred)], catch_exceptions=False)
    code = CliRunner().invoke(robustness, [str(blurred)])
    left_out = "left out: brightness, limit=8 on raf_db, blur 1: the same samples as they are"
    assert left_out in code.stderr


def test_what_is_asked_nothing_or_sees_no_image_has_no_variant_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard = Listening()
    outcome = harness.run(
        "human", "vqav2", profile="demo", limit=8, variants="paraphrases,blur", reporter=heard
    )
    assert [record.variant for record in outcome.records] == [""]
    message = "human is asked nothing: paraphrases, blur would repeat its numbers and is left out"
    assert heard.notes[0] == message
    assert any(note.startswith("vqav2: agreement of the split's") for note in heard.notes)

    def model(**about: Any) -> ModelDescriptor:
        return ModelDescriptor(id="x", target="x:X", summary="", **about)

    assert changing("paraphrases,blur:2", model()) == ("paraphrases,blur:2", [])
    kinds, notes = changing("paraphrases,blur:2", model(sees_images=False))
    assert (kinds, len(notes)) == ("paraphrases", 1)
    assert changing("shuffles=2,blur:2", model(is_asked=False))[0] == ""
    with pytest.raises(UserError, match="levels 1 to 5"):
        changing("blur:9", model(sees_images=False))


def test_json_has_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), (1.5, float("inf"))], "b": 2})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [None, [1.5, None]], "b": 2
    }  # fmt: skip
