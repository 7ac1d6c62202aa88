"""Methods at answer time: one call a block, one response a request, faults kept apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.main import entry
from harness.evaluation.methods import MethodAnswerer, find_method
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Turn
from harness.requests.method import Result
from harness.runs.read import read_evaluations
from harness.runs.samples import read_samples


class Model:
    """Scores the first option by the length of the question, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[Request]] = []
        self.closed = False

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        self.calls.append(list(requests))
        for request in reversed(requests):
            if request.turns[-1].text.startswith("broken"):
                yield Response(request.id, Failed("too_long", "no"))
            elif isinstance(request.want, Choose):
                rest = [0.0] * (len(request.want.options) - 1)
                size = float(len(request.turns[-1].text))
                yield Response(request.id, Scores("logprob", (size, *rest)))

    def notes(self) -> list[str]:
        return ["said"]

    def close(self) -> None:
        self.closed = True


class Twice:
    """Asks again with a fixed text, and takes the difference of the first scores."""

    def further(self, request: Request) -> Sequence[Request] | Failed:
        if not isinstance(request.want, Choose):
            return Failed("unsupported", "options only")
        return [replace(request, turns=(Turn("user", "again"),))]

    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Result:
        assert isinstance(request.want, Choose)
        assert isinstance(own, Scores)
        assert isinstance(further[0], Scores)
        first = own.values[0] - further[0].values[0]
        return replace(own, values=(first, *own.values[1:]))


def request(name: str, text: str, want: Choose | Generate | None = None) -> Request:
    return Request(name, name, "task", (Turn("user", text),), want or Choose(("a", "b")))


def test_a_block_is_asked_at_once_and_equal_questions_once() -> None:
    model = Model()
    asked = [request("1", "four"), request("2", "sixsix"), request("3", "x", Generate(4))]
    asked.append(request("4", "broken"))
    found = {one.request: one.result for one in MethodAnswerer(model, Twice()).answer(asked)}
    assert [len(call) for call in model.calls] == [4]  # three questions and one further
    assert found["1"] == Scores("logprob", (-1.0, 0.0))
    assert found["2"] == Scores("logprob", (1.0, 0.0))
    assert isinstance(found["3"], Failed)
    assert found["3"].kind == "unsupported"
    assert found["4"] == Failed("too_long", "no")


def test_the_model_is_not_asked_when_nothing_can_be_treated() -> None:
    model = Model()
    answerer = MethodAnswerer(model, Twice())
    found = list(answerer.answer([request("3", "x", Generate(4))]))
    assert [one.request for one in found] == ["3"]
    assert model.calls == []
    assert answerer.notes() == ["said"]
    answerer.close()
    assert model.closed


# --- from the command line ------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(["run", "--tasks", "raf_db", "--model", "random", *arguments])
    return int(str(ended.value.code or 0))


def test_the_method_stands_in_record_and_row(
    faces: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = f"raf_db={faces(6)}"
    assert run("--data", data) == 0
    # The random baseline has no log-probabilities: every sample is a fault, counted and not fatal.
    assert run("--data", data, "--method", "posthoc", "--method-option", "epsilon=0.01") == 1
    assert "6 of 6 samples errored" in capsys.readouterr().err
    records, _ = read_evaluations("results")
    plain, calibrated = sorted(records, key=lambda record: len(record.title))
    assert (plain.title, calibrated.title) == ("random", "random + posthoc")
    assert plain.raw["fingerprint"] != calibrated.raw["fingerprint"]
    said = json.loads((calibrated.directory / "evaluation.json").read_text())
    assert said["model"]["method"] == {
        "id": "posthoc", "version": 1, "options": {"epsilon": 0.01},
    }  # fmt: skip
    [kind] = {sample["error"]["kind"] for sample in read_samples(calibrated.directory)}
    assert kind == "no_image"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--method", "posthok"], "did you mean 'posthoc'"),
        (["--method", "vdd", "--method-option", "alfa=1"], "did you mean 'alpha'"),
        (["--method-option", "alpha=1"], "no method"),
    ],
)
def test_mistakes_name_what_is_near(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*given) == 2
    assert message in capsys.readouterr().err


def test_a_method_found_by_name_has_its_defaults() -> None:
    assert find_method("vdd", {}).identity == {
        "id": "vdd", "version": 1, "options": {"alpha": 1.0},
    }  # fmt: skip
