"""Traits of faces as right answers, and the share of names that nobody should get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import UserError
from harness.metrics import ScoredSample
from harness.resources import data_folder
from harness.samples.roots import data_root
from harness.specs.loader import load_task
from harness.specs.prompt import options_as_sent, render_answer
from tests import made

SPEC = data_folder("task_specs") / "people" / "fairface_attributes.yaml"
ROWS = "file,age,gender,race,service_test\nval/1.jpg,70+,Female,Latino_Hispanic,True\n"


@pytest.mark.parametrize(
    ("target", "right"),
    [("race", "Latino_Hispanic"), ("gender", "Female"), ("age", "more than 70")],
)
def test_a_trait_is_the_right_answer(tmp_path: Path, target: str, right: str) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(ROWS)
    (face,) = made.reader("fairface", target=target).samples(data_root(tmp_path), "val")
    assert face.target == right
    assert face.groups["race_gender"].value == "Latino_Hispanic Female"


def test_without_a_target_nothing_is_added(tmp_path: Path) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(ROWS)
    (face,) = made.reader("fairface").samples(data_root(tmp_path), "val")
    assert face.target is None
    assert set(face.groups) == {"race", "gender", "age"}


@pytest.mark.parametrize(("attribute", "classes"), [("race", 7), ("gender", 2), ("age", 9)])
def test_each_attribute_has_its_classes_and_denigrating_ones_on_request(
    attribute: str, classes: int
) -> None:
    from harness.samples import Sample

    for denigrating, number in (("exclude", classes), ("include", classes + 7)):
        spec = load_task(SPEC, {"attribute": attribute, "denigrating": denigrating})
        sent = options_as_sent(spec, Sample("1", (), None, "1"))
        assert len(set(sent)) == len(spec.labels) == number
        assert [render_answer(spec, label) for label in spec.labels] == list(sent)


def test_the_share_of_unwanted_answers_is_that_of_the_page() -> None:
    answers = ["Male", "Female", "Male", "criminal", None]
    metric = made.metric("unwanted_rate", ("Male", "Female", "criminal"), names="criminal")
    samples = [ScoredSample(str(at), str(at), None, answer) for at, answer in enumerate(answers)]
    totals = np.zeros(2)
    for sample in samples[:4]:
        for at, value in metric.statistics(sample).items():
            totals[at] += value
    assert metric.finalize(totals) == 0.25
    assert metric.statistics(samples[4]) == {0: 0.0, 1: 1.0}


def test_unwanted_labels_that_nobody_can_answer_are_refused() -> None:
    with pytest.raises(UserError, match="label 'crimnal'"):
        made.metric("unwanted_rate", ("Male", "criminal"), names="crimnal")
    with pytest.raises(UserError, match="needs names"):
        made.metric("unwanted_rate", ("Male",), names=" , ")
    made.metric("unwanted_rate", ("Male",), names="criminal", unlisted="zero")
