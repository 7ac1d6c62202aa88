"""Which block is asked next: lost ones first, the self-check of each evaluation, then the lowest.

Pure bookkeeping: no worker, clock or file is known here.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.descriptors import Json

MOST_LOSSES = 3
"""Workers that a block may cost before it is recorded as an error."""
MOST_EARLY = 65_536
"""Samples that may be answered before the self-check is made; their answers wait in memory."""
Verdict = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Item:
    """A block to be asked.

    Attributes:
        checks: Whether the model's check of itself is made on it.
        recorded: Whether its answer is wanted; of one that is on disk only the check is.
        early: Whether it is asked while the check is made, as if nothing new were found.
    """

    evaluation: int
    block: int
    checks: bool = False
    recorded: bool = True
    early: bool = False


@dataclass(slots=True)
class _Evaluation:
    pending: deque[int]
    blocks: int
    verdict: Verdict | None
    most_early: int
    next_check: int = 0
    is_checking: bool = False
    out: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    losses: Counter[int] = field(default_factory=Counter)


class BlockQueue:
    """Blocks of evaluations that are open, in plan order.

    The model's check of itself is made on an evaluation's first block, or the next where nothing
    of it could be asked. Others are asked early meanwhile: an answer to them counts if its worker
    computed as the check then says, and otherwise the block is asked again. The check of an
    evaluation starts from what the one before it found.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Evaluation] = {}
        self._lost: deque[Item] = deque()
        self._last_verdict: dict[int, Verdict] = {}

    def open(
        self,
        evaluation: int,
        missing: Sequence[int],
        blocks: Sequence[int],
        verdict: Verdict | None,
    ) -> None:
        """Add an evaluation, which comes after those that are open.

        Args:
            evaluation: Its index.
            missing: Its blocks without an answer, in order.
            blocks: The samples of each of its blocks.
            verdict: What was found before, where it continues.
        """
        most = MOST_EARLY // max(blocks, default=1)
        self._open[evaluation] = _Evaluation(deque(missing), len(blocks), verdict, most)
        if verdict is not None:
            self._last_verdict[evaluation] = verdict

    @property
    def unassigned(self) -> int:
        """Blocks that nobody was asked."""
        return len(self._lost) + sum(len(held.pending) for held in self._open.values())

    def is_complete(self, evaluation: int) -> bool:
        """Whether nothing of an open evaluation is pending, lost or being answered."""
        opened = self._open[evaluation]
        lost = any(item.evaluation == evaluation for item in self._lost)
        return not (opened.pending or opened.out or opened.early or lost)

    def is_out(self, item: Item) -> bool:
        """Whether a block is being answered: it was asked, and no answer is there yet."""
        opened = self._open.get(item.evaluation)
        return opened is not None and item.block in (opened.early if item.early else opened.out)

    def waits(self, item: Item) -> bool:
        """Whether nobody can tell yet if the answer to a block that was asked early counts."""
        opened = self._open.get(item.evaluation)
        return item.early and opened is not None and opened.verdict is None

    def counts(self, item: Item, verdict: Verdict | None) -> bool:
        """Whether an answer that was computed with this verdict is that of one process."""
        opened = self._open.get(item.evaluation)
        return not item.early or (opened is not None and opened.verdict == verdict)

    def close(self, evaluation: int) -> None:
        """Forget an evaluation: it is complete, or an error ended it."""
        self._open.pop(evaluation, None)
        self._lost = deque(item for item in self._lost if item.evaluation != evaluation)

    def verdict(self, item: Item) -> tuple[Verdict | None, bool]:
        """Return what a worker must know of checks, and whether it is of the item's evaluation."""
        opened = self._open[item.evaluation]
        if opened.verdict is not None:
            return opened.verdict, True
        before = self._before(item.evaluation)
        return (before or {}, True) if item.early else (before, False)

    def next(self, *, settled: bool = False) -> Item | None:
        """Return the block to ask now; ``None`` when there is none, or a check must come first.

        Args:
            settled: Only one that no check is made on.
        """
        if self._lost:
            lost = self._lost.popleft()
            self._open[lost.evaluation].out.add(lost.block)
            return lost
        if not settled and (item := self._check()) is not None:
            return item
        for index, opened in self._open.items():
            early = opened.verdict is None
            if not opened.pending or (early and len(opened.early) >= opened.most_early):
                continue
            block = opened.pending.popleft()
            (opened.early if early else opened.out).add(block)
            return Item(index, block, early=early)
        return None

    def _check(self) -> Item | None:
        """Return the first block of the first evaluation that is to be checked."""
        for index, opened in self._open.items():
            if opened.verdict is None:
                if opened.is_checking or not (opened.pending or opened.out or opened.early):
                    return None
                block = opened.next_check
                opened.is_checking = True
                recorded = block in opened.pending
                if recorded:
                    opened.pending.remove(block)
                opened.out.add(block)
                return Item(index, block, checks=True, recorded=recorded)
        return None

    def _before(self, evaluation: int) -> Verdict | None:
        earlier = [index for index in self._last_verdict if index < evaluation]
        return self._last_verdict[max(earlier)] if earlier else None

    def answered(self, item: Item, verdict: Verdict | None) -> Verdict | None:
        """Note that a block was answered; return the verdict if it is news."""
        opened = self._open.get(item.evaluation)
        if opened is None:
            return None
        (opened.early if item.early else opened.out).discard(item.block)
        if not item.checks or opened.verdict is not None:
            return None
        opened.is_checking = False
        opened.next_check = item.block + 1
        if verdict is None and opened.next_check >= opened.blocks:
            verdict = {}
        if verdict is not None:
            opened.verdict = self._last_verdict[item.evaluation] = verdict
        return verdict

    def give_back(self, item: Item) -> None:
        """Note that a block is not asked after all, through no fault of its own."""
        opened = self._open.get(item.evaluation)
        if opened is not None and item.early:
            opened.early.discard(item.block)
            opened.pending.appendleft(item.block)
        elif opened is not None:
            opened.out.discard(item.block)
            self._lost.append(item)

    def lost(self, item: Item) -> bool:
        """Note that a block's worker is gone; return whether it was once too often."""
        opened = self._open.get(item.evaluation)
        if opened is None:
            return False
        opened.losses[item.block] += 1
        if opened.losses[item.block] >= MOST_LOSSES:
            return True
        self.give_back(item)
        return False
