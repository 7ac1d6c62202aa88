"""Transfer against numbers worked by hand: signs, the seed as unit, what test samples add."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness_studies import transfer
from harness_studies.loader import load_study
from harness_studies.plan import plan_study
from harness_studies.run import StudyResult, run_study
from scipy import stats

from harness.stats.interval import Interval
from tests.plugins.studies.world import STUDY, Heard, World
from tests.tables.records import metric, record


def compared(low: float, high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    interval = Interval(low, high, 0.95, "bootstrap", 1000)
    paired = SimpleNamespace(difference=(low + high) / 2, interval=interval)
    result = SimpleNamespace(main=SimpleNamespace(paired=paired))
    monkeypatch.setattr(transfer, "compare", lambda *_: result)


@pytest.mark.parametrize(
    ("direction", "before", "after", "ends"),
    [
        ("higher", 0.5, 0.6, (-0.1, 0.3)),
        ("lower", 0.5, 0.6, (-0.3, 0.1)),
        ("zero", 0.5, 0.6, (-0.3, 0.1)),
        ("zero", -0.5, -0.4, (-0.1, 0.3)),
        ("zero", -0.5, 0.4, (None, None)),
        ("higher", 0.0, 0.4, (None, None)),
    ],
)
def test_the_interval_over_samples_has_the_sign_of_the_change(
    monkeypatch: pytest.MonkeyPatch,
    direction: str,
    before: float,
    after: float,
    ends: tuple[float, float] | tuple[None, None],
) -> None:
    compared(-0.05, 0.15, monkeypatch)
    item = record("m", "t", metric(before, direction=direction))
    other = record("m", "t", metric(after, direction=direction))
    estimate, *result = transfer._over_samples(item, other, before, after)
    if ends[0] is None or ends[1] is None:
        assert [estimate, *result] == [None, None, None]
    else:
        assert result == pytest.approx(list(ends))
        assert estimate == pytest.approx(sum(ends) / 2)


def study(matched: str) -> StudyResult:
    text = STUDY.replace(
        "evaluation:", f"transfer: {{alone: Single, joint: Joint, matched: {matched}}}\nevaluation:"
    )
    Path("small.yaml").write_text(text, encoding="utf-8")
    content = load_study("small.yaml")
    plans = plan_study(content, Path("results"))
    return run_study(content, plans, Path("out"), Path("results"), Heard())


def test_the_seed_is_the_unit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compared(0.1, 0.3, monkeypatch)
    _, table = study("samples").tables
    # Alone .4 and .5, joint .6 and .7: changes of .5 and .4.
    interval = stats.t.interval(0.95, 1, loc=45.0, scale=stats.sem([50.0, 40.0]))
    seeds, samples = table.rows
    [cell], [beside] = seeds.cells, samples.cells
    assert cell is not None
    assert beside is not None
    assert cell.value == pytest.approx(45.0)
    assert cell.seeds == 2
    assert [cell.low, cell.high] == pytest.approx(list(interval))
    # (.1 / .4 + .1 / .5) / 2 and (.3 / .4 + .3 / .5) / 2
    assert [beside.low, beside.high] == pytest.approx([22.5, 67.5])
    [content] = json.loads(Path("out/transfer_seeds.json").read_text())
    assert [seed["change"] for seed in content["seeds"]] == pytest.approx([0.5, 0.4])


@pytest.mark.parametrize(
    ("matched", "message", "counts"),
    [
        ("samples", "matched by samples of the task", "steps alone and joint 4 and 8"),
        ("steps", "matched by total steps", "steps alone and joint 8 and 8"),
    ],
)
def test_how_trainings_are_matched_is_printed(
    world: World, monkeypatch: pytest.MonkeyPatch, matched: str, message: str, counts: str
) -> None:
    compared(0.1, 0.3, monkeypatch)
    notes = " ".join(study(matched).tables[1].notes)
    assert message in notes
    assert counts in notes
    assert ("seen 32 and 16" if matched == "steps" else "seen 16 and 16") in notes


def test_a_seed_that_lacks_one_of_the_pair_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared(0.1, 0.3, monkeypatch)
    world.breaks = {("joint", 1)}
    result = study("samples")
    cell = result.tables[1].rows[0].cells[0]
    assert cell is not None
    assert cell.value == pytest.approx(50.0)
    assert cell.seeds == 1
    assert cell.low is None
    assert len(result.failed) == 1
