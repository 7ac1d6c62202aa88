"""Two runs sample by sample: differences, flips, slices, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from harness_studies.command_compare import compare as command
from harness_studies.comparisons import compare_all
from statsmodels.stats.contingency_tables import mcnemar

import harness
from harness.errors import UserError
from harness.evaluation.paired import (
    ScoreDifferences,
    TaskComparison,
    TiedWithBest,
    compare,
)
from harness.requests import Scores
from harness.requests.response import ScoreKind
from harness.runs.read import read_evaluation
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.tables.table import Column

Faces = Callable[[int], Path]


@pytest.fixture
def records(faces: Faces) -> dict[str, EvaluationRecord]:
    """The same 60 faces answered by three baselines."""
    root = faces(60)
    results = {}
    for model in ("null", "random", "majority"):
        harness.run(model, "raf_db", data={"raf_db": root}, results="results")
    for seal in Path("results").rglob("seal.json"):
        record = read_evaluation(seal.parent)
        results[record.model] = record
    return results


def answers(record: EvaluationRecord) -> dict[str, bool]:
    return {
        read_sample.id: read_sample.answer == read_sample.target
        for read_sample in read_samples(record.directory)
    }


def test_a_difference_is_the_second_minus_the_first(records: dict[str, EvaluationRecord]) -> None:
    comparison = compare(records["null"], records["random"])
    main = comparison.main
    before, after = records["null"].main.value, records["random"].main.value
    assert (main.first, main.second) == (before, after)
    assert before is not None
    assert after is not None
    assert main.paired.difference == pytest.approx(after - before)
    assert main.paired.interval is not None
    assert main.paired.interval.low <= after - before <= main.paired.interval.high
    assert comparison.samples == comparison.clusters == 60
    back = compare(records["random"], records["null"])
    assert back.main.paired.difference == pytest.approx(before - after)
    assert back.main.paired.p == pytest.approx(main.paired.p, abs=0.05)


def test_flips_are_named_and_mcnemar_counts_them(records: dict[str, EvaluationRecord]) -> None:
    comparison = compare(records["null"], records["random"])
    first, second = answers(records["null"]), answers(records["random"])
    assert set(comparison.flips.gained) == {name for name in first if second[name] > first[name]}
    assert set(comparison.flips.lost) == {name for name in first if second[name] < first[name]}
    gained, lost = len(comparison.flips.gained), len(comparison.flips.lost)
    expected = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue
    assert comparison.main.mcnemar == pytest.approx(min(1.0, expected))


def test_an_evaluation_does_not_differ_from_itself(records: dict[str, EvaluationRecord]) -> None:
    comparison = compare(records["random"], records["random"])
    assert comparison.main.paired.difference == 0
    assert comparison.main.paired.p == 1
    assert comparison.flips == type(comparison.flips)((), (), ())


def test_p_values_are_corrected_over_tasks(records: dict[str, EvaluationRecord]) -> None:
    pair = (records["null"], records["random"])
    alone, both = compare_all([pair]), compare_all([pair, pair])
    p = alone[0].main.paired.p
    assert p is not None
    assert alone[0].main.paired.corrected == p
    assert both[0].main.paired.corrected == pytest.approx(min(1.0, 2 * p))


def test_tied_with_best_keeps_those_no_test_separates(
    records: dict[str, EvaluationRecord],
) -> None:
    names = {model: record.fingerprint for model, record in records.items()}
    main = records["null"].main
    column = Column("raf_db", "RAF-DB", main.id, main.column, "higher", 100.0)
    tied = TiedWithBest(list(records.values()))
    result = tied(column, names["random"], [names["null"], names["majority"]])
    expected = [
        names[model]
        for model in ("null", "majority")
        if (compare(records["random"], records[model]).main.paired.p or 0) >= 0.05
    ]
    assert set(expected) <= set(result)
    renamed = replace(column, name="Another heading")
    assert tied(renamed, names["random"], [names["null"], names["majority"]]) == result
    other = replace(column, options={"label": "sad"})
    assert tied(other, names["random"], [names["null"]]) == ()
    assert tied(column, "unknown", [names["null"]]) == ()


def test_other_questions_are_refused_and_the_parts_named(
    records: dict[str, EvaluationRecord],
) -> None:
    root = Path("raf").resolve()
    harness.run("null", "raf_db", data={"raf_db": root}, results="fewer", limit=30)
    (seal,) = Path("fewer").rglob("seal.json")
    with pytest.raises(UserError, match="differ in: sample ids"):
        compare(records["null"], read_evaluation(seal.parent))


def test_the_command_prints_a_table_or_json(records: dict[str, EvaluationRecord]) -> None:
    places = [str(records[model].directory) for model in ("null", "random")]
    code = CliRunner().invoke(command, places)
    assert code.exit_code == 0, code.output
    assert "random (B) minus null (A)" in code.output
    assert "gained" in code.output
    as_json = CliRunner().invoke(command, [*places, "--json"])
    (content,) = json.loads(as_json.output)
    assert content["samples"] == 60
    assert content["metrics"][0]["paired"]["corrected"] is not None


def test_the_command_takes_names_of_runs_and_says_what_is_wrong(
    records: dict[str, EvaluationRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", "results")
    names = [next(Path("results/runs").glob(f"{model}-*")).stem for model in ("null", "random")]
    assert CliRunner().invoke(command, names).exit_code == 0
    for arguments, message in (
        (["results/evaluations", names[0]], "more than one evaluation"),
        ([names[0], "nowhere"], "no such results"),
        ([*names, "--tasks", "hagridv2"], "no evaluation of 'hagridv2'"),
    ):
        code = CliRunner().invoke(command, arguments)
        assert isinstance(code.exception, UserError)
        assert message in str(code.exception)


def test_how_far_two_back_ends_are_apart_is_told(records: dict[str, EvaluationRecord]) -> None:
    sample = next(iter(read_samples(records["null"].directory)))
    kinds: tuple[ScoreKind, ...] = ("logprob", "logprob", "logprob", "label")
    values = ((-1.0, -2.0), (-1.0, -2.001), (-1.01, -2.0), (1.0, 0.0))
    first, near, far, label = (
        sample._replace(id=f"s{number}", scores=Scores(kind, pair))
        for number, (kind, pair) in enumerate(zip(kinds, values, strict=True))
    )
    differences = ScoreDifferences()
    for pair in ((first, first), (first, near), (far, first), (first, label)):
        differences.add(*pair)
    assert (differences.options, differences.sample) == (6, "s2")
    assert differences.largest == pytest.approx(0.01)
    assert differences.total == pytest.approx(0.011)
    comparison = compare(records["null"], records["random"])
    flips = comparison.flips
    assert comparison.same == 60 - sum(map(len, (flips.gained, flips.lost, flips.changed)))
    names = [str(records[name].directory) for name in ("null", "random")]
    output = CliRunner().invoke(command, names).output
    assert f"answered alike {comparison.same} of 60 (" in output


def test_a_margin_says_what_is_equivalent(
    records: dict[str, EvaluationRecord],
) -> None:
    (comparison,) = harness.compare(
        records["null"].directory, records["random"].directory, margin=30.0
    )
    assert isinstance(comparison, TaskComparison)
    equivalence = comparison.main.paired.equivalence
    assert equivalence is not None
    assert equivalence.margin == pytest.approx(0.3)
    assert (equivalence.equivalent or 1.0) < 0.05
    tied = TiedWithBest([records["null"], records["random"]], margin=30.0)
    assert "differ by less than 30" in tied.note


@pytest.mark.parametrize(
    ("task", "models"), [("scounter", ("random", "null")), ("mmbench", ("socialfusion", "null"))]
)
def test_sets_of_images_are_those_of_one_evaluation(
    task: str, models: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics find a set by its cluster, which two evaluations have under one name."""
    monkeypatch.chdir(tmp_path)
    pair = [
        harness.run(model, task, profile="demo", limit=60, seed=seed, results="results").records[0]
        for seed, model in enumerate((models[0], *models))
    ]
    expected = [{metric.id: metric.value for metric in record.metrics} for record in pair]
    for second in (1, 2):
        for item in compare(pair[0], pair[second]).metrics:
            before, after = expected[0][item.metric], expected[second][item.metric]
            if second == 1:
                assert (item.first, item.second) == pytest.approx((before, after)), item.metric
            if before is None or after is None:
                assert item.paired.difference is None, item.metric
