"""Which block is asked next."""

from __future__ import annotations

import random

import pytest

from harness.descriptors import Json
from harness.workers.queue import MOST_EARLY, BlockQueue, Item


def queue(missing: list[int], verdict: dict[str, Json] | None = None) -> BlockQueue:
    made = BlockQueue()
    made.open(0, missing, [64] * 5, verdict)
    return made


def test_blocks_are_asked_early_while_the_check_is_made_as_if_it_found_nothing() -> None:
    blocks = queue([0, 1, 2, 3])
    first, early, refuted = blocks.next(), blocks.next(), blocks.next()
    assert first == Item(0, 0, checks=True)
    assert early == Item(0, 1, early=True)
    assert refuted == Item(0, 2, early=True)
    assert blocks.verdict(early) == ({}, True)
    assert blocks.waits(early)
    assert not blocks.waits(first)
    assert blocks.answered(first, {"sharing": True}) == {"sharing": True}
    assert not blocks.waits(early)
    assert blocks.counts(early, {"sharing": True})
    blocks.answered(early, None)
    assert not blocks.is_complete(0)
    assert not blocks.counts(refuted, {"sharing": False})
    blocks.give_back(refuted)
    assert [blocks.next(), blocks.next(), blocks.next()] == [Item(0, 2), Item(0, 3), None]


def test_few_samples_are_answered_early() -> None:
    blocks = BlockQueue()
    blocks.open(0, range(5), [MOST_EARLY // 2] * 5, None)
    questions = [blocks.next(), blocks.next(), blocks.next(), blocks.next()]
    assert [item and item.early for item in questions] == [False, True, True, None]


def test_a_check_that_found_nothing_to_check_is_made_on_the_next_block() -> None:
    blocks = queue([0, 1])
    first = blocks.next()
    assert first is not None
    early = blocks.next()
    assert blocks.answered(first, None) is None
    check = blocks.next()
    assert check == Item(0, 1, checks=True, recorded=False)  # whose answer comes early
    blocks.answered(check, {})
    assert early is not None
    assert blocks.is_out(early)
    blocks.answered(early, {})
    assert blocks.is_complete(0)


def test_what_continues_without_a_verdict_is_checked_on_block_0_again() -> None:
    blocks = queue([3, 4])
    first = blocks.next()
    assert first == Item(0, 0, checks=True, recorded=False)
    blocks.answered(first, {})
    assert blocks.next() == Item(0, 3)


def test_a_later_evaluation_is_checked_from_what_the_one_before_it_found() -> None:
    blocks = queue([0, 1], {"sharing": False})
    blocks.open(1, [0, 1], [64, 64], None)
    check = blocks.next()
    assert check == Item(1, 0, checks=True)
    assert blocks.verdict(check) == ({"sharing": False}, False)
    assert blocks.next() == Item(0, 0)
    blocks.answered(check, {"sharing": True})
    assert blocks.verdict(Item(0, 1)) == ({"sharing": False}, True)
    assert blocks.verdict(Item(1, 1)) == ({"sharing": True}, True)


def test_a_lost_block_is_asked_first_and_three_times_at_most() -> None:
    blocks = queue([1, 2, 3], {})
    item = blocks.next()
    assert item == Item(0, 1)
    for _ in range(2):
        assert not blocks.lost(item)
        assert blocks.next() == item
    assert blocks.lost(item)
    blocks.answered(item, None)
    assert blocks.next() == Item(0, 2)


@pytest.mark.parametrize("seed", range(20))
def test_every_block_is_answered_once_whatever_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    blocks = BlockQueue()
    sizes = [chance.randint(1, 9) for _ in range(4)]
    for index, size in enumerate(sizes):
        blocks.open(index, range(size), [64] * size, None)
    out: list[Item] = []
    early: list[Item] = []
    answered: list[tuple[int, int]] = []
    while len(answered) < sum(sizes):
        while len(out) < 3 and (item := blocks.next()) is not None:
            out.append(item)
        item = out.pop(chance.randrange(len(out)))
        if chance.random() < 0.2:
            blocks.give_back(item)
            continue
        verdict: dict[str, Json] | None = {} if chance.random() < 0.7 else None
        early.append(item)
        for each in [each for each in early if not blocks.waits(each)]:
            early.remove(each)
            if not blocks.counts(each, {} if chance.random() < 0.7 else {"sharing": False}):
                blocks.give_back(each)
                continue
            blocks.answered(each, verdict if each is item else {})
            if each.recorded:
                answered.append((each.evaluation, each.block))
    assert sorted(answered) == [
        (at, block) for at, size in enumerate(sizes) for block in range(size)
    ]
