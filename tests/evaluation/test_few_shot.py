"""Solved samples before the question: chosen by name, from the train split, opened as shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import harness
from harness.errors import UserError
from harness.evaluation.few_shot import choose_shots, open_shots
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.requests import RequestMaker
from harness.evaluation.task import Task
from harness.specs.prompt import Shot, build_turns


def two_shots(number: int = 2) -> Task:
    """Return the drawn expressions with few-shot examples before each question."""
    task = harness.load_task("raf_db", profile="demo")
    prompt = replace(task.spec.prompt, shots=number)
    return Task(replace(task.spec, prompt=prompt), task.settings)


def test_every_question_shows_the_same_train_samples() -> None:
    task = two_shots()
    displayed = choose_shots(task, seed=0)
    assert all(sample.id.startswith("train") for sample in displayed)
    asker = RequestMaker(task, shots=lambda: open_shots(task, displayed, images=True))
    block = next(plan_task(task, Selection(limit=3)).stream())
    for requested in asker.block(block):
        assert requested.request is not None
        roles = [turn.role for turn in requested.request.turns]
        assert roles == ["user", "assistant", "user", "assistant", "user"]
        assert [len(turn.images) for turn in requested.request.turns] == [1, 0, 1, 0, 1]
        assert requested.request.turns[1].text == displayed[0].target


def test_the_choice_is_part_of_the_fingerprint() -> None:
    task = two_shots()
    prints = {
        plan_task(
            task, Selection(limit=3), [shot.id for shot in choose_shots(task, seed)]
        ).fingerprint
        for seed in (0, 1)
    }
    assert len(prints) == 2


def test_too_few_train_samples_are_said(faces: Callable[[int], Path]) -> None:
    task = harness.load_task("raf_db", data=faces(3))
    prompt = replace(task.spec.prompt, shots=15)
    with pytest.raises(UserError, match="14 samples of its train split have a right answer"):
        choose_shots(Task(replace(task.spec, prompt=prompt), task.settings), 0)


def test_a_question_that_a_few_shot_example_shows_with_its_answer_is_counted(
    tmp_path: Path,
) -> None:
    # The train split is a copy under other names: no id, path or file tells.
    for split, names in (("train", "cdba"), ("test", "wxyz")):
        lines = ["name,path,label"]
        for name, colour in zip(names, (30, 60, 60, 90), strict=True):
            image = tmp_path / split / f"{name}.png"
            image.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8), (colour, 0, 0)).save(image)
            lines.append(f"{name},{split}/{name}.png,{'ab'[colour > 50]}")
        (tmp_path / f"{split}.csv").write_text("\n".join(lines))
    options = {"file": {"train": "train.csv", "test": "test.csv"}, "id": "name",
               "image": "path", "target": "label"}  # fmt: skip
    data = {"benchmark": "copies", "reader": "table", "split": "test", "train_split": "train",
            "obtain": "drawn", "options": options}  # fmt: skip
    spec = dict.fromkeys(("title", "summary", "citation", "licence", "intended_use"), "Copies") | {
        "id": "copies", "version": 1, "data": data, "prompt": {"template": "a or b?", "shots": 1},
        "ask": {"choose": {"labels": ["a", "b"]}}, "answer": "{{ target }}", "unit": "image",
        "metrics": [{"id": "accuracy", "column": "A", "direction": "higher", "main": True}],
    }  # fmt: skip
    task = harness.load_task(spec, data=tmp_path)
    samples = {sample.id: sample for sample in task.train_samples()}
    for displayed, repeated in (("c", {"w"}), ("d", {"x", "y"}), ("b", {"x", "y"})):
        shots = open_shots(task, [samples[displayed]], images=True)
        block = RequestMaker(task, shots=lambda shots=shots: shots).block(list(task.samples()))  # type: ignore[misc]
        assert {requested.sample.id for requested in block if requested.notes} == repeated
    blind = RequestMaker(
        task, opens_images=False, shots=lambda: open_shots(task, [samples["c"]], images=False)
    )
    assert not any(requested.notes for requested in blind.block(list(task.samples())))


@pytest.mark.parametrize("name", ["vla_gender_bias_miap", "vla_gender_bias_phase"])
def test_samples_without_a_right_answer_are_no_examples(name: str, tmp_path: Path) -> None:
    message = "0 samples of its train split have a right answer"
    with pytest.raises(UserError, match=message):
        harness.plan("random", name, shots=1, results=tmp_path, profile="demo")


@pytest.mark.parametrize("name", ["raf_db", "gazefollow", "textvqa"])
def test_examples_are_rendered_as_question_and_answer(name: str) -> None:
    task = harness.load_task(name, profile="demo")
    requested = Task(replace(task.spec, prompt=replace(task.spec.prompt, shots=2)), task.settings)
    displayed = choose_shots(requested, 0)
    turns = build_turns(requested.spec, displayed[0], (), [Shot(sample) for sample in displayed])
    assert [turn.role for turn in turns][-5:] == ["user", "assistant"] * 2 + ["user"]


def test_an_example_that_cannot_be_written_is_refused_in_the_plan() -> None:
    task = two_shots()
    spec = replace(task.spec, answer="{{ target | round }}")
    with pytest.raises(
        UserError, match=r"the few-shot example 'train_.*' cannot be shown"
    ) as caught:
        choose_shots(Task(spec, task.settings), 0)
    assert "is not a number" in caught.value.message
