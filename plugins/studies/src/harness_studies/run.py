"""Do what is missing of a study: train, evaluate, go on past what fails, write the tables."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import harness
from harness._version import __version__
from harness.errors import UserError
from harness.evaluation.run import Reporter
from harness.jsonfiles import read_object
from harness.runs.lock import writing
from harness.runs.record import EvaluationRecord
from harness.runs.seal import write_json
from harness.tables.table import Table
from harness_training.run import TrainingReporter

from harness_studies.compare import Gain, gain_table, gains_of
from harness_studies.plan import TrialPlan, asking, rounds, said, teaching
from harness_studies.study import Study, Trial
from harness_studies.tables import study_table, write_tables
from harness_studies.transfer import Transfer, transfer_table, transfers_of

RECORD = "study.json"
FORMAT = 1


class StudyReporter(Reporter, TrainingReporter, Protocol):
    """Watches a study, its trainings and its evaluations."""

    def trial(self, number: int, total: int, plan: TrialPlan) -> None:
        """Receive the start of a trial, the first being 1."""
        ...

    def ended(self, plan: TrialPlan, problem: str) -> None:
        """Receive its end, or why it failed."""
        ...


@dataclass(slots=True)
class Outcome:
    """The result of one trial.

    Attributes:
        records: Records of its evaluations.
        failed: One line for each thing that went wrong.
    """

    plan: TrialPlan
    records: list[EvaluationRecord] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def trial(self) -> Trial:
        """The trial."""
        return self.plan.trial


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The results of a study.

    Attributes:
        tables: The study's table, and that of transfer where it asks for one.
        files: What was written.
        failed: One line for each thing that went wrong.
    """

    outcomes: Sequence[Outcome]
    tables: Sequence[Table]
    files: Sequence[Path]
    failed: Sequence[str]


def run_study(  # noqa: PLR0913, PLR0917  what a study is run with
    study: Study,
    plans: Sequence[TrialPlan],
    out: Path,
    results: Path | None,
    reporter: StudyReporter,
    by_workers: Callable[[], list[Outcome]] | None = None,
) -> StudyResult:
    """Train and evaluate what is missing, then write tables and record into a folder.

    A trial that fails is reported and costs nothing else; the same command tries it again.

    Args:
        study: What is run.
        plans: Its trials.
        out: Folder of the tables.
        results: Folder of trainings and records.
        reporter: Receives the progress.
        by_workers: Has the trials run by others; this process runs one after the other otherwise.

    Raises:
        UserError: another process writes into the folder, or it is not this study's.
    """
    _refuse_other(study, out)
    with writing(out, "--out"):
        if not (out / RECORD).is_file():  # whose folder this is, should the command be stopped
            write_json(out / RECORD, {"format": FORMAT, "study": study.id, "trials": []})
        if by_workers is not None:
            return _written(study, by_workers(), out)
        outcomes = []
        for number, plan in enumerate(plans, 1):
            reporter.trial(number, len(plans), plan)
            outcome = run_trial(study, plan, results, reporter)
            reporter.ended(plan, "; ".join(outcome.failed))
            outcomes.append(outcome)
        return _written(study, outcomes, out)


def _refuse_other(study: Study, out: Path) -> None:
    names = {path.name for path in out.iterdir()} - {".lock"} if out.is_dir() else set()
    if not names:
        return
    try:
        name = read_object(out / RECORD)["study"]
    except (UserError, KeyError):
        name = None
    if name != study.id:
        problem = "is not a study's" if name is None else f"holds the study {name!r}"
        raise UserError(f"the folder {problem}", where=out, fix="--out with another folder")


def run_trial(
    study: Study, plan: TrialPlan, results: Path | None, reporter: StudyReporter
) -> Outcome:
    """Return a trial's result; an exception becomes one of its lines."""
    outcome = Outcome(plan)
    if plan.problem:
        outcome.failed.append(plan.problem)
        return outcome
    started = time.monotonic()
    try:
        _train(study, plan, reporter)
        for tasks in rounds(plan.trial.tasks):
            arguments = asking(study, plan.trial, tasks, results)
            if plan.folder is not None:
                arguments["checkpoint"] = plan.folder
            names = [task.task for task in tasks]
            result = harness.run(plan.trial.model.model, names, reporter=reporter, **arguments)
            outcome.records += result.records
            outcome.failed += result.failed
    except Exception as error:  # noqa: BLE001  a plugin's fault costs its own trial only
        outcome.failed.append(said(error))
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def _train(study: Study, plan: TrialPlan, reporter: StudyReporter) -> None:
    trial = plan.trial
    if trial.data is None or plan.training == "sealed":
        return
    assert plan.folder is not None
    arguments = {**teaching(study, trial), "settings": plan.settings, "reporter": reporter}
    plan.folder.parent.mkdir(parents=True, exist_ok=True)
    harness.train(
        trial.model.model, trial.recipe.recipe, trial.data.tasks, plan.folder, **arguments
    )


def _written(study: Study, outcomes: Sequence[Outcome], out: Path) -> StudyResult:
    failed = [f"{one.trial.name}: {line}" for one in outcomes for line in one.failed]
    tables: list[Table] = []
    files: list[Path] = []

    def write(table: Table, stem: str) -> None:
        tables.append(table)
        files.extend(write_tables(table, out, stem))

    def write_seeds(means: Sequence[Gain] | Sequence[Transfer], stem: str) -> None:
        files.append(out / f"{stem}_seeds.json")
        write_json(files[-1], [one.as_json() for one in means])

    evaluations = [(one.trial, record) for one in outcomes for record in one.records]
    if evaluations:
        write(study_table(study, evaluations, failed), "table")
        columns = tables[0].columns
        if gains := gains_of(study, evaluations, columns):
            write(gain_table(study, gains, columns), "compare")
            write_seeds(gains, "compare")
    if transfers := transfers_of(study, [(one.plan, one.records) for one in outcomes]):
        write(transfer_table(study, transfers), "transfer")
        write_seeds(transfers, "transfer")
    record = {
        "format": FORMAT,
        "study": study.id,
        "version": __version__,
        "trials": [_said(one) for one in outcomes],
    }
    write_json(out / RECORD, json.loads(json.dumps(record)))
    return StudyResult(outcomes, tables, [*files, out / RECORD], failed)


def _said(outcome: Outcome) -> dict[str, Any]:
    plan, trial = outcome.plan, outcome.trial
    return {
        "row": trial.row,
        "model": trial.model.model,
        "recipe": trial.recipe.recipe,
        "method": trial.recipe.method,
        "data": "" if trial.data is None else trial.data.label,
        "seed": trial.seed,
        "training": "" if plan.folder is None else plan.folder.name,
        "samples": dict(plan.samples),
        "steps": plan.steps,
        "evaluations": {record.directory.name: record.task for record in outcome.records},
        "seconds": outcome.seconds,
        "failed": outcome.failed,
    }
