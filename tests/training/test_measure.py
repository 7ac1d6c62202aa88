"""What measuring asks about the pool, without reading the split again, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from harness import api
from harness.errors import UserError
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.summarise import summarise
from harness.requests import Choose, Request, Response, Scores
from harness.training.measure import answers, measure_pool, own_questions
from harness.training.pool import make_pool, on_train_split, source_id


class Guessing:
    """Says yes or no by a sample's name alone."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer a question of options."""
        return [Response(one.id, self._scores(one)) for one in requests]

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
    task = api.load_task("scounter", data=sets, options={"concepts": concepts})
    pool = make_pool([task], form=form, limit=7, seed=0)
    train = on_train_split(task)
    trained = {source_id(train, lesson.sample) for lesson in pool.lessons}
    wanted = [one for one in train.samples() if source_id(train, one) in trained]
    asked = sorted(own_questions(train, pool), key=lambda one: one.id)
    assert asked == sorted(wanted, key=lambda one: one.id)
    assert len(asked) == len(trained) * len(task.endings)


def test_the_skew_measured_is_that_of_an_evaluation_of_the_same_samples(sets: Path) -> None:
    task = api.load_task("scounter", data=sets, options={"concepts": "cmsc", "min_assigned": 1})
    measured = measure_pool(make_pool([task], form="open", limit=None, seed=0), Guessing())
    by_concept: dict[str, list[float]] = {}
    for (concept, _, _), value in measured.items():
        by_concept.setdefault(concept, []).append(value)
    train = on_train_split(task)
    blocks = plan_task(train, Selection()).stream()
    summary = summarise(task.spec, [list(answers(train, Guessing(), blocks))])
    found = {metric.column: metric.value for metric in summary.metrics}
    for column, extreme in (("MinSkew@C", min), ("MaxSkew@C", max)):
        mean = sum(map(extreme, by_concept.values())) / len(by_concept)
        assert found[column] == pytest.approx(mean)


def test_a_task_that_compares_no_groups_cannot_be_measured(faces: Path) -> None:
    pool = make_pool([api.load_task("raf_db", data=faces)], form=None, limit=3, seed=0)
    with pytest.raises(UserError, match="compares no groups"):
        measure_pool(pool, Guessing())
