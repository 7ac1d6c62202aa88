"""The matrix kind of study: models x recipes x data x seeds x tasks, for ``harness study``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.settings import load_settings
from harness.progress import EachMinute
from harness.specs.yaml_loader import Document
from harness.studies.kind import Say, StudyPlan, StudyReport
from harness_training.figures import came_to
from harness_training.steps import EachMinuteSteps

from harness_studies.loader import load_study
from harness_studies.page import write_page
from harness_studies.plan import TrialPlan, plan_study
from harness_studies.run import Outcome, StudyResult, run_study
from harness_studies.study import Study

if TYPE_CHECKING:
    from harness.descriptors import Json
    from harness.evaluation.run import Planned
    from harness.workers.start import FoundExecutor


def load(document: Document) -> MatrixStudy:
    """Return the study of a file.

    Raises:
        UserError: as :func:`harness_studies.loader.load_study`.
    """
    return MatrixStudy(load_study(document))


class MatrixStudy:
    """A study that can be planned and run; see :class:`harness.studies.kind.LoadedStudy`."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._plans: list[TrialPlan] | None = None
        self.id, self.title, self.profile = study.id, study.title, study.profile

    def plan(self, results: Path | None) -> StudyPlan:
        """Return a row for each trial, and how long the missing ones may take."""
        self._plans = plans = plan_study(self._study, results)
        return StudyPlan(
            ("trial", "training", "evaluations", "estimate"),
            [_row(plan) for plan in plans],
            tuple(_notes(self._study, plans)),
            _problems(plans),
            [_plan_json(plan) for plan in plans],
        )

    def run(self, out: Path, results: Path | None, say: Say) -> StudyReport:
        """Train and evaluate what is missing; write the tables."""
        plans = self._plans or plan_study(self._study, results)
        return self._report(
            run_study(self._study, plans, out, results, _ConsoleReporter(say, plans))
        )

    def run_on(
        self, workers: FoundExecutor, source: str, out: Path, results: Path | None, say: Say
    ) -> StudyReport:
        """Do the same by workers, each a trial at a time."""
        from harness_studies.on_workers import TrialCoordinator

        plans = self._plans or plan_study(self._study, results)
        reporter = _ConsoleReporter(say, plans=())
        folder = load_settings(profile=self.profile, results=results).results

        def outcomes() -> list[Outcome]:
            return TrialCoordinator(self._study, plans, folder, workers, reporter).run(source)

        return self._report(run_study(self._study, plans, out, results, reporter, outcomes))

    def _report(self, result: StudyResult) -> StudyReport:
        return StudyReport(
            result.tables,
            result.files,
            result.failed,
            lambda path: write_page(self._study, result, path),
        )


def _row(plan: TrialPlan) -> tuple[str, ...]:
    training = str(plan.training)
    if plan.training and not plan.problem:
        training = f"{plan.training}, {plan.steps:,} steps"
    sealed = f"{plan.sealed} of {plan.evaluations} sealed"
    return (
        plan.trial.name,
        training or "none",
        sealed,
        "done" if plan.done else _clock(plan.seconds),
    )


def _problems(plans: Sequence[TrialPlan]) -> tuple[str, ...]:
    """Return each problem once, with the first trial that has it."""
    names: dict[str, list[str]] = {}
    for plan in plans:
        if plan.problem:
            names.setdefault(plan.problem, []).append(plan.trial.name)
    return tuple(
        f"{trials[0]}{f' and {len(trials) - 1} more' if len(trials) > 1 else ''}: {problem}"
        for problem, trials in names.items()
    )


