"""What measuring asks about the pool, without reading the split again, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from harness_training.measure import answers, measure_pool, own_questions, skews_of
from harness_training.pool import make_pool, on_train_split, source_id

import harness
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.summarise import summarise
from harness.requests import Choose, Request, Response, Scores
from harness.runs.sample_record import SampleRecord
from harness.samples import Group


class Guessing:
    """Says yes or no by a sample's name alone."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer a question of options."""
        return [Response(request.id, self._scores(request)) for request in requests]

    def close(self) -> None:
        """Hold nothing."""

    @staticmethod
    def _scores(request: Request) -> Scores:
        assert isinstance(request.want, Choose)
        chance = Random(request.sample)
        return Scores("similarity", tuple(chance.random() for _ in request.want.options))


@pytest.mark.parametrize("form", ["open", "yes_no"])
@pytest.mark.parametrize("concepts", ["own", "cmsc"])
def test_measuring_asks_each_sample_what_an_evaluation_of_the_train_split_asks(
    sets: Path, form: str, concepts: str
) -> None:
    task = harness.load_task("scounter", data=sets, options={"concepts": concepts})
    pool = make_pool([task], form=form, limit=7, seed=0)
    train = on_train_split(task)
    trained = {source_id(train, lesson.sample) for lesson in pool.lessons}
    wanted = [sample for sample in train.samples() if source_id(train, sample) in trained]
    ordered = sorted(own_questions(train, pool), key=lambda sample: sample.id)
    assert ordered == sorted(wanted, key=lambda sample: sample.id)
    assert len(ordered) == len(trained) * len(task.endings)


@pytest.mark.parametrize("order", [1, -1], ids=["as they sort", "the other way"])
def test_each_concept_s_skew_is_that_of_an_evaluation_of_the_same_samples(
    sets: Path, order: int
) -> None:
    options: dict[str, Json] = {"concepts": "cmsc", "min_assigned": 1}
    task = harness.load_task("scounter", data=sets, options=options)
    pool = make_pool([task], form="open", limit=None, seed=0)
    pool = replace(pool, lessons=pool.lessons[::order])
    measured = measure_pool(pool, Guessing())
    train = on_train_split(task)
    blocks = plan_task(train, Selection()).stream()
    summary = summarise(task.spec, [list(answers(train, Guessing(), blocks))])
    (table,) = (
        detail for detail in summary.details if detail.name == "skew by concept and attribute"
    )
    results = {
        (key["concept"], name, value): row.value
        for row in table.rows
        for key in [row.key]
        for name, value in key.items()
        if name != "concept"
    }
    assert measured == pytest.approx(
        {key: detail for key, detail in results.items() if detail is not None}
    )
    assert len(measured) > 20


def test_a_concept_seen_first_is_not_taken_for_the_one_that_sorts_first() -> None:
    spec = harness.load_task("scounter", options={"min_assigned": 1}).spec
    records = [
        SampleRecord(
            f"{concept} {number}", str(number), None,
            "yes" if concept == "nurse" and gender == "female" else "no",
            fields={"concept": concept}, groups={"gender": Group(gender, "human")},
        )
        for concept in ("nurse", "chef")
        for number, gender in enumerate(("female", "male") * 10)
    ]  # fmt: skip
    skews = skews_of(spec, records)
    assert {concept for concept, _, _ in skews} == {"nurse"}
    assert skews["nurse", "gender", "female"] > 0 > skews["nurse", "gender", "male"]


def test_nothing_answered_has_no_skew() -> None:
    assert skews_of(harness.load_task("scounter").spec, []) == {}


def test_a_task_that_compares_no_groups_cannot_be_measured(faces: Path) -> None:
    pool = make_pool([harness.load_task("raf_db", data=faces)], form=None, limit=3, seed=0)
    with pytest.raises(UserError, match="does not compare groups"):
        measure_pool(pool, Guessing())
