"""Mailboxes of any work: they lie in its results, and a worker alone does nothing but blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.workers.contract import WorkOrder

pytest.importorskip("harness_executor_slurm")
from harness_executor_slurm.mailbox import Outbox, new_mailbox
from harness_executor_slurm.mailbox_executor import MailboxExecutor
from harness_executor_slurm.mailbox_worker import _alone


class Queued(MailboxExecutor):
    """Jobs that never begin."""

    def submit(self, places: Sequence[int]) -> list[object]:
        return list(places)

    def ended(self, job: object) -> str:  # noqa: ARG002  the contract
        return ""

    def is_queued(self, job: object) -> bool:  # noqa: ARG002  the contract
        return True

    def cancel(self, job: object) -> None:
        """Nothing runs."""


def order_of(folder: Path, **options: str) -> WorkOrder:
    return WorkOrder(
        model="",
        tasks=(),
        options=dict(options),
        evaluations=("sets",),
        directories=(str(folder),),
        folder=str(folder),
        work="module:Worker",
    )


def test_a_mailbox_lies_in_the_results_of_its_work(tmp_path: Path) -> None:
    for order in (order_of(tmp_path), order_of(Path("/sets"), results=str(tmp_path))):
        executor = Queued(1, 10.0)
        executor.start(order)
        assert executor.mailbox.parent == tmp_path / "workers"
        executor.close()
        assert not (tmp_path / "workers").exists()


def test_a_worker_that_nobody_asks_has_no_share_of_other_work(tmp_path: Path) -> None:
    outbox = Outbox(new_mailbox(tmp_path, order_of(tmp_path)), 1)
    assert not list(_alone(outbox, 1))
