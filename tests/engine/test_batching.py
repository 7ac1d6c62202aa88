from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.engine.batching import FIXED_ROWS, Batches, out_of_memory
from harness.errors import UserError

pytestmark = pytest.mark.torch


def test_results_come_back_in_order_and_batches_go_longest_first() -> None:
    seen: list[list[int]] = []

    def forward(rows: Sequence[int]) -> list[int]:
        seen.append(list(rows))
        return [row * 2 for row in rows]

    assert Batches(2).run([1, 5, 3, 4], lambda item: item, forward) == [2, 10, 6, 8]
    assert seen == [[5, 4], [3, 1]]


def test_memory_that_runs_out_halves_the_batch() -> None:
    seen: list[int] = []

    def forward(rows: Sequence[int]) -> list[int]:
        seen.append(len(rows))
        if len(rows) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return list(rows)

    batches = Batches(8)
    assert batches.run(list(range(9)), lambda item: item, forward) == list(range(9))
    assert seen == [8, 4, 2, 2, 2, 2, 1]


def test_memory_that_never_suffices_is_said() -> None:
    def forward(rows: Sequence[int]) -> list[int]:
        raise MemoryError

    with pytest.raises(UserError, match="memory does not suffice"):
        Batches(2).run([1, 2], lambda item: item, forward)
    with pytest.raises(UserError, match="deterministic"):
        Batches(2, fixed=True).run([1, 2], lambda item: item, forward)


def test_other_errors_pass() -> None:
    def forward(rows: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Batches().run([1], lambda item: item, forward)
    assert not out_of_memory(ValueError("no"))


def test_fixed_batches_have_one_size() -> None:
    seen: list[int] = []

    def forward(rows: Sequence[int]) -> list[int]:
        seen.append(len(rows))
        return list(rows)

    items = list(range(FIXED_ROWS + 1))
    assert Batches(3, fixed=True).run(items, lambda item: item, forward) == items
    assert seen == [FIXED_ROWS, FIXED_ROWS]


def test_a_batch_size_is_positive() -> None:
    with pytest.raises(UserError, match="batch size"):
        Batches(0)
