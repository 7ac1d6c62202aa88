"""A worker reads over blocks that others answer; one that was lost costs a second pass at most."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.api.worker import _Blocks
from harness.descriptors import Json
from harness.errors import HarnessError
from harness.workers.contract import Refused, WorkOrder
from harness.workers.worker import begin


class Plan:
    """A plan of a hundred blocks that counts those that are read."""

    task = SimpleNamespace(id="faces")

    def __init__(self) -> None:
        self.read = 0

    def stream(self) -> Iterator[list[int]]:
        for block in range(100):
            self.read += 1
            yield [block]


def blocks_of(plan: Plan) -> Any:
    job: Any = SimpleNamespace(plan=plan)
    return _Blocks(job)


def test_lost_blocks_cost_one_more_pass_over_the_annotations() -> None:
    plan = Plan()
    blocks = blocks_of(plan)
    for block in [40, 41, 30, 44, 38, 60, 42, 99, 90]:
        assert blocks.samples(block) == [block]
    assert plan.read == 100 + 91


def test_a_block_that_is_not_there_is_said() -> None:
    with pytest.raises(HarnessError, match="the plan has no block 100"):
        blocks_of(Plan()).samples(100)


def test_a_worker_without_a_plugin_names_it() -> None:
    """It cannot compare its plan then: it has none."""
    used: dict[str, Json] = {
        "model plugin": "nowhere-model 1",
        "reader plugin": "social-harness 0.1.0",
    }
    order = WorkOrder(
        model="nobody", tasks=("raf_db",), options={}, evaluations=("raf_db",), directories=(),
        folder=".", terms={"versions": used},
    )  # fmt: skip
    worker, refused = begin("1", order)
    assert worker is None
    assert isinstance(refused, Refused)
    assert refused.reason.endswith("unknown model 'nobody' (nowhere-model is not installed there)")