def _notes(study: Study, plans: Sequence[TrialPlan]) -> Iterator[str]:
    missing = [plan for plan in plans if not plan.done and not plan.problem]
    if not missing:
        failing = any(plan.problem for plan in plans)
        yield "nothing that can be computed" if failing else "nothing left to compute"
        return
    estimates = [plan.seconds for plan in missing if plan.seconds is not None]
    times = [_clock(sum(estimates))] if estimates else []
    if unknown := len(missing) - len(estimates):
        times.append(f"{unknown} not known until one of the same model is done")
    yield f"{len(missing)} of {len(plans)} trials left: {'; '.join(times)}"
    if len(missing) > 1 and not unknown:
        workers = [number for number in (2, 4, 8) if number <= len(missing)]
        sums = ", ".join(_clock(_with_workers(estimates, number)) for number in workers)
        yield (
            f"trials are independent, the longest takes {_clock(max(estimates))}; by "
            f"{', '.join(map(str, workers))} workers (--on) all take about {sums}"
        )
    if study.transfer is not None:
        yield f"alone and joint are matched by {study.transfer.matched}"


def _with_workers(seconds: Sequence[float], workers: int) -> float:
    """Return how long trials take when each worker takes the longest that is left."""
    busy = [0.0] * workers
    for trial in sorted(seconds, reverse=True):
        busy[busy.index(min(busy))] += trial
    return max(busy)


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plan_json(plan: TrialPlan) -> dict[str, Any]:
    return {
        "trial": plan.trial.name,
        "row": plan.trial.row,
        "seed": plan.trial.seed,
        "training": plan.training,
        "folder": None if plan.folder is None else str(plan.folder),
        "samples": dict(plan.samples),
        "steps": plan.steps,
        "evaluations": plan.evaluations,
        "sealed": plan.sealed,
        "seconds": plan.seconds,
        "problem": plan.problem,
    }


class _ConsoleReporter:
    """Says a line for each trial, epoch and evaluation, and one a minute within them."""

    def __init__(self, say: Say, plans: Sequence[TrialPlan]) -> None:
        self.say = say
        self._left = [plan for plan in plans if not plan.done and not plan.problem]
        self._durations: list[float] = []
        self._started = time.monotonic()

    def trial(self, number: int, total: int, plan: TrialPlan) -> None:
        """Say which trial begins."""
        self._started = time.monotonic()
        self._steps = EachMinuteSteps(self.say, f"  {plan.trial.name}", plan.steps)
        self.say(f"[{number}/{total}] {plan.trial.name}")

    def ended(self, plan: TrialPlan, problem: str) -> None:
        """Say how a trial ended."""
        seconds = time.monotonic() - self._started
        if plan in self._left:
            self._left.remove(plan)
        if problem or plan.done:
            self.say(f"  failed: {problem}" if problem else "  nothing to do")
            return
        if plan.folder is not None:  # a trial without training says little about the others
            self._durations.append(seconds)
        line = f"  done in {_clock(seconds)}"
        if self._left and self._durations:
            left = _clock(len(self._left) * sum(self._durations) / len(self._durations))
            line += f"; {len(self._left)} left, about {left}"
        self.say(line)

    def step(self, figures: Mapping[str, float]) -> None:
        """Say once a minute how far the training is, and when memory made batches smaller."""
        self._steps.step(figures)
        if "micro_batch" in figures:
            self.say(f"  memory ran out: micro-batches of {figures['micro_batch']:.0f}")

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Say the figures of a finished epoch."""
        self._steps.epoch(number, figures)
        if "steps" in figures:
            self.say(f"  epoch {number + 1}: {came_to(figures)}")

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Ignore the plan: that of the study was printed."""

    def task(self, job: Planned) -> None:
        """Say which task begins, unless it is done."""
        name, total = job.job.plan.task.id, job.job.plan.samples
        self._samples = EachMinute(self.say, f"  {name}", total, "samples", done=job.journaled)
        if job.state != "done":
            self.say(f"  {name}: {total:,} samples")
            self._samples.reach(0)  # blocks of an earlier run are reported first

    def progress(self, samples: int) -> None:
        """Say once a minute how far the task is."""
        self._samples.advance(samples)
