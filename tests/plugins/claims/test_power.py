"""Power against statsmodels and by simulation; the command on a task's data and as declared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from harness_claims.power import (
    design_effect,
    power_of_equivalence,
    power_of_test,
    smallest_effect,
    spread_of_differences,
    units_needed,
)
from harness_claims.power_command import power
from scipy.stats import ttest_1samp
from statsmodels.stats.power import TTestPower

import harness
from harness.errors import UserError
from harness.evaluation.paired import TaskComparison


@pytest.mark.parametrize(("effect", "units"), [(0.2, 30), (0.5, 30), (0.1, 2000), (0.8, 3)])
def test_power_is_statsmodels(effect: float, units: int) -> None:
    expected = TTestPower().power(effect, units, 0.05)
    assert power_of_test(effect, units**-0.5, units) == pytest.approx(expected, abs=1e-9)


def test_units_needed_is_the_fewest_and_statsmodels_rounded_up() -> None:
    def at(units: int) -> float:
        return power_of_test(0.2, units**-0.5, units)

    needed = units_needed(at, 0.8)
    assert needed == int(np.ceil(TTestPower().solve_power(0.2, power=0.8, alpha=0.05)))
    assert at(needed) >= 0.8 > at(needed - 1)
    assert units_needed(lambda _: 0.1, 0.8) is None
    least = smallest_effect(100**-0.5, 100, 0.8)
    assert power_of_test(least, 100**-0.5, 100) == pytest.approx(0.8)


def test_designs_by_hand() -> None:
    # Ten clusters of four: 1 + 3 x 0.1. One of four and four alone: 1 + (20 / 8 - 1) x 0.1.
    assert design_effect([4] * 10, 0.1) == pytest.approx(1.3)
    assert design_effect([4, 1, 1, 1, 1], 0.1) == pytest.approx(1.15)
    assert spread_of_differences(0.5, 0.5) == pytest.approx(0.5)


def test_clusters_vary_as_the_design_effect_says() -> None:
    random = np.random.default_rng(0)
    icc, size, clusters = 0.3, 5, 40
    shared = random.normal(0, icc**0.5, size=(4000, clusters, 1))
    alone = random.normal(0, (1 - icc) ** 0.5, size=(4000, clusters, size))
    means = (shared + alone).mean(axis=(1, 2))
    expected = (design_effect([size] * clusters, icc) / (size * clusters)) ** 0.5
    assert means.std() == pytest.approx(expected, rel=0.04)


def test_the_power_of_equivalence_is_that_of_simulated_tests() -> None:
    random = np.random.default_rng(1)
    units, margin = 40, 0.55
    rows = random.normal(size=(4000, units))
    below = ttest_1samp(rows, margin, axis=1, alternative="less").pvalue < 0.05
    above = ttest_1samp(rows, -margin, axis=1, alternative="greater").pvalue < 0.05
    expected = power_of_equivalence(margin, units**-0.5, units)
    assert np.mean(below & above) == pytest.approx(expected, abs=0.02)


def run(*words: str) -> dict[str, object]:
    code = CliRunner().invoke(power, [*words, "--json"], catch_exceptions=False)
    answer: dict[str, object] = json.loads(code.stdout)
    return answer


def test_declared_samples_need_no_data_and_assumptions_are_said() -> None:
    outcome = run("raf_db", "--effect", "2", "--samples", "1000", "--cluster-size", "4",
                "--icc", "0.1", "--margin", "1", "--seed-spread", "0.5")  # fmt: skip
    assert (outcome["samples"], outcome["clusters"]) == (1000, 250)
    assert outcome["error"] == pytest.approx(100 * 0.5 * (1.3 / 1000) ** 0.5)
    needed = outcome["clusters_needed"]
    assert isinstance(needed, int)
    assert outcome["samples_needed"] == 4 * needed
    assert outcome["seeds_needed"] == 4
    assert any("design effect 1.30" in assumption for assumption in outcome["assumptions"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["raf_db", "--effect", "0"], "--effect: 0 should be above 0\n  fix: such as --effect 1"),
        (
            ["raf_db", "--effect", "1", "--value", "100"],
            "100 should be above 0 and below 100\n  fix: ",
        ),
        (["raf_db", "--effect", "1", "--icc", "2"], "not from 0 to 1"),
        (["raf_db", "--effect", "1", "--cluster-size", "3"], "needs a number of samples"),
        (["fairface", "--effect", "0.1", "--samples", "10"], "cannot be derived from --value"),
        (["raf_db", "--effect", "1", "--pilot", "one"], "a pilot needs two runs"),
        (["raf_db", "--effect", "1", "--pilot", "a,b", "--value", "70"], "--value is assumed"),
        (["raf_bd", "--effect", "1"], "raf_db"),
        (["raf_db", "--effect", "200"], "--effect: 200 is as wide as the metric's range, 100"),
        (["raf_db", "--effect", "1", "--margin", "100"], "--margin: 100 is as wide as"),
    ],
)
def test_what_says_nothing_is_refused(words: list[str], message: str) -> None:
    settled = words if {"--samples", "--cluster-size", "--pilot"} & {*words} else [
        *words, "--samples", "50"
    ]  # fmt: skip
    with pytest.raises(UserError) as refused:
        CliRunner().invoke(power, settled, catch_exceptions=False)
    assert message in str(refused.value)


def test_two_finished_runs_are_a_pilot_and_slices_have_their_own_clusters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [
        harness.run(model, "raf_db", profile="demo", limit=40, results="results")
        for model in ("random", "majority")
    ]
    names = [str(item.manifest) for item in runs]
    (compared,) = harness.compare(*names, margin=5)
    assert isinstance(compared, TaskComparison)
    genders = [item.paired.units for item in compared.slices if item.slice == "gender"]
    assert sum(genders) == compared.main.paired.units == 40
    assert compared.main.paired.spread is not None
    outcome = run("raf_db", "--effect", "5", "--pilot", ",".join(names))
    assert outcome["error"] == pytest.approx(100 * compared.main.paired.spread)
    assert (outcome["samples"], outcome["clusters"]) == (40, 40)
    again = harness.run("random", "raf_db", profile="demo", limit=40, results="again").manifest
    for other, message in ((again, "does not vary"), (names[0], "compared with themselves")):
        pilots = ["raf_db", "--effect", "5", "--pilot", f"{names[0]},{other}"]
        with pytest.raises(UserError, match=message):
            CliRunner().invoke(power, pilots, catch_exceptions=False)
