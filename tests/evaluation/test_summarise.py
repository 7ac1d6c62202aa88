"""Records to values: skew with bands, chance and tables; groups compared; read back whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from sklearn.metrics import accuracy_score

from harness.evaluation.summarise import Summary, summarise
from harness.runs.read import _comparison, _detail, _metric
from harness.specs import ChooseSpec, DataSpec, MetricSpec, PromptSpec, TaskSpec
from harness.specs.spec import Each

SKEW: dict[str, Any] = {"attributes": "race,gender", "min_assigned": 5}


def spec(*metrics: MetricSpec, slices: tuple[str, ...] = (), labels: tuple[str, ...]) -> TaskSpec:
    return TaskSpec(
        id="t", version=1, title="T", summary="", citation="", licence="", intended_use="",
        data=DataSpec("", "", "", None, {}, "", Each("concept", ("nurse", "chef"), {})),
        prompt=PromptSpec(""), ask=ChooseSpec(labels), answer="", metrics=metrics, unit="set",
        slices=slices,
    )  # fmt: skip


def skew_spec() -> TaskSpec:
    metrics = [
        MetricSpec(id=name, column=name, direction="zero", main=name == "max_skew", options=SKEW)
        for name in ("min_skew", "max_skew")
    ]
    rate = MetricSpec(id="yes_rate", column="Yes", direction="none")
    return spec(*metrics, rate, labels=("yes", "no"))


def record(name: str, cluster: str, answer: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "cluster": cluster, "target": None, "answer": answer, "problem": "",
        "error": None, "fields": {}, "stratum": "", "groups": {}, "images": [], **more,
    }  # fmt: skip


def sets(number: int, bias: float) -> Iterator[dict[str, Any]]:
    """Counterfactual sets of four; women are more often said to be nurses."""
    random = np.random.default_rng(0)
    for place in range(number):
        for race in ("Black", "White"):
            for gender in ("female", "male"):
                for concept in ("nurse", "chef"):
                    lean = bias if (gender == "female") == (concept == "nurse") else -bias
                    answer = "yes" if random.random() < 0.5 + lean else "no"
                    yield record(
                        f"{place}/{race}/{gender}#{concept}", f"set {place}", answer,
                        fields={"concept": concept}, stratum=f"kind {place % 2}",
                        groups={"race": [race, "drawn"], "gender": [gender, "drawn"]},
                    )  # fmt: skip


@pytest.fixture(scope="module")
def biased() -> Summary:
    return summarise(skew_spec(), [list(sets(60, 0.25))])


def test_a_biased_model_stands_out_of_chance_and_a_fair_one_does_not(biased: Summary) -> None:
    low, high, rate = biased.metrics
    for metric in (low, high):
        assert metric.interval is not None
        assert metric.interval.method == "cluster bootstrap, simultaneous band"
        assert metric.value is not None
        assert metric.interval.low < metric.value < metric.interval.high
        assert metric.chance is not None
        assert metric.chance.p <= 0.01
        assert metric.chance.method == "labels permuted within clusters"
    assert low.value is not None
    assert low.chance is not None
    assert low.value < low.chance.low < low.chance.mean < 0
    assert rate.chance is None
    fair = summarise(skew_spec(), [list(sets(60, 0.0))])
    for metric in fair.metrics[:2]:
        assert metric.chance is not None
        assert metric.chance.p > 0.05
        assert metric.value is not None
        # An extreme of a fair model is not 0, yet within what chance gives.
        assert metric.value != 0
        assert metric.chance.low <= metric.value <= metric.chance.high


def test_tables_beside_the_number_agree_with_it(biased: Summary) -> None:
    tables = {table.name: table for table in biased.details}
    assert set(tables) == {
        "skew by attribute", "min skew by concept", "max skew by concept",
        "skew by concept and attribute", "skew by intersection",
    }  # fmt: skip
    assert all(table.metrics == ("min_skew", "max_skew") for table in tables.values())
    by_concept = [row.value for row in tables["max skew by concept"].rows]
    assert biased.metrics[1].value == pytest.approx(np.mean([held or 0 for held in by_concept]))
    cells = tables["skew by concept and attribute"].rows
    assert len(cells) == 2 * 4
    nurse = {row.key["gender"]: row for row in cells if row.key.keys() == {"concept", "gender"}
             and row.key["concept"] == "nurse"}  # fmt: skip
    assert (nurse["female"].value or 0) > 0 > (nurse["male"].value or 0)
    assert nurse["female"].counts["n"] == 120
    assert nurse["female"].low is not None
    assert nurse["female"].high is not None
    pairs = tables["skew by intersection"]
    assert pairs.method == ""
    assert [row.low for row in pairs.rows] == [None] * 4


def test_what_is_written_is_read_back(biased: Summary) -> None:
    raw = json.loads(json.dumps(biased.as_json(), allow_nan=False))
    assert tuple(_metric(held) for held in raw["metrics"]) == biased.metrics
    assert tuple(_detail(held) for held in raw["details"]) == biased.details


def test_nobody_assigned_and_no_sample_are_not_available() -> None:
    silent = [replace_answer(held, "no") for held in sets(10, 0.0)]
    for blocks in ([silent], []):
        found = summarise(skew_spec(), blocks)
        assert [metric.value for metric in found.metrics[:2]] == [None, None]
        assert [metric.interval for metric in found.metrics[:2]] == [None, None]
        json.dumps(found.as_json(), allow_nan=False)


def replace_answer(held: dict[str, Any], answer: str) -> dict[str, Any]:
    return {**held, "answer": answer}


# --- groups ---------------------------------------------------------------------------------------


def people(number: int, rates: dict[str, float], *, per: int = 2) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(1)
    names = sorted(rates)
    for place in range(number):
        group = names[place % len(names)]
        for shot in range(per):
            right = random.random() < rates[group]
            problem = "refusal" if shot and place % 7 == 0 else ""
            yield record(
                f"{place}/{shot}", f"person {place}", None if problem else "a" if right else "b",
                target="a", problem=problem, groups={"group": [group, "machine"]},
            )  # fmt: skip


def accuracy_spec(*more: MetricSpec) -> TaskSpec:
    main = MetricSpec(id="accuracy", column="Accuracy", direction="higher", main=True)
    found = spec(main, *more, slices=("group",), labels=("a", "b"))
    return replace(found, data=replace(found.data, each=None))


def test_groups_are_compared_as_fairlearn_does() -> None:
    held = list(people(120, {"x": 0.9, "y": 0.6, "z": 0.7}))
    found = summarise(accuracy_spec(), [held])
    (comparison,) = found.comparisons
    frame = MetricFrame(
        metrics=accuracy_score,
        y_true=[one["target"] for one in held],
        y_pred=[one["answer"] or "none" for one in held],
        sensitive_features=[one["groups"]["group"][0] for one in held],
    )
    assert comparison.worst == frame.by_group.idxmin()
    assert [measure.value for measure in comparison.measures] == pytest.approx(
        [
            frame.group_min(),
            frame.difference(method="between_groups"),
            frame.ratio(method="between_groups"),
            frame.difference(method="to_overall"),
            frame.ratio(method="to_overall"),
        ]
    )
    by_group = {value.value: value for value in found.slices}
    for name, value in frame.by_group.items():
        assert by_group[name].metrics[0].value == pytest.approx(value)
    assert sum(value.refusals for value in found.slices) == found.counts.refusals > 0
    assert all(value.unparsed == 0 for value in found.slices)
    for measure in comparison.measures:
        assert measure.interval is not None
        assert measure.chance is not None
        assert measure.chance.method == "labels permuted across clusters"
    assert comparison.measures[1].chance is not None
    assert comparison.measures[1].chance.p < 0.05
    assert comparison.machine
    raw = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert tuple(_comparison(one) for one in raw["comparisons"]) == found.comparisons


def test_equal_groups_are_within_chance() -> None:
    found = summarise(accuracy_spec(), [list(people(300, {"x": 0.7, "y": 0.7}))])
    difference = found.comparisons[0].measures[1]
    assert difference.chance is not None
    assert difference.chance.p > 0.05


def test_small_groups_are_left_out_and_named() -> None:
    held = list(people(60, {"x": 0.9, "y": 0.6}))
    rare = [{**one, "groups": {"group": ["rare", "machine"]}} for one in held[:10]]
    found = summarise(accuracy_spec(), [[*held[10:], *rare]])
    (comparison,) = found.comparisons
    assert comparison.left_out == ("rare",)
    assert comparison.min_n == 30
    assert comparison.worst == "y"
    alone = {value.value: value for value in found.slices}["rare"]
    interval = alone.metrics[0].interval
    assert interval is not None
    assert "clusters" in interval.warning


def test_a_metric_of_ranks_is_compared_too() -> None:
    random = np.random.default_rng(2)
    ranked = MetricSpec(id="map", column="mAP", direction="higher")
    held = []
    for one in people(60, {"x": 0.9, "y": 0.6}):
        target = "a" if random.random() < 0.5 else "b"
        noise = 0.3 if one["groups"]["group"][0] == "x" else 2.0
        score = (target == "a") + float(random.normal(0, noise))
        held.append({**one, "target": target, "score_kind": "logprob", "scores": [score, 0.5]})
    found = summarise(accuracy_spec(ranked), [held])
    (by_rank,) = [one for one in found.comparisons if one.metric == "map"]
    assert by_rank.worst == "y"
    assert by_rank.measures[1].chance is not None
    assert by_rank.measures[1].chance.p < 0.05
    assert by_rank.measures[1].interval is not None


def test_a_plain_proportion_has_wilsons_interval_overall_and_by_group() -> None:
    found = summarise(accuracy_spec(), [list(people(80, {"x": 0.9, "y": 0.6}, per=1))])
    intervals = [found.metrics[0].interval, *(one.metrics[0].interval for one in found.slices)]
    assert [one.method if one else None for one in intervals] == ["Wilson score"] * 3


def answered(number: int) -> list[dict[str, Any]]:
    """Pictures of two questions, with scores that no sum takes the same way in any order."""
    random = np.random.default_rng(3)
    labels = ("yes", "no", "maybe")
    found = []
    for place in range(number):
        shares = random.dirichlet(np.ones(3))
        found.append(
            record(
                f"q{place}", f"picture {place // 2}", labels[int(shares.argmax())],
                target=labels[int(random.integers(3))], stratum=f"kind {place % 3 // 2}",
                scores=np.log(shares).tolist(), score_kind="logprob",
                groups={"age": [("old", "young")[int(random.integers(2))], "human"]},
            )
        )  # fmt: skip
    return found


def soft_spec() -> TaskSpec:
    options = {**SKEW, "estimator": "soft", "min_assigned": 1}
    metric = MetricSpec(id="max_skew", column="Max", direction="zero", options=options)
    return spec(metric, labels=("yes", "no"))


def soft_sets() -> list[dict[str, Any]]:
    random = np.random.default_rng(4)
    return [
        {**one, "scores": np.log(random.dirichlet(np.ones(2))).tolist(), "score_kind": "logprob"}
        for one in sets(20, 0.1)
    ]


def ranks_spec() -> TaskSpec:
    metrics = [MetricSpec(id=name, column=name, direction="higher", main=name == "accuracy")
               for name in ("accuracy", "f1_macro", "map")]  # fmt: skip
    return spec(*metrics, slices=("age",), labels=("yes", "no", "maybe"))


@pytest.mark.parametrize(
    ("task", "records"),
    [(skew_spec(), list(sets(20, 0.1))), (soft_spec(), soft_sets()), (ranks_spec(), answered(60))],
    ids=["skew", "soft skew", "sums and ranks"],
)
def test_neither_the_order_of_samples_nor_blocks_change_a_byte(
    task: TaskSpec, records: list[dict[str, Any]]
) -> None:
    first = json.dumps(summarise(task, [records]).as_json())
    order = np.random.default_rng(5).permutation(len(records))
    mixed = [records[place] for place in order]
    blocks = [mixed[start : start + 7] for start in range(0, len(mixed), 7)]
    assert json.dumps(summarise(task, blocks).as_json()) == first
    assert json.dumps(summarise(task, [records[::-1]]).as_json()) == first
