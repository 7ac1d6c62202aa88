"""A run: one model on a list of tasks, planned first, then one evaluation after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol, Self

from harness._version import __version__
from harness.descriptors import Json
from harness.errors import CannotAnswer, PluginError, UserError, flat, show_traceback
from harness.evaluation.exchanged import refuse_exchanged
from harness.evaluation.execute import execute
from harness.evaluation.few_shot import choose_shots, open_shots
from harness.evaluation.model import ConfiguredModel
from harness.evaluation.plan import plan_task
from harness.evaluation.requests import RequestMaker
from harness.evaluation.run_settings import RunSettings
from harness.evaluation.score import needs_size
from harness.evaluation.task import Task
from harness.evaluation.writer import Job, stands
from harness.events import RunFinished, RunStarted, TaskFinished
from harness.jsonfiles import read_object
from harness.packages import versions
from harness.plugins import find, plugins
from harness.progress import in_bytes
from harness.runs.journal import Journal
from harness.runs.read import read_evaluation
from harness.runs.record import ASKED, EvaluationRecord, MetricValue
from harness.runs.sample_record import SampleRecord, read_samples
from harness.runs.seal import is_sealed, write_json
from harness.runs.superseded import changes, finished, older
from harness.samples.images import open_image
from harness.specs import fingerprint
from harness.tables.table import Table


class Reporter(Protocol):
    """Who watches a run: a progress display, or nobody."""

    def planned(self, jobs: Sequence[Planned]) -> None:
        """The plan is made; nothing is computed yet."""
        ...

    def task(self, job: Planned) -> None:
        """A task begins."""

    def progress(self, samples: int) -> None:
        """``samples`` more samples are on disk."""

    def say(self, note: str) -> None:
        """The user should know ``note``."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One evaluation.

    Attributes:
        state: ``done``, ``to do``, ``continues``, ``asks again`` or ``retries ...``.
        changed: What changed since evaluations that this one takes the place of.
        lacks_prompts: Prompts are to be kept, and those of samples answered before were not.
        drops_prompts: They were kept before, and are not of what is asked now.
    """

    job: Job
    state: str
    journaled: int
    speed: float | None
    changed: tuple[str, ...] = ()
    lacks_prompts: bool = False
    drops_prompts: bool = False

    @property
    def seconds(self) -> float | None:
        """Estimated time left, from the last time this model answered this task."""
        if self.state == "done":
            return 0.0
        return None if not self.speed else (self.job.plan.samples - self.journaled) / self.speed


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run left.

    Attributes:
        failed: One line for each check that failed.
        ended: Tasks that a plugin's fault ended, with the fault. What was answered of them is
            kept, and the same command continues.
        manifests: One for each model that left anything.
    """

    manifest: Path
    records: tuple[EvaluationRecord, ...] = field(repr=False)
    failed: tuple[str, ...]
    ended: Mapping[str, PluginError] = field(default_factory=dict)
    manifests: tuple[Path, ...] = ()

    @classmethod
    def joined(cls, results: Sequence[RunResult], ended: Mapping[str, PluginError]) -> Self:
        """Return what the runs of several models left as one.

        Args:
            results: One for each model that left anything.
            ended: Faults of models that left nothing.
        """
        has_several = len(results) + len(ended) > 1
        faults = {
            f"{result.records[0].model}: {task}" if has_several else task: error
            for result in results
            for task, error in result.ended.items()
        }
        return cls(
            results[0].manifest,
            tuple(record for result in results for record in result.records),
            tuple(
                f"{result.records[0].model}: {line}" if has_several else line
                for result in results
                for line in result.failed
            ),
            {**faults, **ended},
            tuple(result.manifest for result in results),
        )

    def samples(self) -> Iterator[SampleRecord]:
        """Yield the record of each sample, evaluation by evaluation."""
        for record in self.records:
            yield from read_samples(record.directory)

    @property
    def metrics(self) -> dict[str, dict[str, MetricValue]]:
        """Value and interval of each metric by its id, by task; a variant's task bears its name.

        Raises:
            UserError: several models answered a task, so that its name would mean one of them.
        """
        by_task: dict[str, dict[str, MetricValue]] = {}
        for record in self.records:
            name = _with_variant(record)
            if name in by_task:
                raise UserError(
                    f"several models answered {name!r}, and metrics go by task",
                    fix=".records has one record of each model and task, with its metrics",
                )
            by_task[name] = {metric.id: metric for metric in record.metrics}
        return by_task

    def table(self) -> Table:
        """Return the table that ``harness run`` prints."""
        from harness.tables.build import build_table

        return build_table(list(self.records))

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for each sample.

        Raises:
            PluginError: pandas is not installed.
        """
        from harness.tables.frames import sample_rows, to_pandas

        return to_pandas(sample_rows(self.records))

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame`` with a row for each sample.

        Raises:
            PluginError: polars is not installed.
        """
        from harness.tables.frames import sample_rows, to_polars

        return to_polars(sample_rows(self.records))

    def _repr_html_(self) -> str | None:
        """Return the table as a notebook shows it."""
        return self.table()._repr_html_()

    def causes(self) -> list[tuple[PluginError, list[str]]]:
        """Return each fault that ended tasks, with the tasks."""
        by_cause: dict[str, tuple[PluginError, list[str]]] = {}
        for task, error in self.ended.items():
            by_cause.setdefault(str(error), (error, []))[1].append(task)
        return list(by_cause.values())

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0, 1 when a check failed or a model ended a task, or 2."""
        return max([int(bool(self.failed)), *(held.exit_code for held in self.ended.values())])


def plan_run(
    subject: ConfiguredModel, tasks: Sequence[Task], terms: RunSettings, *, look: bool = True
) -> list[Planned]:
    """Plan every task; no weight is loaded.

    Args:
        subject: The model.
        tasks: What it is asked.
        terms: How.
        look: Whether to look at what is recorded already; a worker does not.

    Raises:
        UserError: the first thing that would keep a task from being evaluated.
    """
    planned: list[Planned] = []
    for task in tasks:
        try:
            subject.refuse(task.spec)
            job = _job(subject, task, terms)
            item = _state(job, subject, terms) if look else Planned(job, "to do", 0, None)
            if item.state != "done":
                subject.refuse_task(task)
        except CannotAnswer as error:
            if task.id in terms.named or len(tasks) == 1:
                raise
            subject.left_out[task.id] = error.message
        else:
            planned.append(item)
    if not planned:
        raise UserError(
            f"model {subject.descriptor.id!r} cannot answer any of these tasks: "
            f"{next(iter(subject.left_out.values()))}"
        )
    return planned


def show_plan(subject: ConfiguredModel, planned: Sequence[Planned], reporter: Reporter) -> None:
    """Tell a plan, and which tasks of a group are not in it."""
    reporter.planned(planned)
    unfinished = [item for item in planned if item.state != "done"]
    if unfinished and (size := subject.weight_bytes(unfinished[0].job.plan.task)) is not None:
        reporter.say(f"weights to load: {in_bytes(size)}")
    for line in _left_out(subject):
        reporter.say(line)
    for item in planned:
        for name, near in item.job.plan.empty_slices.items():
            reporter.say(
                f"{item.job.plan.task.spec.name}: no sample has the group {name!r}; {near}"
            )
    for name, tasks in _by_line(planned, lambda item: item.job.unused).items():
        reporter.say(f"-o {name} does not apply to {tasks}")
    for line, tasks in _by_line(planned, lambda item: item.changed).items():
        reporter.say(
            f"{line}: older evaluations of {tasks} are superseded and not used; "
            "harness results list"
        )
    if lacking := [item.job.plan.task.id for item in planned if item.lacks_prompts]:
        reporter.say(
            f"no prompts were kept when samples of {', '.join(lacking)} were answered, and these "
            "are not evaluated again; --again repeats all of them"
        )
    if dropping := [item.job.plan.task.id for item in planned if item.drops_prompts]:
        reporter.say(
            f"earlier samples of {', '.join(dropping)} kept their prompts, and new ones do not; "
            "--keep-prompts keeps them"
        )


def _by_line(
    planned: Sequence[Planned], lines: Callable[[Planned], Iterable[str]]
) -> dict[str, str]:
    """Return each line with the tasks that it is of."""
    tasks: dict[str, list[str]] = {}
    for item in planned:
        for line in lines(item):
            tasks.setdefault(line, []).append(item.job.plan.task.id)
    return {line: ", ".join(names) for line, names in tasks.items()}


def _left_out(subject: ConfiguredModel) -> list[str]:
    return [f"left out: {name}: {why}" for name, why in subject.left_out.items()]


Evaluate = Callable[
    [ConfiguredModel, Sequence[Planned], RunSettings, Reporter],
    tuple[list[EvaluationRecord], dict[str, PluginError]],
]
"""Computes what is missing of a plan; returns records and, by task, faults that ended it."""


def run_tasks(
    subject: ConfiguredModel,
    planned: Sequence[Planned],
    terms: RunSettings,
    reporter: Reporter,
    evaluate: Evaluate,
) -> RunResult:
    """Compute what is missing of a plan, write the manifest, and check error rates.

    A task that a plugin's fault ends leaves what was answered of it; the others go on.

    Raises:
        PluginError: such a fault, when it left no task.
    """
    names = tuple(item.job.plan.task.id for item in planned)
    results = planned[0].job.plan.task.settings.results
    tell(
        "harness_run_started",
        RunStarted(subject.descriptor.id, names, sum(item.job.plan.samples for item in planned)),
        reporter,
    )
    records, ended = evaluate(subject, planned, terms, reporter)
    manifest = _manifest(results, subject, planned, [*_left_out(subject), *terms.notes], reporter)
    event = RunFinished(manifest, tuple(record.directory for record in records))
    tell("harness_run_finished", event, reporter)
    if not records:
        raise next(iter(ended.values()))
    return RunResult(manifest, tuple(records), tuple(_failed(records, terms.max_errors)), ended)


def evaluate_here(
    subject: ConfiguredModel, planned: Sequence[Planned], terms: RunSettings, reporter: Reporter
) -> tuple[list[EvaluationRecord], dict[str, PluginError]]:
    """Compute what is missing of a plan in this process, one evaluation after the other."""
    records: list[EvaluationRecord] = []
    ended: dict[str, PluginError] = {}
    try:
        for item in planned:
            reporter.task(item)
            try:
                record = execute(
                    item.job,
                    partial(subject.answerer, item.job.plan.task),
                    reporter.progress,
                    reporter.say,
                    retry_errors=terms.retry_errors,
                )
            except PluginError as error:
                ended[item.job.plan.task.id] = ends_task(error)
                _close(subject, reporter)  # whatever state it was left in
                continue
            records.append(record)
            tell_finished(item, record, reporter)
    finally:
        _close(subject, reporter)
    return records, ended


def ends_task(error: PluginError) -> PluginError:
    """Return the fault that ended a task, which says that what was answered is kept."""
    show_traceback(error)
    consequence = "what was answered is kept, and the same command continues"
    error.fix = f"{error.fix}; {consequence}" if error.fix else consequence
    return error


def tell_finished(item: Planned, record: EvaluationRecord, reporter: Reporter) -> None:
    """Tell plugins that an evaluation is finished."""
    event = TaskFinished(record.task, record.directory, item.state != "done")
    tell("harness_task_finished", event, reporter)


def _close(subject: ConfiguredModel, reporter: Reporter) -> None:
    for problem in subject.close():
        reporter.say(problem)


def _job(subject: ConfiguredModel, task: Task, terms: RunSettings) -> Job:
    few_shot = choose_shots(task, terms.seed)
    plan = plan_task(task, terms.selection, [sample.id for sample in few_shot])
    model = subject.record(task)
    opens = subject.descriptor.sees_images or any(
        find("metric", metric.id, plugins().metrics()).needs_image_size
        for metric in task.spec.metrics
    )
    opens = needs_size(task.spec) or opens  # the extractor is made, whatever the model sees
    opening = partial(open_image, max_pixels=terms.max_pixels)
    shots = cache(lambda: open_shots(task, few_shot, images=opens, opening=opening))
    numbers: dict[str, Json] = {
        "seed": terms.seed,
        "max_pixels": terms.max_pixels,
        "deterministic": subject.runtime.deterministic,
    }
    if task.spec.asked:  # what nobody changed leaves every fingerprint as it was
        numbers[ASKED] = dict(task.spec.asked)
    digest = fingerprint(
        {"model": model["fingerprint"], "task": plan.fingerprint, "settings": numbers}
    )
    lineage = fingerprint({"model": model["lineage"], "task": plan.lineage, "settings": numbers})
    code = {**plan.code, **_code(model), **_code(model.get("training"))}
    results = task.settings.results
    directory = results / "evaluations" / task.id / f"{subject.descriptor.id}-{digest[:12]}"
    marks = {*plan.marks, *subject.marks}
    if subject.checkpoint is not None:
        marks |= subject.checkpoint.marks
        if subject.checkpoint.saw(task.spec.data.benchmark, plan.selection.of(task.samples())):
            marks.add("contaminated")
    if plan.limited:  # the fingerprints have its ids: by count or by share, it is one evaluation
        marks.add("limited")
        numbers[ASKED] = {**task.spec.asked, **terms.selection.named}
    return Job(
        plan=plan,
        directory=directory,
        fingerprint=digest,
        lineage=lineage,
        code=code,
        model=model,
        numbers=numbers,
        marks=tuple(sorted(marks)),
        versions=_versions(subject, task),
        asker=RequestMaker(
            task, opens, terms.seed, opening, shots, subject.reasoning, terms.keep_prompts
        ),
        unused=subject.unused(task),
        workers=terms.workers,
        again=terms.again,
    )


def _state(job: Job, subject: ConfiguredModel, terms: RunSettings) -> Planned:
    """Say what is there of an evaluation, and what newer code it takes the place of."""
    directory, plan = job.directory, job.plan
    speed = _speed(directory.parent, subject)
    if terms.again and stands(directory):
        dropping = is_sealed(directory) and _drops_prompts(job, read_samples(directory))
        return Planned(job, "asks again", 0, speed, drops_prompts=dropping)
    if is_sealed(directory):
        refuse_exchanged(plan.task, read_samples(directory))
        if terms.retry_errors and (errors := read_evaluation(directory).counts.errors):
            retries = "retries 1 error" if errors == 1 else f"retries {errors} errors"
            lacking = _lacks_prompts(job, read_samples(directory))
            dropping = _drops_prompts(job, read_samples(directory))
            return Planned(job, retries, 0, speed, lacks_prompts=lacking, drops_prompts=dropping)
        lacking = _lacks_prompts(job, read_samples(directory))
        return Planned(job, "done", plan.samples, None, lacks_prompts=lacking)
    done: frozenset[int] = frozenset()
    lacking = dropping = False
    if directory.is_dir():
        journal = Journal(directory, plan.blocks)
        done = journal.done
        refuse_exchanged(plan.task, chain.from_iterable(journal.blocks()))
        lacking = _lacks_prompts(job, chain.from_iterable(journal.blocks()))
        dropping = _drops_prompts(job, chain.from_iterable(journal.blocks()))
    journaled = sum(plan.blocks[index] for index in done)
    before = [
        (finished(path), about)
        for path, about in older(directory, subject.descriptor.id, job.lineage)
    ]
    changed: list[str] = []
    if before:
        since, about = max(before, key=itemgetter(0))
        changed = changes(about.get("code"), job.code, since)
    state = "continues" if done else "to do"
    return Planned(job, state, journaled, speed, tuple(changed), lacking, dropping)


def _lacks_prompts(job: Job, samples: Iterator[SampleRecord]) -> bool:
    """Whether prompts are to be kept, and there is a sample that was asked without."""
    return job.asker.keep_prompts and any(
        sample.prompt and sample.sent is None for sample in samples
    )


def _drops_prompts(job: Job, samples: Iterator[SampleRecord]) -> bool:
    """Whether a prompt was kept with the first that was asked, and none is to be kept now."""
    has_prompt = (sample.sent is not None for sample in samples if sample.prompt)
    return not job.asker.keep_prompts and next(has_prompt, False)


def _code(about: Json) -> dict[str, Json]:
    """Return the code that a model or a training says it is by."""
    code = about.get("code") if isinstance(about, dict) else None
    return code if isinstance(code, dict) else {}


def _versions(subject: ConfiguredModel, task: Task) -> dict[str, Json]:
    recorded: dict[str, Json] = {
        "social-harness": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "model plugin": plugins().distribution_of(subject.descriptor),
        "reader plugin": plugins().distribution_of(
            find("reader", task.spec.data.reader, plugins().readers())
        ),
    }
    if subject.method is not None:
        recorded["method plugin"] = plugins().distribution_of(subject.method.descriptor)
    return recorded | versions("numpy", "pillow", "scipy", *_imported_by(subject))


def _imported_by(subject: ConfiguredModel) -> tuple[str, ...]:
    heavy = ("torch", "transformers", "peft", "open_clip_torch")
    return heavy if subject.descriptor.requires else ()


def _speed(folder: Path, subject: ConfiguredModel) -> float | None:
    """Return samples a second of this model's newest finished evaluation of the task."""
    clocks = sorted(folder.glob(f"{subject.descriptor.id}-*/timings.json"))
    for path in sorted(clocks, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            speed = read_object(path).get("samples_per_second")
        except UserError:
            continue
        if isinstance(speed, int | float) and speed > 0:
            return float(speed)
    return None


def tell(hook: str, event: object, reporter: Reporter) -> None:
    """Tell plugins of an event, and the reporter who failed to hear it."""
    if problem := plugins().notify(hook, event):
        reporter.say(problem)


def _manifest(
    results: Path,
    subject: ConfiguredModel,
    planned: Sequence[Planned],
    notes: Sequence[str],
    reporter: Reporter,
) -> Path:
    """Write the run's manifest, unless it is there; an archive that is only read may lack it."""
    evaluations = [item.job.directory.relative_to(results).as_posix() for item in planned]
    body: dict[str, Any] = {
        "format": 1,
        "model": subject.descriptor.id,
        "tasks": [item.job.plan.task.id for item in planned],
        "evaluations": evaluations,
        **({"notes": [*notes]} if notes else {}),
    }
    path = results / "runs" / f"{subject.descriptor.id}-{fingerprint(body)[:12]}.json"
    if path.is_file():  # its name is its content's
        return path
    try:
        write_json(path, body)
    except UserError as error:
        reason = flat(str(error))
        reporter.say(f"the evaluations were written, but the run's manifest was not: {reason}")
    return path


def _failed(records: Sequence[EvaluationRecord], threshold: float) -> list[str]:
    return [
        f"{_with_variant(record)}: {record.counts.errors} of {record.counts.samples} samples "
        f"errored, more than {threshold:.1%} (--max-errors); {_first_error(record)}"
        for record in records
        if record.counts.errors > threshold * record.counts.samples
    ]


def _with_variant(record: EvaluationRecord) -> str:
    return f"{record.task}, {record.variant}" if record.variant else record.task


def _first_error(record: EvaluationRecord) -> str:
    for sample in read_samples(record.directory):
        if sample.error is not None:
            return flat(f"the first is {sample.id}: {sample.error.message}")
    return ""


def task_options(pairs: Mapping[str, Json], tasks: Sequence[str]) -> dict[str, dict[str, Json]]:
    """Sort ``TASK.OPTION`` names by task.

    Raises:
        UserError: for a name without a dot, or a task that is not in the run.
    """
    sorted_by_task: dict[str, dict[str, Json]] = {}
    for name, value in pairs.items():
        task, dot, option = name.partition(".")
        if not dot or task not in tasks:
            raise UserError(
                f"{name!r} is not TASK.OPTION of a task in this run",
                fix=f"tasks of this run: {', '.join(tasks)}",
            )
        sorted_by_task.setdefault(task, {})[option] = value
    return sorted_by_task
