"""Trials of a study by the workers of an executor: each trains and evaluates a trial at a time.

Trials do not depend on each other; those that write into the same folders run one after another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.descriptors import Json
from harness.runs.read import read_evaluation
from harness.studies.kind import DEFAULT
from harness.workers.contract import (
    Answered,
    BlockRequest,
    Event,
    Hello,
    Lost,
    Raised,
    Ready,
    Refused,
    WorkOrder,
)
from harness.workers.crew import Starts, none_starts, none_takes_part
from harness.workers.messages import error_of
from harness.workers.queue import MOST_LOSSES
from harness.workers.start import FoundExecutor, here
from harness.workers.terms import Admission

from harness_studies.plan import Planner, TrialPlan
from harness_studies.run import Outcome, StudyWatcher, run_trial
from harness_studies.study import Study

_WAIT = 1.0  # seconds between looks at the workers


class TrialCoordinator:
    """Hands trials to workers, and takes what comes of them.

    Args:
        study: What is run.
        plans: Its trials.
        results: Folder of trainings and records, which all workers must see.
        found: Starts the workers.
        watcher: Told of trials that begin and end, and of workers.
    """

    def __init__(
        self,
        study: Study,
        plans: Sequence[TrialPlan],
        results: Path,
        found: FoundExecutor,
        watcher: StudyWatcher,
    ) -> None:
        self._study, self._plans, self._results = study, plans, results
        self._name, self._executor, self._watcher = found.descriptor.id, found.executor, watcher
        self._outcomes: dict[int, Outcome] = {}
        self._left: list[int] = []
        self._asked: dict[str, int | None] = {}
        self._losses: Counter[int] = Counter()
        self._starts = Starts()
        self._admission = Admission({})

    def run(self, source: str) -> list[Outcome]:
        """Return the outcome of each trial, in the order of the plans.

        A trial that fails is an outcome like any other; a lost worker costs its trial's unsaved
        steps, and another worker goes on with it.

        Args:
            source: Id or absolute path of the study's file, for workers.

        Raises:
            UserError: no worker can take part.
        """
        for at, plan in enumerate(self._plans):
            if plan.done or plan.problem:
                self._outcomes[at] = run_trial(self._study, plan, self._results, self._watcher)
            else:
                self._left.append(at)
        # The longest first: nothing that is long should begin when the others are done.
        self._left.sort(key=lambda at: -(self._plans[at].seconds or 0.0))
        if self._left:
            self._work(self._order(source))
        return [self._outcomes[at] for at in range(len(self._plans))]

    def _order(self, source: str) -> WorkOrder:
        terms = Planner(self._study, self._results).terms(self._plans)
        self._admission = Admission(terms)
        folder = self._results.absolute() / "studies" / self._study.id / "trials"
        return WorkOrder(
            model="",
            tasks=(),
            options={"study": source, "results": str(self._results.absolute())},
            evaluations=(self._study.id,),
            directories=(str(folder),),
            terms=terms,
            work=DEFAULT,
            **here(),
        )

    def _work(self, order: WorkOrder) -> None:
        try:
            self._executor.start(order)
            while len(self._outcomes) < len(self._plans):
                for event in self._executor.events(_WAIT):
                    self._hear(event)
                self._hand_out()
        finally:
            self._executor.close()

    def _hand_out(self) -> None:
        """Ask idle workers, each for a trial whose folders nobody writes into."""
        for worker, busy in self._asked.items():
            if busy is not None:
                continue
            written = {_writes(self._plans[at]) for at in self._asked.values() if at is not None}
            free = (at for at in self._left if _writes(self._plans[at]) not in written)
            if (at := next(free, None)) is None:
                return
            self._left.remove(at)
            self._asked[worker] = at
            number = f"[{at + 1}/{len(self._plans)}]"
            self._watcher.say(f"{number} {self._plans[at].trial.name}: worker {worker}")
            self._executor.ask(worker, BlockRequest(evaluation=0, block=at))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Hello):
            self._welcome(event)
        elif isinstance(event, Refused):
            self._refuse(event.worker, event.reason)
        elif isinstance(event, Lost):
            self._lose(event.worker, event.reason)
        elif event.worker not in self._asked:
            return
        elif isinstance(event, Ready):
            self._starts.ready()
        elif isinstance(event, Answered):
            self._take(event.worker, event)
        elif isinstance(event, Raised):
            raise error_of(event.error)

    def _welcome(self, event: Hello) -> None:
        why = self._admission.refusal(
            event.terms,
            lambda part: self._watcher.say(f"worker {event.worker} has another {part}"),
        )
        if why:
            self._executor.stop(event.worker)
            self._refuse(event.worker, why)
        else:
            self._asked[event.worker] = None

    def _refuse(self, worker: str, reason: str) -> None:
        self._watcher.say(f"worker {worker} is refused: {reason}")
        self._asked.pop(worker, None)
        if not self._asked and not self._executor.alive():
            raise none_takes_part(self._name, reason)

    def _lose(self, worker: str, reason: str) -> None:
        at = self._asked.pop(worker, None)
        self._watcher.say(f"worker {worker} is lost ({reason})")
        if at is None:
            if self._starts.failed() and not any(one is not None for one in self._asked.values()):
                raise none_starts(self._name, "had begun a trial", reason)
        else:
            self._losses[at] += 1
            if self._losses[at] < MOST_LOSSES:
                self._left.insert(0, at)
            else:
                why = f"{MOST_LOSSES} workers were lost with it; the last one: {reason}"
                self._end(at, Outcome(self._plans[at], failed=[why]))
        self._executor.replace(worker)

    def _take(self, worker: str, event: Answered) -> None:
        at, self._asked[worker] = self._asked[worker], None
        if at is None or at != event.block:
            return
        (told,) = event.records
        for note in event.notes:
            self._watcher.say(f"  {self._plans[at].trial.name}: {note}")
        outcome = Outcome(self._plans[at], seconds=event.seconds)
        outcome.records += [read_evaluation(Path(str(one))) for one in _listed(told, "folders")]
        outcome.failed += [str(line) for line in _listed(told, "failed")]
        self._end(at, outcome)

    def _end(self, at: int, outcome: Outcome) -> None:
        self._outcomes[at] = outcome
        name, left = outcome.trial.name, len(self._plans) - len(self._outcomes)
        how = f"failed: {'; '.join(outcome.failed)}" if outcome.failed else "done"
        self._watcher.say(f"  {name}: {how}, {outcome.seconds:.0f} s; {left} left")


def _writes(plan: TrialPlan) -> str:
    """Return what two trials must not do at once: a training's folder, or a model as it is."""
    if plan.folder is not None:
        return str(plan.folder)
    trial = plan.trial
    how = [trial.model.model, dict(trial.model.options)]
    return json.dumps([*how, trial.recipe.method, dict(trial.recipe.method_options)], default=str)


def _listed(told: Mapping[str, Json], name: str) -> Sequence[Json]:
    value = told.get(name)
    return value if isinstance(value, list) else []
