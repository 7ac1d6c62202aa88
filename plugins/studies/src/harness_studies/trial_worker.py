"""A worker whose blocks are trials of a study: it trains, evaluates, and says where that lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.api.runs import NullReporter
from harness.config.tasks import include
from harness.descriptors import Json
from harness.workers.contract import Answered, BlockRequest, Event, Hello, Ready, WorkOrder
from harness.workers.terms import with_device
from harness_training.run import NullTrainingReporter

from harness_studies.loader import load_study
from harness_studies.plan import Planner, TrialPlan
from harness_studies.run import run_trial


class TrialWorker:
    """Runs trials of an order one at a time.

    Args:
        name: As events call it.
        order: What is to be done; its options are ``study`` and ``results``.

    Raises:
        HarnessError: what keeps it from planning the study.
    """

    def __init__(self, name: str, order: WorkOrder) -> None:
        include(order.include)
        self.name = name
        self._study = load_study(str(order.options["study"]))
        self._results = Path(str(order.options["results"]))
        self._planner = Planner(self._study, self._results)
        self._plans = list(self._planner.plans())

    def hello(self) -> Hello:
        """Return what this worker is: how it plans each trial, its packages and its device."""
        return Hello(self.name, with_device(self._planner.terms(self._plans), "auto", torch=True))

    def load(self, request: BlockRequest) -> Iterator[Event]:  # noqa: ARG002  the contract
        """Load nothing: a trial does."""
        return iter(())

    def answer(self, request: BlockRequest) -> Iterator[Event]:
        """Run one trial; what fails of it is part of the answer."""
        yield Ready(self.name)
        plan = self._planner.plan_or_problem(self._plans[request.block].trial)  # as it is now
        notes = _Notes()
        outcome = run_trial(self._study, plan, self._results, notes)
        folders: list[Json] = [str(record.directory.absolute()) for record in outcome.records]
        yield Answered(
            self.name,
            request.evaluation,
            request.block,
            ({"folders": folders, "failed": list(outcome.failed)},),
            tuple(notes.said),
            seconds=outcome.seconds,
        )

    def close(self) -> None:
        """Free nothing: a trial does."""


class _Notes(NullReporter, NullTrainingReporter):
    """Keeps what a user should know of a trial."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, note: str) -> None:
        """Keep a note."""
        self.said.append(note)

    def trial(self, number: int, total: int, plan: TrialPlan) -> None:
        """Ignore that a trial begins: the coordinator knows."""

    def ended(self, plan: TrialPlan, problem: str) -> None:
        """Ignore that it ended."""
