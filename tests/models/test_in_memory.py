"""Models that are objects of the process: what is read of them, and when they are asked again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.api.runs import NullReporter
from harness.errors import HarnessError, UserError
from harness.evaluation.run import RunResult
from harness.requests import Request, Response, Scores

door: Any = harness


class FirstOption:
    """Chooses the first option."""

    def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
        for request in requests:
            want: Any = request.want
            scores = tuple(float(index == 0) for index in range(len(want.options)))
            yield Response(request.id, Scores("label", scores))


class Step(FirstOption):
    """Says what tells it from others."""

    id = "my_step"
    sees_images = False

    def __init__(self, step: int) -> None:
        self.identity = {"step": step}


class Words:
    """Answers in words, one text too few if asked to."""

    def __init__(self, lacking: int = 0) -> None:
        self.lacking = lacking

    def answer(self, requests: Sequence[Request]) -> list[str]:
        return ["neutral"] * (len(requests) - self.lacking)


def run(model: Any, tmp_path: Path, tasks: Any = "raf_db", **more: Any) -> RunResult:
    return harness.run(model, tasks, results=tmp_path, profile="demo", limit=3, **more)


def test_an_object_without_an_identity_is_never_taken_for_another(tmp_path: Path) -> None:
    notes: list[str] = []

    class Reporter(NullReporter):
        def say(self, note: str) -> None:
            notes.append(note)

    model = FirstOption()
    first, second = (run(model, tmp_path, reporter=Reporter()) for _ in range(2))
    assert first.records[0].model == "first_option"
    assert first.records[0].directory != second.records[0].directory
    assert any("gives no identity" in note for note in notes)


def test_an_object_with_an_identity_is_asked_once_for_each(tmp_path: Path) -> None:
    results = [run(Step(step), tmp_path) for step in (1, 1, 2)]
    directories = [result.records[0].directory for result in results]
    assert directories[0] == directories[1] != directories[2]
    described = harness.as_model(FirstOption(), id="my_step", identity={"step": 2})
    assert run(described, tmp_path).records[0].directory != directories[2]  # another class, code


def test_texts_answer_requests_in_their_order(tmp_path: Path) -> None:
    assert [sample.answer for sample in run(Words(), tmp_path).samples()] == ["neutral"] * 3
    with pytest.raises(HarnessError, match="2 texts for 3 requests"):
        run(Words(lacking=1), tmp_path)


@pytest.mark.parametrize("returned", ["sad", {"a": "sad", "b": "sad", "c": "sad"}, {"a", "b", "c"}])
def test_what_holds_three_texts_in_no_order_of_requests_is_refused(
    tmp_path: Path, returned: Any
) -> None:
    class Odd(FirstOption):
        def answer(self, requests: Sequence[Request]) -> Any:
            assert len(requests) == 3
            return returned

    with pytest.raises(HarnessError, match="not an answer to each request"):
        run(Odd(), tmp_path)


def test_a_score_that_is_no_finite_number_is_called_so(tmp_path: Path) -> None:
    class Lost(FirstOption):
        def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
            for request in requests:
                scores = (float("nan"), *(0.0 for _ in request.want.options[1:]))  # type: ignore[union-attr]
                yield Response(request.id, Scores("similarity", scores))

    (message,) = run(Lost(), tmp_path).failed
    assert message.endswith(": a score is not a finite number")


def test_too_few_scores_are_one_message(tmp_path: Path) -> None:
    class Few(FirstOption):
        def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
            yield from (Response(request.id, Scores("label", (1.0,))) for request in requests)

    (message,) = run(Few(), tmp_path).failed
    assert "3 of 3 samples errored" in message
    assert "1 scores for 7 options" in message


def test_models_of_one_name_that_fail_are_each_counted(tmp_path: Path) -> None:
    result = run([Words(lacking=1), Words(lacking=2), "null"], tmp_path)
    assert [record.model for record in result.records] == ["null"]
    assert list(result.ended) == ["all tasks of words", "all tasks of words (2)"]


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        (FirstOption(), {"on": "processes"}, "only in the memory of this process"),
        (FirstOption(), {"options": {"seed": 1}}, "option of model 'first_option'"),
        (object(), {}, "an object with answer"),
        (type("Random", (FirstOption,), {})(), {}, "belongs to an installed model"),
        (type("Odd", (FirstOption,), {"id": "../x"})(), {}, "not a plain name"),
        (type("Odd", (FirstOption,), {"capabilities": 3})(), {}, "capabilities is int 3"),
        (type("Odd", (FirstOption,), {"identity": "x"})(), {}, "not a mapping"),
        ({"model": "random,null"}, {}, "needs one id as `model`"),
        ({"options": {}}, {}, "needs one id as `model`"),
    ],
)
def test_what_is_no_model_of_a_run_is_refused(
    tmp_path: Path, model: Any, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        run(model, tmp_path, **more)
    assert not [*tmp_path.rglob("evaluation.json")]


def test_objects_and_ids_stand_in_one_table(tmp_path: Path) -> None:
    result = run([FirstOption(), "null"], tmp_path, tasks=["raf_*"])
    assert [row.model for row in result.table().rows] == ["first_option, limit=3", "null, limit=3"]


def test_a_loaded_task_is_asked_with_its_own_options(tmp_path: Path) -> None:
    task = harness.load_task("fairface", options={"alpha": 2.0}, profile="demo")
    (item,) = harness.plan("random", task, results=tmp_path, limit=2).evaluations
    assert item.job.plan.task.spec.options["alpha"].value == 2.0
    with pytest.raises(UserError, match="loaded under profile demo"):
        harness.plan("random", task, results=tmp_path, profile="full")


@pytest.mark.slow
@pytest.mark.torch
def test_a_module_in_training_is_asked_in_evaluation_mode_and_put_back(tmp_path: Path) -> None:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dropout = torch.nn.Dropout()
            self.linear = torch.nn.Linear(2, 7)
            self.modes: set[bool] = set()

        def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
            for request in requests:
                self.modes.add(self.dropout.training)
                scores = self.linear(torch.ones(2)).log_softmax(-1)
                assert not scores.requires_grad
                yield Response(request.id, Scores("logprob", tuple(scores.tolist())))

    net = Net().train()
    net.linear.eval()  # a frozen part
    result = run(net, tmp_path)
    assert not result.failed
    assert net.modes == {False}
    assert net.training
    assert net.dropout.training
    assert not net.linear.training
