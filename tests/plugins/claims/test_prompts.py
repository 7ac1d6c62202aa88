"""Means over prompts: by brute force, where nothing varies, on a run, and by simulation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from harness_claims.prompts import Crossed, crossed, groups_of, prompt_spread
from harness_claims.prompts_command import prompts

import harness
from harness.errors import UserError
from harness.runs import read_evaluation
from harness.stats.types import Floats


def draws(table: Floats, number: int, seed: int = 0) -> Floats:
    """Return each prompt's mean under draws of clusters, of ``(clusters, prompts)`` numbers."""
    random = np.random.default_rng(seed)
    n = len(table)
    return np.stack([table[random.integers(0, n, n)].mean(axis=0) for _ in range(number)])


def found(table: Floats, seed: int = 0) -> Crossed:
    return crossed(table.mean(axis=0), draws(table, 1000, seed), seed=seed)


def test_the_interval_is_that_of_drawing_prompts_and_clusters_at_once() -> None:
    random = np.random.default_rng(0)
    table = random.normal(size=(60, 1)) + random.normal(size=(1, 12)) / 4
    table = table + random.normal(size=(60, 12))
    slow = [
        table[np.ix_(random.integers(0, 60, 60), random.integers(0, 12, 12))].mean()
        for _ in range(6000)
    ]
    summary = found(table)
    assert (summary.low, summary.high) == pytest.approx(np.quantile(slow, (0.025, 0.975)), abs=0.04)
    alone = draws(table, 4000, 1).mean(axis=1).var()
    assert summary.share == pytest.approx(1 - alone / np.var(slow), abs=0.08)


def test_prompts_that_change_nothing_have_no_share_and_prompts_alone_have_all() -> None:
    random = np.random.default_rng(1)
    same = np.repeat(random.normal(size=(80, 1)), 6, axis=1)
    assert found(same).share == pytest.approx(0, abs=1e-9)
    assert found(np.repeat(random.normal(size=(1, 6)), 80, axis=0)).share == pytest.approx(1)


def test_draws_of_an_extreme_are_moved_back_to_the_value_and_keep_their_width() -> None:
    random = np.random.default_rng(2)
    drawn = np.abs(random.normal(1.0, 0.1, size=(1000, 8)))  # all beyond the value
    values = np.full(8, 0.5)
    plain, moved = crossed(values, drawn), crossed(values, drawn, centred=True)
    assert plain.low > 0.5
    assert moved.low < 0.5 < moved.high
    assert moved.high - moved.low == pytest.approx(plain.high - plain.low)
    assert moved.share == plain.share


def test_undefined_values_leave_no_interval() -> None:
    summary = crossed(np.array([0.1, np.nan]), np.full((100, 2), np.nan))
    assert np.isnan([summary.low, summary.high, summary.share]).all()


def test_a_run_with_variants_is_read_prompt_by_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    harness.run("random", "raf_db", profile="demo", limit=30, variants="paraphrases")
    records = [read_evaluation(seal.parent) for seal in Path("results").rglob("seal.json")]
    (group,) = groups_of(records)
    assert [item.variant for item in group] == ["", "paraphrase 1", "paraphrase 2"]
    spread = prompt_spread(group)
    assert spread.values["as asked"] == group[0].main.value
    assert spread.samples == 30
    assert spread.crossed.share == pytest.approx(0, abs=1e-9)  # it does not read the question
    assert groups_of(group[1:]) == []
    assert groups_of([group[0], replace(group[1], model_fingerprint="other")]) == []
    stdout = CliRunner().invoke(prompts, ["results"], catch_exceptions=False).stdout
    assert "under 5 prompts" in stdout
    answer = json.loads(CliRunner().invoke(prompts, ["results", "--json"]).stdout)
    assert answer[0]["task"] == "raf_db"
    with pytest.raises(UserError, match="unknown task among these evaluations"):
        CliRunner().invoke(prompts, ["results", "--tasks", "x"], catch_exceptions=False)


@pytest.mark.slow
def test_intervals_hold_the_mean_over_all_prompts_and_people() -> None:
    random, hits, trials = np.random.default_rng(2), 0, 300
    for trial in range(trials):
        table = random.normal(size=(100, 1)) + random.normal(size=(1, 20)) / 3
        summary = found(table + random.normal(size=(100, 20)), trial)
        hits += summary.low <= 0 <= summary.high
    assert 0.92 <= hits / trials <= 0.99
