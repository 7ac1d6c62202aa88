"""A task asks about every sample once for each value its spec lists, and keeps what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import harness
from harness.config.settings import load_settings
from harness.evaluation.ask import Asker
from harness.evaluation.plan import BLOCK_IMAGES, Selection, plan_task
from harness.evaluation.score import Scorer, scored
from harness.evaluation.summarise import summarise
from harness.evaluation.task import Task
from harness.requests import Response, Scores
from harness.specs.loader import with_options
from harness.specs.yaml_loader import parse_yaml
from tests.specs.specs_for_tests import SPEC

POLL = (
    SPEC.replace(
        "  obtain: Draw it.\n",
        """\
  each:
    field: who
    values: [the cook, the judge]
    texts: {the judge: the one who judges}
  keep: [who]
  obtain: Draw it.
""",
    )
    .replace("  view: {mark: [red]}\n", "")
    .replace("{{ who }} in?", "{{ who_text }} in?")
    .replace(" | replace('_', ' ') }}\"\nanswer", ' }} of {{ who }}"\nanswer')
    .replace("- glad_one", "- happiness")
    .replace("- sad\n", "- sadness\n")
    .replace("label: sad}", "label: sadness}")
)

Faces = Callable[[int], Path]


def poll(data: Path) -> Task:
    return Task(with_options(parse_yaml(POLL), {}), load_settings(data={"mood": data}))


def test_each_value_makes_a_sample_of_its_own(faces: Faces) -> None:
    task = poll(faces(3))
    plain = harness.load_task("raf_db", data=task.located.root)
    names = [sample.id for sample in plain.samples()]
    assert [sample.id for sample in task.samples()] == [
        f"{name}#{value}" for name in names for value in ("the cook", "the judge")
    ]


def test_prompt_and_options_read_the_value(faces: Faces) -> None:
    task = poll(faces(1))
    cook, judge = Asker(task).block(list(task.samples()))
    assert cook.request is not None
    assert judge.request is not None
    assert cook.request.turns[-1].text == "Which mood is the cook in?"
    assert judge.request.turns[-1].text == "Which mood is the one who judges in?"
    assert judge.request.want.options == ("happiness of the judge", "sadness of the judge")  # type: ignore[union-attr]


def test_the_record_keeps_the_value_for_metrics(faces: Faces) -> None:
    task = poll(faces(1))
    first = Asker(task).block(list(task.samples()))[0]
    scorer = Scorer(task.spec)
    record = scorer.record(first, Response(first.sample.id, Scores("logprob", (-1.0, -2.0))))
    assert scored(record, task.spec).fields == {"who": "the cook"}
    assert record["answer"] == "happiness"


def test_a_block_holds_so_many_images_whatever_is_asked_about_each(faces: Faces) -> None:
    plan = plan_task(poll(faces(BLOCK_IMAGES + 1)), Selection())
    assert list(plan.blocks) == [2 * BLOCK_IMAGES, 2]


def test_a_sample_without_an_answer_is_counted_and_not_scored(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(1))
    asked = Asker(task).block(list(task.samples()))[0]
    record = Scorer(task.spec).record(
        asked, Response(asked.sample.id, Scores("logprob", tuple(map(float, range(7)))))
    )
    summary = summarise(task.spec, [[record, {**record, "target": None}]])
    assert summary.counts.unlabelled == 1
    both = summarise(task.spec, [[record, record]])
    assert [value.value for value in summary.metrics] == [value.value for value in both.metrics]
