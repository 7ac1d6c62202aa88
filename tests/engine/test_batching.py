from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from harness.engine.batching import (
    Batches,
    NoMemory,
    fitting_positions,
    most_positions,
    out_of_memory,
)
from harness.errors import UserError

pytestmark = pytest.mark.torch


class Recorder:
    """A forward pass that notes its rows and runs out of memory above ``most`` rows."""

    def __init__(self, most: int = 100) -> None:
        self.seen: list[list[int]] = []
        self.most = most

    def __call__(self, rows: Sequence[int]) -> list[int]:
        self.seen.append(list(rows))
        if len(rows) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return [row * 2 for row in rows]


def same(item: int) -> int:
    return item


def test_results_come_back_in_order_and_batches_go_longest_first() -> None:
    forward = Recorder()
    assert Batches(2).run([1, 5, 3, 4], same, forward) == [2, 10, 6, 8]
    assert forward.seen == [[5, 4], [3, 1]]


def test_even_batches_hold_one_length() -> None:
    forward = Recorder()
    assert Batches().run([3, 5, 3, 4, 3], same, forward, equal_lengths=True) == [6, 10, 6, 8, 6]
    assert forward.seen == [[5], [4], [3, 3, 3]]


def test_memory_that_runs_out_halves_the_batch_for_good() -> None:
    forward = Recorder(most=2)
    batches = Batches(8)
    assert batches.run([4] * 9, same, forward) == [8] * 9
    assert [len(rows) for rows in forward.seen] == [8, 4, 2, 2, 2, 2, 1]
    forward.seen.clear()
    batches.run([4] * 4, same, forward)
    assert [len(rows) for rows in forward.seen] == [2, 2]


def test_memory_that_never_suffices_is_said() -> None:
    with pytest.raises(NoMemory, match="memory does not suffice"):
        Batches(2).run([1, 2], same, Recorder(most=0))
    with pytest.raises(UserError, match="deterministic"):
        Batches(2, fixed=True).run([1, 2], same, Recorder(most=0))


def test_an_inner_batch_that_fails_makes_the_outer_one_smaller() -> None:
    batches = Batches()
    seen: list[int] = []

    def forward(rows: Sequence[int]) -> list[int]:
        seen.append(len(rows))
        if len(rows) > 1:
            batches.run([1], same, Recorder(most=0))
        return list(rows)

    assert batches.run([7, 7, 7], same, forward) == [7, 7, 7]
    assert seen == [3, 1, 1, 1]


def test_a_budget_bounds_rows_and_says_what_is_missing() -> None:
    forward = Recorder()
    Batches(room=20).run([3] * 6, same, forward, cached=lambda item: item, reserve=2)
    assert [len(rows) for rows in forward.seen] == [4, 2]
    with pytest.raises(NoMemory, match="25 positions"):
        Batches(room=20).run([3], same, forward, cached=lambda item: item + 20, reserve=2)


def test_what_an_outer_batch_holds_is_not_free() -> None:
    batches = Batches(room=10)
    inner = Recorder()

    def forward(rows: Sequence[int]) -> list[int]:
        batches.run([1] * 6, same, inner, cached=lambda item: item)
        return list(rows)

    batches.run([6], same, forward, cached=lambda item: item)
    assert [len(rows) for rows in inner.seen] == [4, 2]


def test_other_errors_pass() -> None:
    def forward(rows: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Batches().run([1], same, forward)
    assert not out_of_memory(ValueError("no"))


def test_a_batch_size_is_positive() -> None:
    with pytest.raises(UserError, match="batch size"):
        Batches(0)


def test_memory_counts_in_powers_of_two() -> None:
    for each in (10**6, 10**9, 10**15):
        result = fitting_positions(torch.device("cpu"), 4096, each)
        assert result & (result - 1) == 0
        assert result >= 64


def test_narrow_models_take_more_positions_at_once_on_a_processor() -> None:
    processor = torch.device("cpu")
    results = [most_positions(processor, width) for width in (160, 512, 4096)]
    assert results == [(1 << 19) // 160, 1024, 1024]
    assert fitting_positions(processor, 160, 1) == results[0]
    assert most_positions(torch.device("cuda"), 160) == most_positions(torch.device("cuda"), 4096)
