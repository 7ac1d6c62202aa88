"""Models over several seeds, against scipy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from harness_studies.command_compare import compare as command
from harness_studies.seeds import compare_all_seeds, compare_seeds
from scipy import stats

from harness.errors import UserError
from harness.runs.read import read_evaluation
from harness.runs.record import EvaluationRecord
from tests.runs.sealed import answers, write

# How many of six answers are wrong, by seed.
WRONG = {"plain": (3, 4, 2, 3), "better": (1, 2, 1, 0)}


def records(
    folder: Path, model: str, wrong: Sequence[int], first: int = 0
) -> list[EvaluationRecord]:
    collected = []
    for seed, number in enumerate(wrong, start=first):
        answered = answers(dict.fromkeys(range(number), "disgust"))
        path = write(folder / f"{model}-{seed}", answered, model=model, seed=seed)
        collected.append(read_evaluation(path))
    return collected


def test_the_interval_and_p_are_those_of_a_paired_t_test(tmp_path: Path) -> None:
    plain, better = (records(tmp_path, model, wrong) for model, wrong in WRONG.items())
    result = compare_seeds(plain, better[::-1])  # seeds are paired by number, not by order
    values = [[(6 - number) / 6 for number in WRONG[model]] for model in WRONG]
    expected = stats.ttest_rel(values[1], values[0])
    paired = result.main.paired
    assert result.seeds == 4
    assert result.main.first == pytest.approx(sum(values[0]) / 4)
    assert paired.difference == pytest.approx((sum(values[1]) - sum(values[0])) / 4)
    assert paired.p == pytest.approx(expected.pvalue)
    assert paired.interval is not None
    interval = expected.confidence_interval(0.95)
    assert (paired.interval.low, paired.interval.high) == pytest.approx(tuple(interval))
    assert paired.interval.warning == "only 4 seeds"


def test_five_seeds_are_enough(tmp_path: Path) -> None:
    content = (records(tmp_path, model, (*wrong, 2)) for model, wrong in WRONG.items())
    interval = compare_seeds(*content).main.paired.interval
    assert interval is not None
    assert interval.warning == ""


def test_p_values_are_corrected_over_tasks(tmp_path: Path) -> None:
    plain, better = (records(tmp_path, model, wrong) for model, wrong in WRONG.items())
    alone, twice = compare_all_seeds([(plain, better)]), compare_all_seeds([(plain, better)] * 2)
    p = alone[0].main.paired.p
    assert p is not None
    assert alone[0].main.paired.corrected == p
    assert twice[0].main.paired.corrected == pytest.approx(min(1.0, 2 * p))


def test_differences_that_do_not_vary_have_no_test(tmp_path: Path) -> None:
    content = (records(tmp_path, model, (number,) * 3) for model, number in (("a", 3), ("b", 2)))
    paired = compare_seeds(*content).main.paired
    assert (paired.interval, paired.p) == (None, None)
    assert paired.difference == pytest.approx(1 / 6)


def test_other_seeds_are_refused_and_named(tmp_path: Path) -> None:
    plain = records(tmp_path, "plain", (3, 4, 2))
    better = records(tmp_path, "better", (1, 2, 1), first=1)
    with pytest.raises(UserError, match="0, 1, 2 in one, 1, 2, 3 in the other"):
        compare_seeds(plain, better)


def test_two_evaluations_of_one_seed_are_refused(tmp_path: Path) -> None:
    plain = records(tmp_path, "plain", (3, 4))
    twice = records(tmp_path / "again", "plain", (3,))
    with pytest.raises(UserError, match="more than one evaluation of 'raf_db'"):
        compare_seeds([*plain, *twice], plain)


def test_the_command_takes_runs_with_commas_between(tmp_path: Path) -> None:
    places = [
        ",".join(str(record.directory) for record in records(tmp_path, model, wrong))
        for model, wrong in WRONG.items()
    ]
    done = CliRunner().invoke(command, places)
    assert done.exit_code == 0, done.output
    assert "better (B) minus plain (A)" in done.output
    assert "means over 4 seeds" in done.output
    assert "warning: only 4 seeds" in done.output


def test_few_clusters_are_warned_of(tmp_path: Path) -> None:
    places = [
        str(records(tmp_path, model, wrong[:1])[0].directory) for model, wrong in WRONG.items()
    ]
    done = CliRunner().invoke(command, places)
    assert done.exit_code == 0, done.output
    assert "warning: only 6 clusters" in done.output
    assert "detectable" in done.output
