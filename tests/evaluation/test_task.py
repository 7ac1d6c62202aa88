"""A task asks about every sample once for each value its spec lists, and keeps what it says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.config.settings import load_settings
from harness.errors import DataError, UserError
from harness.evaluation.plan import BLOCK_IMAGES, Selection, plan_task
from harness.evaluation.requests import RequestMaker
from harness.evaluation.score import Scorer, scored
from harness.evaluation.summarise import summarise
from harness.evaluation.task import Task, _about_each
from harness.requests import Embed, Response, Scores
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
    """Return a task with two labels on faces that have no other."""
    labels = data / "basic/EmoLabel/list_patition_label.txt"
    rows = [line.split() for line in labels.read_text().splitlines()]
    labels.write_text("".join(f"{name} {4 + int(code) % 2}\n" for name, code in rows))
    return Task(with_options(parse_yaml(POLL), {}), load_settings().with_data({"mood": data}))


def test_each_value_makes_a_sample_of_its_own(faces: Faces) -> None:
    task = poll(faces(3))
    plain = harness.load_task("raf_db", data=str(task.located.root))
    names = [sample.id for sample in plain.samples()]
    assert [sample.id for sample in task.samples()] == [
        f"{name}#{value}" for name in names for value in ("the cook", "the judge")
    ]


def test_prompt_and_options_read_the_value(faces: Faces) -> None:
    task = poll(faces(1))
    cook, judge = RequestMaker(task).block(list(task.samples()))
    assert cook.request is not None
    assert judge.request is not None
    assert cook.request.turns[-1].text == "Which mood is the cook in?"
    assert judge.request.turns[-1].text == "Which mood is the one who judges in?"
    assert judge.request.want.options == ("happiness of the judge", "sadness of the judge")  # type: ignore[union-attr]


def test_the_record_keeps_the_value_for_metrics(faces: Faces) -> None:
    task = poll(faces(1))
    first = RequestMaker(task).block(list(task.samples()))[0]
    scorer = Scorer(task.spec)
    record = scorer.record(first, Response(first.sample.id, Scores("logprob", (-1.0, -2.0))))
    assert scored(record, task.spec).fields == {"who": "the cook"}
    assert record.answer == "happiness"


def test_a_block_holds_so_many_images_whatever_is_asked_about_each(faces: Faces) -> None:
    plan = plan_task(poll(faces(BLOCK_IMAGES + 1)), Selection())
    assert list(plan.blocks) == [2 * BLOCK_IMAGES, 2]


def test_a_sample_without_an_answer_is_counted_and_not_scored(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(1))
    sample = RequestMaker(task).block(list(task.samples()))[0]
    record = Scorer(task.spec).record(
        sample, Response(sample.sample.id, Scores("logprob", tuple(map(float, range(7)))))
    )
    summary = summarise(task.spec, [[record, record._replace(target=None)]])
    assert summary.counts.unlabelled == 1
    both = summarise(task.spec, [[record, record]])
    assert [value.value for value in summary.metrics] == [value.value for value in both.metrics]


OWN = (
    POLL.replace("    values: [the cook, the judge]\n", """\
    values:
      - {labels: [the cook, the judge], when: {asked: each}}
