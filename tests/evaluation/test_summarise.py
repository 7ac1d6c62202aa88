"""Records to values: skew with bands, chance and tables; groups compared; read back whole."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from harness.errors import PluginError
from harness.evaluation.collectors import sums
from harness.evaluation.summarise import TIED, Summary, summarise
from harness.metrics.accuracy import Accuracy
from harness.requests import Scores
from harness.runs.read import _comparison, _detail, _metric
from harness.runs.sample_record import SampleRecord, Written
from harness.samples import Group
from harness.specs import ChooseSpec, DataSpec, MetricSpec, PromptSpec, TaskSpec
from harness.specs.spec import Each
from harness.stats import bootstrap
from harness.stats.intervals import NO_WIDTH

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


def record(name: str, cluster: str, answer: str | None, **more: Any) -> SampleRecord:
    data = {"target": None, "problem": "", "error": None, "groups": {}, "images": [], **more}
    return SampleRecord.from_json({"id": name, "cluster": cluster, "answer": answer, **data})


def sets(number: int, bias: float) -> Iterator[SampleRecord]:
    """Counterfactual sets of four; women are more often said to be nurses."""
    random = np.random.default_rng(0)
    for index in range(number):
        for race in ("Black", "White"):
            for gender in ("female", "male"):
                for concept in ("nurse", "chef"):
                    lean = bias if (gender == "female") == (concept == "nurse") else -bias
                    answer = "yes" if random.random() < 0.5 + lean else "no"
                    yield record(
                        f"{index}/{race}/{gender}#{concept}", f"set {index}", answer,
                        fields={"concept": concept}, stratum=f"kind {index % 2}",
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
    assert biased.metrics[1].value == pytest.approx(
        np.mean([content or 0 for content in by_concept])
    )
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
    assert tuple(_metric(metric) for metric in raw["metrics"]) == biased.metrics
    assert tuple(_detail(metric) for metric in raw["details"]) == biased.details


def test_nobody_assigned_and_no_sample_are_not_available() -> None:
    silent = [content._replace(answer="no") for content in sets(10, 0.0)]
    for blocks in ([silent], []):
        summary = summarise(skew_spec(), blocks)
        assert [metric.value for metric in summary.metrics[:2]] == [None, None]
        assert [metric.interval for metric in summary.metrics[:2]] == [None, None]
        json.dumps(summary.as_json(), allow_nan=False)


# --- groups ---------------------------------------------------------------------------------------


def people(number: int, rates: dict[str, float], *, per: int = 2) -> Iterator[SampleRecord]:
    random = np.random.default_rng(1)
    names = sorted(rates)
    for index in range(number):
        group = names[index % len(names)]
        for shot in range(per):
            right = random.random() < rates[group]
            problem = "refusal" if shot and index % 7 == 0 else ""
            yield record(
                f"{index}/{shot}", f"person {index}", None if problem else "a" if right else "b",
                target="a", problem=problem, groups={"group": [group, "machine"]},
            )  # fmt: skip


def accuracy_spec(*more: MetricSpec) -> TaskSpec:
    main = MetricSpec(id="accuracy", column="Accuracy", direction="higher", main=True)
    result = spec(main, *more, slices=("group",), labels=("a", "b"))
    return replace(result, data=replace(result.data, each=None))


def test_groups_are_compared_as_fairlearn_does() -> None:
    content = list(people(120, {"x": 0.9, "y": 0.6, "z": 0.7}))
    summary = summarise(accuracy_spec(), [content])
    (comparison,) = summary.comparisons
    frame = MetricFrame(
        metrics=accuracy_score,
        y_true=[item.target for item in content],
        y_pred=[item.answer or "none" for item in content],
        sensitive_features=[item.groups["group"].value for item in content],
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
    by_group = {value.value: value for value in summary.slices}
    for name, value in frame.by_group.items():
        assert by_group[name].metrics[0].value == pytest.approx(value)
    assert sum(value.refusals for value in summary.slices) == summary.counts.refusals > 0
    assert all(value.unparsed == 0 for value in summary.slices)
    for measure in comparison.measures:
        assert measure.interval is not None
        assert measure.chance is not None
        assert measure.chance.method == "labels permuted across clusters"
    assert comparison.measures[1].chance is not None
    assert comparison.measures[1].chance.p < 0.05
    assert comparison.machine
    raw = json.loads(json.dumps(summary.as_json(), allow_nan=False))
    assert tuple(_comparison(item) for item in raw["comparisons"]) == summary.comparisons


def test_equal_groups_are_within_chance() -> None:
    summary = summarise(accuracy_spec(), [list(people(300, {"x": 0.7, "y": 0.7}))])
    difference = summary.comparisons[0].measures[1]
    assert difference.chance is not None
    assert difference.chance.p > 0.05


def test_small_groups_are_left_out_and_named() -> None:
    content = list(people(60, {"x": 0.9, "y": 0.6}))
    rare = [item._replace(groups={"group": Group("rare", "machine")}) for item in content[:10]]
    summary = summarise(accuracy_spec(), [[*content[10:], *rare]])
    (comparison,) = summary.comparisons
    assert comparison.left_out == ("rare",)
    assert comparison.min_n == 30
    assert comparison.worst == "y"
    alone = {value.value: value for value in summary.slices}["rare"]
    interval = alone.metrics[0].interval
    assert interval is not None
    assert "clusters" in interval.warning


def test_a_metric_of_ranks_is_compared_too() -> None:
    random = np.random.default_rng(2)
    ranked = MetricSpec(id="map", column="mAP", direction="higher")
    collected = []
    for item in people(60, {"x": 0.9, "y": 0.6}):
        target = "a" if random.random() < 0.5 else "b"
        noise = 0.3 if item.groups["group"].value == "x" else 2.0
        score = (target == "a") + float(random.normal(0, noise))
        collected.append(item._replace(target=target, scores=Scores("logprob", (score, 0.5))))
    summary = summarise(accuracy_spec(ranked), [collected])
    (by_rank,) = [item for item in summary.comparisons if item.metric == "map"]
    assert by_rank.worst == "y"
    assert by_rank.measures[1].chance is not None
    assert by_rank.measures[1].chance.p < 0.05
    assert by_rank.measures[1].interval is not None


def test_a_plain_proportion_has_wilsons_interval_overall_and_by_group() -> None:
    summary = summarise(accuracy_spec(), [list(people(80, {"x": 0.9, "y": 0.6}, per=1))])
    intervals = [
        summary.metrics[0].interval,
        *(interval.metrics[0].interval for interval in summary.slices),
    ]
    assert [interval.method if interval else None for interval in intervals] == ["Wilson score"] * 3


def answered(number: int) -> list[SampleRecord]:
    """Pictures of two questions, with scores that no sum takes the same way in any order."""
    random = np.random.default_rng(3)
    labels = ("yes", "no", "maybe")
    collected = []
    for index in range(number):
        shares = random.dirichlet(np.ones(3))
        collected.append(
            record(
                f"q{index}", f"picture {index // 2}", labels[int(shares.argmax())],
                target=labels[int(random.integers(3))], stratum=f"kind {index % 3 // 2}",
                scores=np.log(shares).tolist(), score_kind="logprob",
                groups={"age": [("old", "young")[int(random.integers(2))], "human"]},
            )
        )  # fmt: skip
    return collected


def soft_spec() -> TaskSpec:
    options = {**SKEW, "estimator": "soft", "min_assigned": 1}
    metric = MetricSpec(id="max_skew", column="Max", direction="zero", options=options)
    return spec(metric, labels=("yes", "no"))


def soft_sets() -> list[SampleRecord]:
    random = np.random.default_rng(4)
    return [
        item._replace(
            scores=Scores("logprob", tuple(np.log(random.dirichlet(np.ones(2))).tolist()))
        )
        for item in sets(20, 0.1)
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
    task: TaskSpec, records: list[SampleRecord]
) -> None:
    first = json.dumps(summarise(task, [records]).as_json())
    order = np.random.default_rng(5).permutation(len(records))
    mixed = [records[position] for position in order]
    blocks = [mixed[start : start + 7] for start in range(0, len(mixed), 7)]
    assert json.dumps(summarise(task, blocks).as_json()) == first
    assert json.dumps(summarise(task, [records[::-1]]).as_json()) == first


# --- what is possible -----------------------------------------------------------------------------


def sparse() -> Iterator[SampleRecord]:
    """Four races, eight people each; few are said to be nurses."""
    for index in range(32):
        race = "wxyz"[index % 4]
        yield record(
            f"{index}#nurse", f"person {index}", "yes" if index in {0, 1, 4, 6, 7} else "no",
            fields={"concept": "nurse"}, groups={"race": [race, "human"]},
        )  # fmt: skip


def test_no_end_of_an_extremes_band_lies_beyond_what_is_possible() -> None:
    summary = summarise(spec(*(
        MetricSpec(id=name, column=name, direction="zero", options={"attributes": "race"})
        for name in ("min_skew", "max_skew")
    ), labels=("yes", "no")), [list(sparse())])  # fmt: skip
    low, high = summary.metrics
    assert low.interval is not None
    assert high.interval is not None
    assert (low.interval.high, high.interval.low) == (0.0, 0.0)
    assert high.interval.high <= math.log(4) + 1e-12
    assert low.range == (None, 0.0)
    assert high.range == pytest.approx((0.0, math.log(4)))
    (cells,) = [table for table in summary.details if table.name == "skew by concept and attribute"]
    assert max(row.high or 0 for row in cells.rows) == pytest.approx(math.log(4))


def test_comparisons_of_groups_lie_within_what_is_possible() -> None:
    nearly = [
        record(f"{index}", f"{index}", "b" if index in {0, 2, 5} else "a", target="a",
               groups={"group": ["xy"[index % 2], "human"]})
        for index in range(80)
    ]  # fmt: skip
    summary = summarise(accuracy_spec(), [nearly])
    by_name = {
        item.name: item for comparison in summary.comparisons for item in comparison.measures
    }
    for name, item in by_name.items():
        assert item.interval is not None, name
        assert 0.0 <= item.interval.low <= item.interval.high <= 1.0
        assert item.interval.low_error is not None
    worst = by_name["worst group"]
    assert worst.value == 38 / 40
    assert worst.interval is not None
    assert worst.interval.high == 1.0  # the band alone ends at 1.03


class Wrong(Accuracy):
    """A plugin's metric whose values are not what it declares."""

    range = (0.5, 1.0)


