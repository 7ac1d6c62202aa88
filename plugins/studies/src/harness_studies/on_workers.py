"""Trials of a study by the workers of an executor: each trains and evaluates a trial at a time.

Trials do not depend on each other; those that write into the same folders run one after another.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from harness.descriptors import Json
from harness.runs.read import read_evaluation
from harness.workers.contract import Answered, WorkOrder
from harness.workers.start import FoundExecutor, here

from harness_studies.files import DEFAULT
from harness_studies.items import ItemCoordinator
from harness_studies.plan import Planner, TrialPlan
from harness_studies.run import Outcome, StudyReporter, run_trial
from harness_studies.study import Study


class TrialCoordinator:
    """Hands trials to workers, and takes what comes of them.

    Args:
        study: What is run.
        plans: Its trials.
        results: Folder of trainings and records, which all workers must see.
        found: Starts the workers.
        reporter: Told of trials that begin and end, and of workers.
    """

    def __init__(
        self,
        study: Study,
        plans: Sequence[TrialPlan],
        results: Path,
        executor: FoundExecutor,
        reporter: StudyReporter,
    ) -> None:
        self._study, self._plans, self._results = study, plans, results
        self._found, self._reporter = executor, reporter
        self._outcomes: dict[int, Outcome] = {}
        self.pending: list[int] = []

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
                self._outcomes[at] = run_trial(self._study, plan, self._results, self._reporter)
            else:
                self.pending.append(at)
        # The longest first: nothing that is long should begin when the others are done.
        self.pending.sort(key=lambda at: -(self._plans[at].seconds or 0.0))
        if self.pending:
            ItemCoordinator(self._found, self._order(source), self, self._reporter.say).run()
        return [self._outcomes[at] for at in range(len(self._plans))]

    def _order(self, source: str) -> WorkOrder:
        folder = self._results.absolute() / "studies" / self._study.id / "trials"
        return WorkOrder(
            model="",
            tasks=(),
            options={"study": source, "results": str(self._results.absolute())},
            evaluations=(self._study.id,),
            directories=(str(folder),),
            terms=Planner(self._study, self._results).terms(self._plans),
            work=DEFAULT,
            **here(),
        )

    def is_free(self, item: int, asked: Collection[int]) -> bool:
        """Whether nobody writes into a trial's folders now."""
        return _writes(self._plans[item]) not in {_writes(self._plans[at]) for at in asked}

    def begin(self, item: int, worker: str) -> None:
        """Say that a worker is asked for a trial."""
        number = f"[{item + 1}/{len(self._plans)}]"
        self._reporter.say(f"{number} {self._plans[item].trial.name}: worker {worker}")

    def take(self, item: int, event: Answered) -> None:
        """Read what a worker made of a trial."""
        (document,) = event.records
        for note in event.notes:
            self._reporter.say(f"  {self._plans[item].trial.name}: {note}")
        outcome = Outcome(self._plans[item], seconds=event.seconds)
        outcome.records += [read_evaluation(Path(str(one))) for one in _listed(document, "folders")]
        outcome.failed += [str(line) for line in _listed(document, "failed")]
        self._end(item, outcome)

    def give_up(self, item: int, why: str) -> None:
        """End a trial that cost several workers."""
        self._end(item, Outcome(self._plans[item], failed=[why]))

    def _end(self, at: int, outcome: Outcome) -> None:
        self._outcomes[at] = outcome
        name, left = outcome.trial.name, len(self._plans) - len(self._outcomes)
        how = f"failed: {'; '.join(outcome.failed)}" if outcome.failed else "done"
        self._reporter.say(f"  {name}: {how}, {outcome.seconds:.0f} s; {left} left")


def _writes(plan: TrialPlan) -> str:
    """Return what two trials must not do at once: a training's folder, or a model as it is."""
    if plan.folder is not None:
        return str(plan.folder)
    trial = plan.trial
    how = [trial.model.model, dict(trial.model.options)]
    return json.dumps([*how, trial.recipe.method, dict(trial.recipe.method_options)], default=str)


def _listed(document: Mapping[str, Json], name: str) -> Sequence[Json]:
    value = document.get(name)
    return value if isinstance(value, list) else []