""")
    .replace("  keep: [who]\n", "  keep: [{label: who, when: {asked: each}}]\n")
    .replace("options:\n  images:", """options:
  asked:
    default: own
    choices: [own, each]
    status: INFERRED
    note: Whom.
  images:""")
)  # fmt: skip


def test_without_values_a_sample_is_asked_about_its_own(faces: Faces) -> None:
    spec = with_options(parse_yaml(OWN), {})
    task = Task(spec, load_settings().with_data({"mood": faces(1)}))
    (sample,) = task.samples()
    assert spec.data.each is not None
    about = [
        replace(sample, fields={"who": who, **more})
        for who, more in (("the judge", {}), ("the baker", {"who_text": "one who bakes"}))
    ]
    messages = [item.fields["who_text"] for item in _about_each(spec.data.each, iter(about))]
    assert messages == ["the one who judges", "one who bakes"]
    assert spec.data.keep == ()
    assert with_options(parse_yaml(OWN), {"asked": "each"}).data.keep == ("who",)


@pytest.mark.parametrize("limit", [None, 5])
def test_a_plan_counts_the_ids_that_are_asked(faces: Faces, limit: int | None) -> None:
    task = poll(faces(8))
    plan = plan_task(task, Selection(limit=limit))
    questions = [sample.id for block in plan.stream() for sample in block]
    digest = hashlib.sha256("".join(f"{name}\n" for name in questions).encode()).hexdigest()
    assert plan.parts["sample ids"] == digest
    assert len(questions) == plan.samples == (limit or 16)
    assert set(questions) <= {sample.id for sample in task.samples()}


def test_repeated_ids_are_refused_when_each_value_is_asked_about(faces: Faces) -> None:
    task = poll(faces(2))
    path = task.located.root.local("basic/EmoLabel/list_patition_label.txt")
    assert path is not None
    lines = path.read_text().splitlines()
    again = next(line for line in lines if line.startswith("test_"))
    path.write_text("\n".join([*lines, again]))
    with pytest.raises(DataError, match="two samples of 'mood' have the id"):
        plan_task(task, Selection())


def test_texts_to_embed_are_written_from_fields(faces: Faces) -> None:
    want = "ask:\n  embed: {texts: ['a photo of {{ who_text }}']}\nanswer:"
    embed = re.sub(r"ask:\n.*?\nanswer:", want, POLL, flags=re.DOTALL)
    embed = re.sub(r"  - {id: recall, .*\n", "", embed)
    embed = re.sub(r"  odd:\n.*", "", embed, flags=re.DOTALL)
    spec = with_options(parse_yaml(embed), {})
    task = Task(spec, load_settings().with_data({"mood": faces(1)}))
    wants = [requested.request.want for requested in RequestMaker(task).block(list(task.samples()))
             if requested.request is not None]  # fmt: skip
    assert wants == [Embed(("a photo of the cook",)), Embed(("a photo of the one who judges",))]


@pytest.mark.parametrize(
    ("task", "folder", "files", "words"),
    [
        ("raf_db", "basic", ["EmoLabel/list_patition_label.txt"],
         "the folder given is the release's own 'basic': name the one it lies in"),
        ("raf_db", "raf/EmoLabel", ["list_patition_label.txt"],
         "list_patition_label.txt lies in the folder itself: move it to basic/EmoLabel"),
        ("raf_db", "", ["RAF/basic/EmoLabel/list_patition_label.txt"],
         "they lie in its folder 'RAF': name that one"),
        ("pisc_fine", "", ["annotation_image_info.json", "relationship.json",
                           "relation_testidx.json"],
         "relation_testidx.json lies in the folder itself: move it to relationship_split"),
        ("raf_db", "", ["data/RAF/basic/EmoLabel/list_patition_label.txt"],
         "they lie in its folder 'data/RAF': name that one"),
        ("fairface", "", ["labels/fairface_label_val.csv"],
         "they lie in its folder 'labels': name that one"),
        ("hagridv2", "", ["a/grabbing.json"],
         "grabbing.json lies in a: move it to hagrid_annotations/test"),
        ("vqav2", "", ["v/v2_OpenEnded_mscoco_val2014_questions.json"],
         "v2_OpenEnded_mscoco_val2014_questions.json lies in v: move it to the folder itself"),
        ("scounter", "", ["a/train-00000-of-00003-6c.parquet", "b/train-00001-of-00003-6c.parquet",
                          "data/train-00002-of-00003-6c.parquet"],
         "2 of them lie in a, b: move them to data"),
        ("scounter", "", ["part/train-00000-of-00061-6c.parquet"],
         "train-00000-of-00061.parquet lies in part: move it to data"),
        ("raf_db", "", ["other.txt"], "looked for basic/EmoLabel/list_patition_label.txt\n"),
    ],
)  # fmt: skip
def test_files_that_lie_elsewhere_are_said_to(
    tmp_path: Path, task: str, folder: str, files: list[str], words: str
) -> None:
    for name in files:
        (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text("[]", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        harness.load_task(task, data=tmp_path / folder).annotation_hashes()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("task", "file", "inside"),
    [
        ("fairface", "fairface_label_val.csv", "fairface-img-margin025-trainval/val"),
        ("gazefollow", "test_annotations_release.txt", "test2"),
        ("textvqa", "TextVQA_0.5.1_val.json", "train_images"),
        ("mmbench", "MMBench_DEV_EN.tsv", "images"),
        ("raf_db", "basic/EmoLabel/list_patition_label.txt", "basic/Image/aligned"),
    ],
)
def test_a_folder_within_a_release_is_said_to_be_too_deep(
    tmp_path: Path, task: str, file: str, inside: str
) -> None:
    (tmp_path / "R" / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "R" / file).touch()
    (tmp_path / "R" / inside).mkdir(parents=True)
    with pytest.raises(UserError, match=r"above the folder given: name that one") as caught:
        harness.load_task(task, data=tmp_path / "R" / inside).samples()
    assert str(tmp_path / "R") in str(caught.value)


def test_a_folder_without_images_is_said_to_hold_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no image .* lies below the folder"):
        next(harness.load_task("cmsc", data=tmp_path).samples())