def test_a_value_outside_the_declared_range_is_an_error_of_the_plugin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "harness.evaluation.collectors.make_metric", lambda *_: Wrong({}, ("a", "b"))
    )
    records = list(people(20, {"x": 0.1, "y": 0.1}))
    with pytest.raises(PluginError, match=r"'accuracy' gives 0.* outside the range 0\.5 to 1\.0"):
        summarise(accuracy_spec(), [records])


def rounds(right: int) -> list[SampleRecord]:
    return [
        record(
            f"{question}/{turn}", f"question {question}",
            "ab"[turn if question < right else 1 - turn], target="ab"[turn],
            fields={"rounds": 2, "round": turn},
            groups={"kind": ["xy"[question % 2], "human"]},
        )
        for question in range(120)
        for turn in range(2)
    ]  # fmt: skip


@pytest.mark.parametrize("right", [0, 31])
def test_shares_of_questions_have_wilsons_interval_overall_and_by_slice(right: int) -> None:
    circular = [
        MetricSpec(id=f"{name}_accuracy", column=name, direction="higher", main=name == "circular")
        for name in ("circular", "vanilla")
    ]
    task = spec(*circular, slices=("kind",), labels=("a", "b"))
    summary = summarise(task, [rounds(right)])
    parts = [(120, right, summary.metrics), *(
        (60, (right + (value.value == "x")) // 2, value.metrics) for value in summary.slices
    )]  # fmt: skip
    for n, hits, metrics in parts:
        expected = binomtest(hits, n).proportion_ci(method="wilson")
        for metric in metrics:
            assert metric.interval is not None
            assert (metric.interval.low, metric.interval.high) == pytest.approx(
                (expected.low, expected.high), abs=1e-12
            )


def test_no_interval_of_a_bootstrap_is_without_width_in_silence() -> None:
    metrics = [
        MetricSpec(id=name, column=name, direction="higher", main=name == "map")
        for name in ("map", "mean_class_accuracy", "f1_macro", "vqa_accuracy")
    ]
    labels = ("yes", "no", "maybe")
    perfect = [
        item._replace(
            answer=item.target,
            scores=Scores(
                "logprob", tuple(0.0 if label == item.target else -9.0 for label in labels)
            ),
        )
        for item in answered(80)
    ]
    summary = summarise(spec(*metrics[:3], slices=("age",), labels=labels), [perfect])
    for metric in [
        *summary.metrics,
        *(item for content in summary.slices for item in content.metrics),
    ]:
        assert metric.value == 1.0
        assert metric.interval is None or NO_WIDTH in metric.interval.warning
    texts = [item._replace(answer="blue", target=["red"] * 10) for item in answered(80)]
    (wrong,) = summarise(spec(metrics[3], labels=labels), [texts]).metrics
    expected = binomtest(0, 40).proportion_ci(method="wilson")  # two questions a picture
    assert wrong.interval is not None
    assert (wrong.interval.low, wrong.interval.high) == pytest.approx((0.0, expected.high))


# --- memory ---------------------------------------------------------------------------------------


def peak_of(task: TaskSpec, number: int) -> int:
    records = (
        [record(f"face-{index:07d}", f"face-{index:07d}", "ab"[index % 3 == 0], target="a",
                groups={"age": [("old", "young")[index % 4 // 2], "human"]} if index % 2 else {})]
        for index in range(number)
    )  # fmt: skip
    tracemalloc.start()
    summarise(task, records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("slices", [("gender", "race"), ("age",)], ids="-".join)
def test_a_sample_takes_at_most_two_hundred_bytes(slices: tuple[str, ...]) -> None:
    metrics = [
        MetricSpec(id=name, column=name, direction="higher", main=name == "accuracy")
        for name in ("accuracy", "mean_class_accuracy")
    ]
    task = spec(*metrics, slices=slices, labels=("a", "b"))
    few, many = 5000, 13_000  # more than are looked at at once
    summarise(task, [])  # what is imported and kept once
    assert (peak_of(task, many) - peak_of(task, few)) / (many - few) < 200


def test_slices_without_a_value_are_neither_kept_nor_resampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requested: list[int] = []
    real = bootstrap.resampled

    def counting(*positional: Any, **more: Any) -> Any:
        requested.append(1)
        return real(*positional, **more)

    monkeypatch.setattr(sums, "resampled", counting)
    metric = MetricSpec(id="accuracy", column="Accuracy", direction="higher", main=True)
    labels = ("yes", "no", "maybe")
    summary = summarise(spec(metric, slices=("race", "gender"), labels=labels), [answered(20)])
    assert (summary.slices, summary.comparisons, requested) == ((), (), [])
    summarise(spec(metric, slices=("race", "age"), labels=labels), [answered(20)])
    assert requested == [1]


def test_a_value_that_comes_late_belongs_to_its_own_samples() -> None:
    metric = MetricSpec(id="accuracy", column="Accuracy", direction="higher", main=True)
    late = [record(f"{index}", f"{index}", "a" if index < 6 else "b", target="a",
                   groups={"age": ["old", "human"]} if index >= 4 else {})
            for index in range(10)]  # fmt: skip
    (old,) = summarise(spec(metric, slices=("age",), labels=("a", "b")), [late]).slices
    assert (old.n, old.clusters) == (6, 6)
    assert old.metrics[0].value == pytest.approx(2 / 6)


def test_answers_by_a_tie_and_with_reasoning_in_them_are_counted() -> None:
    requested = spec(
        MetricSpec(id="accuracy", column="A", direction="higher", main=True), labels=("yes", "no")
    )
    written = Written("<think>no, or</think> yes", "stop")
    repeated = [
        record("a", "a", "yes", target="yes")._replace(scores=Scores("logprob", (-1.0, -1.0))),
        record("b", "b", "yes", target="yes")._replace(scores=Scores("logprob", (-1.0, -2.0))),
        record("c", "c", None, target="yes")._replace(scores=Scores("label", (0.0, 0.0))),
    ]
    texts = [written, None, None]
    entries = [item._replace(written=text) for item, text in zip(repeated, texts, strict=True)]
    assert summarise(requested, [entries]).counts.notes == {
        TIED: 1,
        "answers read with the reasoning in them (<think> ... </think>)": 1,
    }


@pytest.mark.parametrize(
    ("values", "alike"),
    [
        (("x", "x "), 2),
        (("x y", "x\u00a0y"), 2),
        (("x\ty", "x y"), 2),
        (("x\u2028", "x"), 2),
        (("x\x00", "x"), 2),
        (("1\t", "1"), 2),
        (("caf\u00e9", "cafe\u0301"), 2),
        (("x", "x\u200f"), 2),
        (("Female", "female", "male"), 2),
        (("0", "0.0", "1"), 2),
        (("F", "M"), 0),
        (("1", "10"), 0),
        (("South Asian", "East Asian"), 0),
    ],
)
def test_groups_that_are_written_almost_alike_are_counted(
    values: tuple[str, ...], alike: int
) -> None:
    accuracy = MetricSpec(id="accuracy", column="A", direction="higher", main=True)
    task = spec(accuracy, slices=("g",), labels=("yes", "no"))
    records = [
        record(str(index), str(index), "yes", target="yes", groups={"g": [value, "drawn"]})
        for index, value in enumerate(values)
    ]
    notes = summarise(task, [records]).counts.notes
    counts = [count for note, count in notes.items() if "written almost alike" in note]
    assert counts == ([alike] if alike else [])


@pytest.mark.parametrize(
    ("unit", "clusters", "apart"),
    [
        ("person", ("p1", "p1 ", "P1", "p2"), 2),
        ("person", ("p1", "p1\t", "p2"), 1),
        ("person", ("Zo\u00eb", "Zoe\u0308", "Zoe"), 1),
        ("person", ("7", "07", "7.0"), 2),
        ("person", ("p1", "p1", "p2"), 0),
        ("image", ("a.png", "A.png"), 0),  # a file system may tell them apart
    ],
)
def test_clusters_that_are_written_almost_alike_are_counted(
    unit: str, clusters: tuple[str, ...], apart: int
) -> None:
    accuracy = MetricSpec(id="accuracy", column="A", direction="higher", main=True)
    task = replace(spec(accuracy, labels=("yes", "no")), unit=unit)
    records = [
        record(str(index), cluster, "yes", target="yes") for index, cluster in enumerate(clusters)
    ]
    summary = summarise(task, [records])
    assert summary.counts.clusters == len(set(clusters))
    notes = [(note, n) for note, n in summary.counts.notes.items() if "almost alike" in note]
    assert [n for _, n in notes] == ([apart] if apart else [])
    if apart:
        assert ascii(clusters[0]) in notes[0][0]
