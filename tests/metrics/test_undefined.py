"""A number that is undefined has a reason in the record, which tables repeat."""

from __future__ import annotations

from typing import Any

import pytest

from harness.evaluation.collectors import make_metric
from harness.evaluation.summarise import summarise
from harness.plugins import plugins
from harness.specs import MetricSpec
from tests.evaluation.test_summarise import record, spec
from tests.metrics.test_ranges import NAMED

LABELS = ("yes", "no")
# What a metric's samples hold where yes and no are not enough; the rest have the field "x".
TARGETS = {
    "l2_avg": [[0.5, 0.5]], "l2_min": [[0.5, 0.5]], "auc": [[0.5, 0.5]],
    "vqa_accuracy": ["no"] * 10, "textvqa_accuracy": ["no"] * 10,
    "multilabel_map": ["no"], "label_hit": ["no"],
}  # fmt: skip
FIELDS: dict[str, dict[str, Any]] = {
    "circular_accuracy": {"question": "q", "round": 1, "rounds": 2},
    "vanilla_accuracy": {"question": "q", "round": 1, "rounds": 2},
    "bbq_bias_ambiguous": {"context": "disambiguated"},
    "bbq_bias_disambiguated": {"context": "ambiguous"},
    "context_accuracy": {"context": "disambiguated"},
}
ODD = {
    "always yes, of one group": ("yes", {"race": "A"}),
    "always no, of one group": ("no", {"race": "A"}),
    "of nobody in a group": ("no", {}),
}


def summary_of(name: str, answer: str, target: Any, groups: dict[str, str], **keywords: Any) -> Any:
    descriptor = plugins().metrics()[name]
    options = {option.name: option.default for option in descriptor.options}
    options |= {key: text for key, text in NAMED.items() if key in options} | keywords
    reads = getattr(make_metric(name, options, LABELS), "reads", ())
    fields = {**dict.fromkeys(reads, "x"), "votes": [3, 2], **FIELDS.get(name, {})}
    if descriptor.id in {"resolution_accuracy", "gender_gap"} and groups:
        groups = {"gender": "masculine"}
    records = [
        record(
            f"s{index}", f"c{index}", answer, target=target, fields=fields, score_kind="logprob",
            groups={key: [value, "released"] for key, value in groups.items()},
            scores=[0.0, -1.0] if answer == "yes" else [-1.0, 0.0],
        )
        for index in range(4)
    ]  # fmt: skip
    metric = MetricSpec(
        id=name, column="C", direction=descriptor.direction, main=True, options=options
    )
    return summarise(spec(metric, labels=LABELS), [records])


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", plugins().metrics())
def test_a_metric_of_odd_samples_has_a_value_or_a_reason(name: str, odd: str) -> None:
    answer, groups = ODD[odd]
    refuses = not groups and name in {"resolution_accuracy", "gender_gap"}
    if refuses or name in {"auc", "recall_at_k"}:
        pytest.skip("it wants images or vectors, or refuses the samples")
    summary = summary_of(name, answer, TARGETS.get(name, "no"), groups)
    notes = summary.counts.notes
    assert summary.metrics[0].value is not None or notes
    assert "samples, over which C is undefined" not in notes  # which is no reason


def test_a_metric_without_right_answers_says_so() -> None:
    summary = summary_of("accuracy", "yes", None, {})
    assert summary.counts.notes == {
        "samples, over which C is undefined (none has a right answer)": 4
    }


@pytest.mark.parametrize("name", ["min_skew", "max_skew"])
def test_skew_says_which_concepts_have_too_few_images(name: str) -> None:
    summary = summary_of(name, "yes", None, {"race": "A"}, min_assigned=5)
    assert summary.metrics[0].value is None
    few = "concepts assigned to fewer than 5 images, which do not count"
    assert summary.counts.notes[few] == 1
    assert few not in summary_of(name, "yes", None, {"race": "A"}, min_assigned=4).counts.notes


def test_skew_says_that_nobody_is_assigned_or_one_group_compared() -> None:
    notes = summary_of("max_skew", "no", None, {"race": "A"}).counts.notes
    assert notes["concepts assigned to nobody, which have no skew"] == 1
    assert notes["attributes with one value alone, whose skew is 0 whatever is answered"] == 1
    notes = summary_of("max_skew", "no", None, {"race": "A"}, attributes="race,age").counts.notes
    assert notes["attributes that no image has a value of"] == 1
