"""Baselines: answers without images, the same every time, errors that name the line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.descriptors import Json, parse_options
from harness.errors import UserError
from harness.models import Runtime, TaskHandle
from harness.plugins import plugins
from harness.requests import Choose, Embed, Failed, Generate, Request, Scores, Text
from harness.samples import Sample
from harness.targets import load_target

BY_ID = plugins().models()


@dataclass
class Task:
    id: str = "demo"
    options: tuple[str, ...] = ("no_relation", "family", "friends")
    targets: Sequence[Any] = field(default_factory=lambda: ["family", "friends", "friends"])
    ids: Sequence[str] = ()

    def train_samples(self) -> Iterator[Sample]:
        for index, target in enumerate(self.targets):
            yield Sample(str(index), (), target, str(index))

    def samples(self) -> Iterator[Sample]:
        assert self.ids, "a baseline never looks at what it is asked"
        return (Sample(name, (), None, name) for name in self.ids)

    def render_answer(self, target: Json) -> str:
        if isinstance(target, str):
            return target.replace("_", " ")
        assert isinstance(target, list)
        return json.dumps(target[0])


def make(name: str, task: TaskHandle | None = None, **options: Json) -> Any:
    descriptor = BY_ID[name]
    values = parse_options(descriptor.options, options, owner=name)
    factory = load_target(descriptor)
    ids = ("1", "2", "7") if name == "predictions" else ()  # it holds them against its lines
    return factory(values, task or Task(ids=ids)) if descriptor.needs_task else factory(values)


def choose(sample: str = "7", seed: int = 0, sent: tuple[str, ...] = ()) -> Request:
    options = sent or ("no relation", "family", "friends")
    return Request(f"r{sample}", sample, "demo", (), Choose(options), seed)


def generate(sample: str = "7", seed: int = 0) -> Request:
    return Request(f"r{sample}", sample, "demo", (), Generate(8), seed)


def ask(model: Any, *requests: Request) -> list[Any]:
    answerer = model.load(Runtime())
    result = list(answerer.answer(requests))
    answerer.close()
    assert [response.request for response in result] == [request.id for request in requests]
    return [response.result for response in result]


@pytest.mark.parametrize("name", ["null", "random", "majority"])
def test_identities_are_plain_and_vectors_are_refused(name: str) -> None:
    model = make(name)
    assert json.loads(json.dumps(model.identity(Runtime())))["baseline"] == name
    (result,) = ask(model, Request("r", "s", "demo", (), Embed(("a",))))
    assert isinstance(result, Failed)
    assert not BY_ID[name].sees_images


def test_null_gives_nothing_away() -> None:
    assert ask(make("null"), choose(), generate()) == [
        Scores("similarity", (0.0, 0.0, 0.0)),
        Text(""),
    ]


def test_random_depends_on_seeds_and_sample_only() -> None:
    first, other = choose("1"), choose("2")
    assert ask(make("random"), first, other) == ask(make("random"), other, first)[::-1]
    seen = {
        tuple(ask(make("random", seed=seed), choose(sample, inner))[0].values)
        for seed in (0, 1)
        for sample in "12"
        for inner in (0, 1)
    }
    assert len(seen) == 8
    assert make("random").identity(Runtime()) != make("random", seed=1).identity(Runtime())


def test_random_draws_labels_and_points_uniformly() -> None:
    texts = [text.text for text in ask(make("random"), *[generate(str(k)) for k in range(300)])]
    assert {text: texts.count(text) > 70 for text in texts} == dict.fromkeys(
        ("no relation", "family", "friends"), True
    )
    gaze = Task(options=(), targets=[[[0.1, 0.1]]])
    points = [
        json.loads(text.text)
        for text in ask(make("random", gaze), *[generate(str(k)) for k in range(300)])
    ]
    for side in (0, 1):
        values = [point[side] for point in points]
        assert abs(sum(values) / 300 - 0.5) < 0.06
        assert min(values) < 0.05
        assert max(values) > 0.95
    open_task = Task(options=(), targets=["up", "down"])
    assert ask(make("random", open_task), generate())[0].text in {"up", "down"}


def test_majority_repeats_the_most_frequent_label() -> None:
    assert ask(make("majority"), choose(), generate()) == [
        Scores("label", (0.0, 0.0, 1.0)),
        Text("friends"),
    ]


def test_the_most_frequent_of_peoples_answers_is_their_label() -> None:
    task = Task(options=(), targets=[["a", "kite", "kite"], ["kite", "b"], ["b", "a", "a"]])
    assert ask(make("majority", task), generate())[0].text == "kite"
    drawn = {ask(make("random", task), generate(str(k)))[0].text for k in range(30)}
    assert drawn == {"a", "kite"}


def test_majority_breaks_ties_by_the_tasks_order_and_leaves_strangers_out() -> None:
    task = Task(targets=["friends", "family", "zebra", "zebra"])
    assert ask(make("majority", task), choose())[0].values == (0.0, 1.0, 0.0)


def test_majority_means_points_over_people_not_annotators() -> None:
    task = Task(options=(), targets=[[[0.0, 0.0], [0.2, 0.4]], [[0.5, 0.6]]])
    (text,) = ask(make("majority", task), generate())
    assert json.loads(text.text) == pytest.approx([0.3, 0.4])


@pytest.mark.parametrize("targets", [[], [3], ["zebra"], [[]]])
def test_majority_says_what_it_cannot_count(targets: list[Any]) -> None:
    with pytest.raises(UserError):
        make("majority", Task(targets=targets)).load(Runtime())


def written(folder: Path, *rows: Any) -> str:
    path = folder / "answers.jsonl"
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n",
        encoding="utf-8",
    )
    return str(path)


@pytest.mark.parametrize("answer", ["no_relation", "no relation"])
def test_predictions_take_a_label_or_the_text_as_sent(tmp_path: Path, answer: str) -> None:
    path = written(tmp_path, {"id": "7", "answer": answer})
    assert ask(make("predictions", path=path), choose(), generate()) == [
        Scores("label", (1.0, 0.0, 0.0)),
        Text(answer),
    ]


def test_predictions_take_scores_by_place_or_by_label(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"id": "1", "scores": [0.5, -2, 1]},
        {"id": "2", "scores": {"friends": 1, "no relation": 0.5, "family": -2}},
    )
    expected = Scores("similarity", (0.5, -2.0, 1.0))
    assert ask(make("predictions", path=path), choose("1"), choose("2")) == [expected, expected]


def test_predictions_prefer_lines_of_the_task(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {"id": "7", "task": "other", "answer": "friends"},
        {"id": "7", "task": "demo", "answer": "family"},
        "",
        {"id": "7", "answer": "no_relation"},
    )
    assert ask(make("predictions", path=path), choose())[0].values == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ({"id": "8", "answer": "family"}, "prediction_missing", "'7'"),
        ({"id": "7", "scores": [1, 2]}, "prediction_invalid", "2 scores for 3 options"),
        ({"id": "7", "scores": {"family": 1}}, "prediction_invalid", "has no score"),
        ({"id": "7", "scores": {"x": 1}}, "prediction_invalid", "'x' is no option"),
        (
            {"id": "7", "scores": {"no_relation": 1, "no relation": 2}},
            "prediction_invalid",
            "comes twice",
        ),
        (
            {"id": "7", "answer": "family", "scores": [0.1, 0.2, 0.7]},
            "prediction_invalid",
            "not the option with the highest score",
        ),
        ({"id": "7", "answer": "fam", "scores": [0, 1, 0]}, "prediction_invalid", "'fam'"),
    ],
)
def test_an_unusable_prediction_fails_its_request_only(
    tmp_path: Path, row: dict[str, Any], kind: str, words: str
) -> None:
    (result,) = ask(make("predictions", path=written(tmp_path, row)), choose())
    assert isinstance(result, Failed)
    assert result.kind == kind
    assert words in result.message


def test_an_answer_may_stand_beside_the_scores_that_say_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, {"id": "7", "answer": "no_relation", "scores": [1, 1, 0]})
    assert ask(make("predictions", path=path), choose(), generate()) == [
        Scores("similarity", (1.0, 1.0, 0.0)),
        Text("no_relation"),
    ]


def test_predictions_of_scores_alone_write_no_text(tmp_path: Path) -> None:
    path = written(tmp_path, {"id": "7", "scores": [1, 2, 3]})
    assert ask(make("predictions", path=path), generate())[0].kind == "prediction_missing"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[]", "should be a JSON object"),
        ('{"answer": "a"}', "'id' is missing"),
        ('{"id": 7.5, "answer": "a"}', "'id' should be a text or a whole number"),
        ('{"id": true, "answer": "a"}', "'id' should be a text or a whole number"),
        ('{"id": "7"}', "neither"),
        ('{"id": "7", "answer": 3}', "'answer' should be a text"),
        ('{"id": "7", "scores": 3}', "'scores' should be"),
        ('{"id": "7", "scores": [NaN]}', "not a finite number"),
        ('{"id": "7", "scores": [1e999]}', "not a finite number"),
        ('{"id": "7", "scores": ["1"]}', "not a finite number"),
        ('{"id": "7", "scores": [true]}', "not a finite number"),
        (f'{{"id": "7", "scores": [1{"0" * 400}]}}', "characters more"),
        ('{"id": "7", "scores": [9007199254740993]}', "more digits than a float64 holds"),
        ('{"id": "7", "scroes": [1]}', "did you mean 'scores'"),
        ('{"id": "7", "task": 1, "answer": "a"}', "'task' should be a text"),
        ('{"id": "7", "id": "8", "answer": "a"}', "a key occurs twice"),
        ('{"id": "1", "answer": "b"}', "occurs twice, first on line 1"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = written(tmp_path, {"id": "1", "answer": "family"}, line)
    with pytest.raises(UserError, match=words) as caught:
        make("predictions", path=path).load(Runtime())
    assert caught.value.where == f"{path}:2"


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"id": "1", "answer": "\xe9"}\n')
    with pytest.raises(UserError, match="not UTF-8"):
        make("predictions", path=str(path)).load(Runtime())
    path.write_bytes(b'\xef\xbb\xbf{"id": "7", "answer": "family"}\n')
    assert ask(make("predictions", path=str(path)), choose())[0].values == (0.0, 1.0, 0.0)


def test_a_predictions_file_is_known_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    row = {"id": "7", "answer": "family"}
    identity = make("predictions", path=written(tmp_path, row)).identity(Runtime())
    (tmp_path / "b").mkdir()
    assert make("predictions", path=written(tmp_path / "b", row)).identity(Runtime()) == identity
    more = make("predictions", path=written(tmp_path, row, {"id": "8", "answer": "a"}))
    assert more.identity(Runtime()) != identity


def test_a_missing_predictions_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="-o path="):
        make("predictions")
    model = make("predictions", path=str(tmp_path / "none.jsonl"))
    for act in (model.identity, model.load):
        with pytest.raises(UserError, match="cannot be read"):
            act(Runtime())
