"""The plan: blocks of whole images, a limit that is the same everywhere, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.config.tasks import installed_catalog
from harness.errors import DataError, UserError
from harness.evaluation.collectors import check_metrics, make_metric
from harness.evaluation.plan import BLOCK_IMAGES, Selection, plan_task
from harness.plugins import plugins
from harness.specs import ChooseSpec, GenerateSpec

Faces = Callable[[int], Path]


def test_blocks_hold_every_sample_once(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(150))
    plan = plan_task(task, Selection())
    assert sum(plan.blocks) == plan.samples == 150
    assert max(plan.blocks) <= BLOCK_IMAGES
    ids = [sample.id for block in plan.stream() for sample in block]
    assert ids == [sample.id for sample in task.samples()]


@pytest.mark.parametrize(("tokens", "largest"), [(16, BLOCK_IMAGES), (8192, 8)])
def test_a_block_of_long_answers_holds_fewer_samples(
    tokens: int, largest: int, faces: Faces
) -> None:
    task = harness.load_task("raf_db", data=faces(150))
    ask = GenerateSpec(max_new_tokens=tokens - 8, extractor="verbatim")
    ask = replace(ask, reasoning=replace(ask.reasoning, tokens=8))
    metrics = [metric for metric in task.spec.metrics if metric.id == "accuracy"]
    written = replace(task, spec=replace(task.spec, ask=ask, metrics=tuple(metrics)))
    assert max(plan_task(written, Selection()).blocks) == largest


def test_no_image_is_split_between_blocks() -> None:
    task = harness.load_task("jrdb_social", profile="demo")
    places: dict[str, int] = {}
    plan = plan_task(task, Selection())
    for index, block in enumerate(plan.stream()):
        for sample in block:
            assert places.setdefault(sample.images[0].name, index) == index
    assert plan.samples > len(places)


def test_a_limit_is_stable_and_narrows(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(150))
    few = plan_task(task, Selection(limit=20))
    more = plan_task(task, Selection(limit=40))
    ids = {sample.id for block in few.stream() for sample in block}
    assert few.samples == 20
    assert few.limited
    assert ids < {sample.id for block in more.stream() for sample in block}
    assert few.fingerprint != more.fingerprint


@pytest.mark.parametrize("limit", [150, 151, 5000, 1.0])
def test_a_limit_that_leaves_nothing_out_is_the_whole_split(
    faces: Faces, limit: int | float
) -> None:
    task = harness.load_task("raf_db", data=faces(150))
    assert plan_task(task, Selection(limit=149)).limited
    plan, all_asked = plan_task(task, Selection()), plan_task(task, Selection(limit=limit))
    assert not all_asked.limited
    assert (all_asked.fingerprint, all_asked.samples) == (plan.fingerprint, 150)


def test_ids_of_all_samples_are_the_whole_split(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(150))
    ids = frozenset(sample.id for sample in task.samples())
    assert not plan_task(task, Selection(ids=ids)).limited
    assert plan_task(task, Selection(ids=frozenset(sorted(ids)[1:]))).limited


def test_a_share_of_less_than_one_sample_is_refused(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(150))
    assert plan_task(task, Selection(limit=1 / 150)).samples == 1
    with pytest.raises(UserError, match=r"0\.001 of the 150 samples of 'raf_db' is less than one"):
        plan_task(task, Selection(limit=0.001))


@pytest.mark.parametrize("selection", [Selection(), Selection(limit=3)])
def test_slices_that_no_sample_has_a_value_in_are_noted(selection: Selection) -> None:
    task = harness.load_task("raf_db", profile="demo")
    assert plan_task(task, selection).empty_slices == {}
    spec = replace(task.spec, slices=("gender", "rase", "shoe"))
    empty = plan_task(replace(task, spec=spec), selection).empty_slices
    assert [*empty] == ["rase", "shoe"]
    assert empty["rase"] == "did you mean 'race'?"
    assert "gender" in empty["shoe"]


def test_an_unknown_id_is_refused_with_a_near_one(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(9))
    with pytest.raises(UserError, match="test_0003"):
        plan_task(task, Selection(ids=frozenset({"test_003"})))


@pytest.mark.parametrize("limit", [None, 5])
def test_a_prompt_that_names_a_field_of_no_sample_is_refused(
    faces: Faces, limit: int | None
) -> None:
    data = {"raf_db": faces(9)}
    with pytest.raises(UserError, match="the prompt uses the field 'foo', which no sample has"):
        harness.plan("random", "raf_db", data=data, prompt="Who? {{ foo }}", limit=limit)
    unless = "{% if foo is defined %}{{ foo }}{% endif %}?"
    assert harness.plan("random", "raf_db", data=data, prompt=unless, limit=limit).evaluations


def test_two_samples_of_one_id_are_refused(faces: Faces) -> None:
    root = faces(5)
    labels = root / "basic" / "EmoLabel" / "list_patition_label.txt"
    labels.write_text(labels.read_text() + "test_0002.jpg 3\n")
    with pytest.raises(DataError, match="test_0002"):
        plan_task(harness.load_task("raf_db", data=root), Selection())


def test_the_fingerprint_follows_data_and_options(faces: Faces) -> None:
    root = faces(5)
    before = plan_task(harness.load_task("raf_db", data=root), Selection())
    assert plan_task(harness.load_task("raf_db", data=root), Selection()) == before
    labels = root / "basic" / "EmoLabel" / "list_patition_label.txt"
    labels.write_text(labels.read_text().replace("test_0001.jpg 2", "test_0001.jpg 3"))
    after = plan_task(harness.load_task("raf_db", data=root), Selection())
    assert {name for name in before.parts if before.parts[name] != after.parts[name]} == {"data"}


def test_every_task_keeps_what_its_metrics_read() -> None:
    specs = installed_catalog().tasks
    assert len(specs) > 30
    for spec in specs.values():
        check_metrics(spec)


def test_a_metric_says_which_fields_it_reads() -> None:
    """An option that names a field is told in the plan; a field that is nowhere is no value."""
    tried = 0
    for name, descriptor in plugins().metrics().items():
        fields = [o.name for o in descriptor.options if o.help.startswith("Field")]
        needed = {"first": "a", "second": "b", "against": "votes"}
        options = {o.name: needed.get(o.name, o.default) for o in descriptor.options}
        for field in fields:
            made = make_metric(name, {**options, field: "nowhere"}, ("yes", "no"))
            assert "nowhere" in made.reads, f"{name}: {field}"
            tried += 1
    assert tried > 20


def test_options_of_every_metric_are_refused_before_a_model_is_asked(tmp_path: Path) -> None:
    spec = (Path(harness.__file__).parents[1] / "task_specs/bias/pairs.yaml").read_text()
    spec = spec.replace("id: pairs", "id: other_pairs", 1)
    for old, new, message in (
        ("second: black}", "second: black, answer: prefered}", "reads the field 'prefered'"),
        ("first: man, second: woman", "first: man", "needs two different values"),
    ):
        (tmp_path / "spec.yaml").write_text(spec.replace(old, new))
        with pytest.raises(UserError, match=message):
            harness.plan("random", str(tmp_path / "spec.yaml"), profile="demo")


def test_a_right_answer_that_is_none_of_the_options_is_refused() -> None:
    task = harness.load_task("jrdb_social", profile="demo")
    assert isinstance(task.spec.ask, ChooseSpec)
    targets = [str(sample.target) for sample in task.samples()]
    labels = tuple(label for label in task.spec.labels if label != targets[0])
    fewer = replace(task, spec=replace(task.spec, ask=replace(task.spec.ask, labels=labels)))
    with pytest.raises(DataError, match="none of the options") as error:
        plan_task(fewer, Selection())
    assert repr(targets[0]) in error.value.message
    assert f"such answers: {targets.count(targets[0])})" in error.value.message


def test_an_options_text_that_names_a_field_of_no_sample_is_refused(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(9))
    assert isinstance(task.spec.ask, ChooseSpec)
    spec = replace(task.spec, ask=replace(task.spec.ask, text="{{ label }} {{ foo }}"))
    with pytest.raises(UserError, match="an option's text uses the field 'foo', which no sample"):
        plan_task(replace(task, spec=spec), Selection())


def test_a_metric_whose_field_is_not_kept_says_to_keep_it(faces: Faces) -> None:
    task = harness.load_task("raf_db", data=faces(9))
    metric = replace(task.spec.metrics[0], id="nested_accuracy", options={"levels": "levels"})
    spec = replace(task.spec, metrics=(metric,), data=replace(task.spec.data, keep=()))
    with pytest.raises(UserError, match="reads the field 'levels'") as raised:
        plan_task(replace(task, spec=spec), Selection())
    assert raised.value.fix == "add levels to data.keep"


def test_a_prompt_sees_no_label_which_only_texts_of_options_do(faces: Faces) -> None:
    options: dict[str, Any] = {"data": {"raf_db": faces(6)}, "prompt": "Is this {{ label }}?"}
    with pytest.raises(UserError, match="the prompt uses the field 'label', which no sample has"):
        harness.plan("random", "raf_db", **options)
