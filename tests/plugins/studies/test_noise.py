"""A mean over seeds whose seeds do not all have a number says so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from harness_studies.noise import KINDS, SAMPLES, SeedMean, noisy_cell


@dataclass(frozen=True)
class OneSeed:
    estimate: float | None
    low: float | None = 0.1
    high: float | None = 0.3


@pytest.mark.parametrize(("absent", "warning"), [(0, ""), (1, "1 of 3 seeds"), (3, "3 of 3 seeds")])
def test_a_seed_without_an_estimate_is_counted(absent: int, warning: str) -> None:
    seeds = tuple(OneSeed(None if index < absent else 0.2) for index in range(3))
    seed_mean: SeedMean[OneSeed] = SeedMean(
        seeds=seeds, value=0.2, over_seeds=None, estimate=None if absent else 0.2,
        low=0.1, high=0.3, n=4, clusters=4, marks=(),
    )  # fmt: skip
    cells = {kind: noisy_cell(seed_mean, kind, 1.0) for kind in KINDS}
    for kind, cell in cells.items():
        assert cell is not None
        assert cell.warning.startswith(warning if kind == SAMPLES else "")
        assert bool(cell.warning) == (kind == SAMPLES and absent > 0)
