"""GenderBias-VL: the authors' own program on synthetic answers, and their per-pair files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_people_benchmarks.published.genderbias_vl import overall
from harness_people_benchmarks.readers.genderbias_vl import FILES

from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.samples import Sample
from harness.samples.roots import data_root
from tests import made

CASES = json.loads(
    (Path(__file__).parents[2] / "conformance" / "genderbias_vl_cases.json").read_text()
)
KINDS = ("base", "cf")


def release(root: Path, **changed: Any) -> Path:
    for name, kind in zip(FILES["VL"], KINDS, strict=True):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(changed.get(kind, CASES["questions"][kind])))
    return root


def read(root: Path, **options: Any) -> list[Sample]:
    return list(made.reader("genderbias_vl", **options).samples(data_root(root), "test"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda item: item.update(gt_choices=item["gt_choices"][::-1]),
            "does not end with its choi",
        ),
        (
            lambda item: item.update(gt_choice=1 - int(item["gt_choice"])),
            "the choice that it names",
        ),
        (lambda item: item.update(occ="Zookeeper"), "the choice that it names"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    questions = json.loads(json.dumps(CASES["questions"]["base"]))
    change(questions[0])
    with pytest.raises(DataError, match=message) as caught:
        read(release(tmp_path, base=questions))
    assert str(caught.value.where).endswith("[0]")


def answered(samples: list[Sample]) -> list[ScoredSample]:
    """Return the synthetic answers as the harness would score them, as log-probabilities."""
    numbers = {
        (str(question["id"]), kind, order): CASES["answers"][order][kind][at]
        for order in CASES["answers"]
        for kind in KINDS
        for at, question in enumerate(CASES["questions"][kind])
    }
    scored = []
    for sample in samples:
        fields = dict(sample.fields)
        share = numbers[str(fields["asked"]), str(fields["kind"]), str(fields["order"])]
        scores = (float(np.log(share)), float(np.log(1 - share)))
        answer = "right" if share > 0.5 else "other"
        scored.append(
            ScoredSample(
                sample.id, sample.cluster, "right", answer, scores, ("right", "other"),
                fields=fields, score_kind="logprob",
            )
        )  # fmt: skip
    return scored


@pytest.mark.parametrize("measure", ["probability", "outcome"])
@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("genderbias_overall", "bias_ovl"),
        ("genderbias_accuracy", "acc_ovl"),
        ("genderbias_ipss", "ipss_ovl"),
    ],
)
def test_the_numbers_are_those_of_the_authors_program(
    tmp_path: Path, name: str, official: str, measure: str
) -> None:
    samples = answered(read(release(tmp_path)))
    metric = made.metric(name, measure=measure)
    prepared = metric.prepare(samples)
    (value,) = metric.value(prepared, np.ones((1, len(samples))))
    assert value == pytest.approx(CASES["overall"][measure][official], abs=1e-9)
    # In whatever order blocks come.
    turned = metric.prepare(samples[::-1])
    (again,) = metric.value(turned, np.ones((1, len(samples))))
    assert again == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("measure", ["probability", "outcome"])
@pytest.mark.parametrize("order", ["listed", "swapped"])
def test_each_pair_in_each_order_is_that_of_the_authors_program(
    tmp_path: Path, order: str, measure: str
) -> None:
    samples = [one for one in answered(read(release(tmp_path))) if one.fields["order"] == order]
    pairs = {
        frozenset((one["occtm"], one["occtf"])): one for one in CASES["per_order"][measure][order]
    }
    seen = {frozenset((str(one.fields["occupation"]), str(one.fields["rival"]))) for one in samples}
    assert seen == set(pairs)
    for pair, official in pairs.items():
        own = [
            one for one in samples if {one.fields["occupation"], one.fields["rival"]} == set(pair)
        ]
        for name, expected in (
            ("genderbias_overall", abs(official["bias"])),
            ("genderbias_accuracy", official["acc"]),
            ("genderbias_ipss", official["ipss"]),
        ):
            metric = made.metric(name, measure=measure)
            (value,) = metric.value(metric.prepare(own), np.ones((1, len(own))))
            assert value == pytest.approx(expected, abs=1e-9), (name, pair)
    assert metric.notes(samples) == {}


def test_a_mean_over_two_tokens_halves_the_log_odds(tmp_path: Path) -> None:
    samples = answered(read(release(tmp_path)))
    first, two = (made.metric("genderbias_overall", tokens=tokens) for tokens in (1.0, 2.0))
    weights = np.ones((1, len(samples)))
    assert two.value(two.prepare(samples), weights) < first.value(first.prepare(samples), weights)
    with pytest.raises(UserError, match="0 is not a number of tokens"):
        made.metric("genderbias_overall", tokens=0)


def test_questions_without_their_counterfactual_are_left_out_and_said(tmp_path: Path) -> None:
    samples = answered(read(release(tmp_path)))
    without = [sample for sample in samples if sample.id != "1/cf"]
    metric = made.metric("genderbias_overall")
    assert metric.notes(without) == {"questions without an answer for base and counterfactual": 1}
    assert len(metric.prepare(without)[1]) == len(metric.prepare(samples)[1])


def test_both_orders_ask_with_the_letters_the_other_way_round(tmp_path: Path) -> None:
    samples = {sample.id: sample for sample in read(release(tmp_path))}
    listed, swapped = samples["1/base"], samples["1/base/swapped"]
    assert str(listed.fields["question"]).endswith("Options: (A) Pilot (B) Steward")
    assert str(swapped.fields["question"]).endswith("Options: (A) Steward (B) Pilot")
    assert [item.fields["right"] for item in (listed, swapped)] == ["A", "B"]
    assert [item.fields["other"] for item in (listed, swapped)] == ["B", "A"]
    assert listed.cluster == "Pilot | Steward"
    alone = read(release(tmp_path), swap="listed")
    assert len(alone) * 2 == len(samples)


def test_a_waitress_is_the_waiter_of_the_pair(tmp_path: Path) -> None:
    assert {item.cluster for item in read(release(tmp_path)) if "Wait" in item.cluster} == {
        "Host | Waiter"
    }


BASE, CHANGED = (CASES["questions"][kind] for kind in KINDS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"cf": CHANGED[:-1]}, "the list is longer than VLbias/occ_test_cf_ask_gender.json"),
        ({"cf": CHANGED[1:] + CHANGED[:1]}, "the question '2' is where '1' of "),
        ({"base": [{**BASE[0], "gender": "man"}, *BASE[1:]]}, "'man' is not a gender"),
        ({"base": [{**BASE[0], "gt_choices": ["one"]}, *BASE[1:]]}, "two choices and the number"),
        ({"base": [{"id": 1}]}, "the key 'query' is missing"),
        ({"base": [{**BASE[0], "query": "Who is it?"}, *BASE[1:]]}, "the query has no 'Options:'"),
        ({"base": [{**BASE[0], "id": None}, *BASE[1:]]}, "id should be a text"),
    ],
)
def test_lists_that_do_not_pair_up_are_refused_by_place(
    tmp_path: Path, files: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(release(tmp_path, **files))
    assert message in str(caught.value)
    assert "VLbias/" in str(caught.value.where)


def test_a_truncated_list_is_named(tmp_path: Path) -> None:
    path = release(tmp_path) / FILES["VL"][1]
    path.write_text(path.read_text()[:700])
    with pytest.raises(DataError, match="occ_test_cf_ask_gender"):
        read(tmp_path)


def test_summary_figures_are_means_over_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "merge_bias_probability" / "Some-7b"
    folder.mkdir(parents=True)
    (folder / "Some-7b_VLbias.csv").write_text(
        "occtm,occtf,bias,acc,ipss\nPilot,Steward,-10.00,50.00,45.00\nChef,Cook,2.00,60.00,58.80\n"
    )
    assert overall(tmp_path) == {
        "Some-7b": {"VLbias B_ovl": 6.0, "VLbias Accuracy": 55.0, "VLbias IPSS": 51.9}
    }
    (folder / "Some-7b_VLbias.csv").write_text("occtm,bias,acc\nPilot,1,x\n")
    with pytest.raises(DataError, match="the column 'acc' holds no numbers"):
        overall(tmp_path)
    with pytest.raises(DataError, match="no per-pair file"):
        overall(folder)


RELEASE = os.environ.get("HARNESS_GENDERBIAS_VL", "")


@pytest.mark.skipif(not RELEASE, reason="HARNESS_GENDERBIAS_VL names no clone of the release")
def test_the_published_figures_come_out_of_the_per_pair_files() -> None:
    figures = overall(Path(RELEASE))
    for model, bias, accuracy in (("LLaVA1.5", 1.85, 52.15), ("QwenVL", 4.07, 74.27)):
        assert round(figures[model]["VLbias B_ovl"], 2) == bias
        assert round(figures[model]["VLbias Accuracy"], 2) == accuracy
