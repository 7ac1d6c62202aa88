"""Inference-time methods: one call per block, one response per request, faults kept apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.main import entry
from harness.descriptors import AnswerMethodDescriptor, Json
from harness.evaluation.method_checks import Guarded
from harness.evaluation.methods import MethodAnswerer, find_method
from harness.plugins import plugins
from harness.requests import Choose, Failed, Generate, Request, Response, Scores, Text, Turn
from harness.requests.method import Result
from harness.runs.read import survey
from harness.runs.sample_record import read_samples


class Model:
    """Scores the first option less the longer the question, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[Request]] = []
        self.closed = False

    def answer(self, requests: Sequence[Request]) -> Iterable[Response]:
        self.calls.append(list(requests))
        for request in reversed(requests):
            if request.turns[-1].text.startswith("broken"):
                yield Response(request.id, Failed("too_long", "no"))
            elif isinstance(request.want, Choose):
                remainder = [0.0] * (len(request.want.options) - 1)
                size = float(len(request.turns[-1].text))
                yield Response(request.id, Scores("logprob", (-size, *remainder)))
            else:
                yield Response(request.id, Text(request.turns[-1].text))

    def notes(self) -> list[str]:
        return ["said"]

    def close(self) -> None:
        self.closed = True


class Twice:
    """Asks again with a fixed text, and adds up the first scores."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        del options

    def further(self, request: Request) -> Sequence[Request] | Failed:
        if not isinstance(request.want, Choose):
            return Failed("unsupported", "options only")
        return [replace(request, turns=(Turn("user", "again"),))]

    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Result:
        assert isinstance(request.want, Choose)
        assert isinstance(own, Scores)
        assert isinstance(further[0], Scores)
        first = own.values[0] + further[0].values[0]
        return replace(own, values=(first, *own.values[1:]))


class Louder(Twice):
    """Has written answers asked for in capitals."""

    def own(self, request: Request) -> Request:
        turns = tuple(replace(turn, text=turn.text.upper()) for turn in request.turns)
        return replace(request, turns=turns) if isinstance(request.want, Generate) else request

    def further(self, request: Request) -> Sequence[Request] | Failed:
        return [] if isinstance(request.want, Generate) else super().further(request)

    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Result:
        return super().combine(request, own, further) if further else own


def answering(model: Model, kind: type) -> MethodAnswerer:
    descriptor = AnswerMethodDescriptor(
        id="m",
        target=f"{__name__}:{kind.__name__}",
        summary="",
        treats={"choose": frozenset({"logprobs"})},
    )
    return MethodAnswerer(model, Guarded(descriptor, {}))


def request(name: str, text: str, want: Choose | Generate | None = None) -> Request:
    return Request(name, name, "task", (Turn("user", text),), want or Choose(("a", "b")))


def test_a_block_is_asked_at_once_and_equal_questions_once() -> None:
    model = Model()
    questions = [request("1", "four"), request("2", "sixsix"), request("3", "x", Generate(4))]
    questions.append(request("4", "broken"))
    results = {item.request: item.result for item in answering(model, Twice).answer(questions)}
    assert [len(call) for call in model.calls] == [4]  # three questions and one further
    assert results["1"] == Scores("logprob", (-9.0, 0.0))
    assert results["2"] == Scores("logprob", (-11.0, 0.0))
    assert isinstance(results["3"], Failed)
    assert results["3"].kind == "unsupported"
    assert results["4"] == Failed("too_long", "no")


def test_the_model_is_not_asked_when_nothing_can_be_treated() -> None:
    model = Model()
    answerer = answering(model, Twice)
    result = list(answerer.answer([request("3", "x", Generate(4))]))
    assert [item.request for item in result] == ["3"]
    assert model.calls == []
    assert answerer.notes() == ["said"]
    answerer.close()
    assert model.closed


def test_a_request_may_be_asked_otherwise() -> None:
    model = Model()
    questions = [request("1", "four"), request("2", "why", Generate(4))]
    results = {item.request: item.result for item in answering(model, Louder).answer(questions)}
    assert results == {"1": Scores("logprob", (-9.0, 0.0)), "2": Text("WHY")}
    assert len(model.calls) == 1


# --- from the command line ------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the plugin of ``method_world.py`` as a stranger's distribution."""
    about = tmp_path / "site" / "method_world-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: method-world\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[harness]\nmethod_world = method_world\n")
    monkeypatch.syspath_prepend(str(about.parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    plugins.cache_clear()
    yield
    plugins.cache_clear()


def run(*arguments: str, model: str = "talker", tasks: str = "raf_db") -> int:
    with pytest.raises(SystemExit) as ended:
        entry(["run", "--tasks", tasks, "--model", model, *arguments])
    return int(str(ended.value.code or 0))


@pytest.mark.usefixtures("world")
def test_the_method_stands_in_record_and_row(faces: Callable[[int], Path]) -> None:
    data = f"raf_db={faces(6)}"
    assert run("--data", data) == 0
    assert run("--data", data, "--method", "posthoc", "--method-option", "epsilon=0.01") == 0
    records, _ = survey("results")
    plain, calibrated = sorted(records, key=lambda record: len(record.title))
    assert (plain.title, calibrated.title) == ("talker", "talker + posthoc (epsilon=0.01)")
    assert plain.fingerprint != calibrated.fingerprint
    content = json.loads((calibrated.directory / "evaluation.json").read_text())
    assert content["model"]["method"] == {
        "id": "posthoc", "version": 2, "options": {"epsilon": 0.01},
    }  # fmt: skip
    assert "method" not in json.loads((plain.directory / "evaluation.json").read_text())["model"]


@pytest.mark.usefixtures("world")
def test_written_answers_are_asked_for_with_a_contrast(tmp_path: Path) -> None:
    results = str(tmp_path / "results")
    arguments = ("--profile", "demo", "--limit", "2", "--results", results)
    assert run(*arguments, "--method", "vdd", "--method-option", "alpha=0.5", tasks="textvqa") == 0
    [record], _ = survey(results)
    texts = {sample.text for sample in read_samples(record.directory)}
    assert texts == {"Contrast(alpha=0.5, cutoff=0.1)"}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("model", "tasks", "method", "message"),
    [
        ("talker", "textvqa", "posthoc",
         ["'posthoc' treats scores of options, not written answers", "'textvqa'", "vdd"]),
        ("talker", "raf_db,textvqa", "posthoc", ["'posthoc' treats", "'textvqa'"]),
        ("random", "raf_db", "vdd", ["'random' does not offer log-probabilities", "talker"]),
        ("predictions", "textvqa", "vdd", ["'predictions' does not offer writing", "talker"]),
        ("openai_api", "textvqa", "vdd", ["'openai_api' does not offer writing", "socialfusion"]),
        ("open_clip", "fairface_retrieval", "vdd",
         ["not vectors", "'fairface_retrieval'", "methods that treat them: bend"]),
        ("open_clip", "raf_db", "posthoc", ["'open_clip' does not offer log-probabilities"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_the_plan(
    model: str, tasks: str, method: str, message: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--profile", "demo", "--method", method, model=model, tasks=tasks) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert [item for item in message if item not in error] == []
    assert "Traceback" not in error


@pytest.mark.usefixtures("world")
def test_of_a_group_only_what_the_method_treats_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--profile", "demo", "--limit", "2", "--results", str(tmp_path / "results"))
    assert run(*arguments, "--method", "posthoc", tasks="social_all") == 0
    printed = " ".join("".join(capsys.readouterr()).split())
    assert "left out: gazefollow: method 'posthoc' treats scores of options" in printed
    records, _ = survey(tmp_path / "results")
    tasks = {record.task for record in records}
    assert "raf_db" in tasks
    assert "gazefollow" not in tasks


BROKEN = {
    "RaisesWhenMade": "raised in make: KeyError: 'alfa'",
    "RaisesInFurther": "raised in further: ValueError: no idea",
    "RaisesInCombine": "raised in combine: IndexError",
    "AsksText": "returned str from further, not a Request",
    "AsksLists": "raised in further: TypeError",
    "Renames": "changed a request's id",
    "TurnsIntoText": "returned str from own, not a Request",
    "AnswersText": "returned Text from combine, not Scores or Failed",
    "AnswersNothing": "returned NoneType from combine",
    "LosesScores": "returned 1 scores for 7 options",
    "ScoresWords": "raised in combine: ValueError",
    "ScoresAboveZero": "returned scores that cannot be: a log-probability of 2.5, above 0",
}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("name", BROKEN)
def test_a_method_that_breaks_the_contract_is_one_error(
    name: str, faces: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", f"raf_db={faces(2)}", "--method", name) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"answer method '{name}' {BROKEN[name]}" in error
    assert f"method_world:{name}" in error
    assert "Traceback" not in error


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("name", "kind"), [("ScoresNaN", "not_finite"), ("Fails", "unsure")])
def test_what_a_method_cannot_answer_is_recorded(
    name: str, kind: str, faces: Callable[[int], Path]
) -> None:
    assert run("--data", f"raf_db={faces(2)}", "--method", name) == 1
    [record], _ = survey("results")
    assert {sample.error and sample.error.kind for sample in read_samples(record.directory)} == {
        kind
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "posthok"], "did you mean 'posthoc'"),
        (["--method", "vdd", "--method-option", "alfa=1"], "did you mean 'alpha'"),
        (["--method-option", "alpha=1"], "no method"),
        (["--method", "vdd", "--method-option", "cutoff=2"], "not between 0 and 1"),
    ],
)
@pytest.mark.usefixtures("world")
def test_mistakes_name_what_is_near(
    arguments: list[str],
    message: str,
    faces: Callable[[int], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--data", f"raf_db={faces(2)}", *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_method_found_by_name_has_its_defaults() -> None:
    assert find_method("vdd", {}).identity == {
        "id": "vdd", "version": 3, "options": {"alpha": 1.0, "cutoff": 0.1},
    }  # fmt: skip
