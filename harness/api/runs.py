"""Plan and run evaluations: :func:`harness.plan` and :func:`harness.run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, TypedDict, Unpack, cast

from harness.api.models import Found, ModelName, models_named
from harness.api.plugin_functions import function
from harness.api.results import RunResult
from harness.api.tasks import tasks_named
from harness.api.tracking import find_trackers, tracked
from harness.arguments import Device, Seed, Several, Threads, Within, Workers, checked, given
from harness.config.data import chosen_spec, unused
from harness.config.settings import Settings, load_settings
from harness.config.tasks import TaskName, include, installed_catalog, task_name
from harness.descriptors import Json
from harness.errors import PluginError, UserError
from harness.evaluation.methods import find_method
from harness.evaluation.model import ConfiguredModel, configure_model
from harness.evaluation.plan import Selection
from harness.evaluation.run import (
    Planned,
    Reporter,
    evaluate_here,
    plan_run,
    run_tasks,
    show_plan,
    task_options,
)
from harness.evaluation.run import RunResult as Outcome
from harness.evaluation.run_settings import RunSettings
from harness.evaluation.task import Task
from harness.events import Tracker
from harness.models import Runtime
from harness.models.devices import resolve_device
from harness.models.in_memory import ObjectModel
from harness.requests.reasoning import AUTO
from harness.specs.changes import MAX_SHOTS, Changes, writes
from harness.specs.prompt import lists_options
from harness.specs.variants import changing, check_found, left_out, variants_of
from harness.tables.known import listed
from harness.workers.contract import WorkOrder
from harness.workers.gpus import unused_gpus
from harness.workers.start import ExecutorPlan, find_workers

NOT_REUSED = "{!r} gives no identity: what it is asked now is neither reused nor continued later"


class NullReporter:
    """A reporter that shows nothing."""

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Ignore the plan."""

    def task(self, job: Planned) -> None:
        """Ignore the task."""

    def progress(self, samples: int) -> None:
        """Ignore progress."""

    def say(self, note: str) -> None:
        """Ignore a note."""


@checked
def load_task(
    name: TaskName,
    *,
    options: Mapping[str, Json] | None = None,
    data: Path | str | None = None,
    profile: str | None = None,
    settings: Settings | None = None,
) -> Task:
    """Return a task by id; its samples are read when they are iterated.

    Args:
        name: The task's id, the path of its spec, or the spec itself as a dictionary.
        options: Named options of the spec.
        data: Folder of its data; the profile's otherwise.
        profile: ``demo`` or ``full``.
        settings: Settings already read, instead of a profile.

    Raises:
        UserError: unknown task or option.
    """
    task = task_name(name)
    settings = settings or load_settings(profile=profile)
    if data is not None:
        settings = settings.with_data({task: Path(data)})
    return Task(chosen_spec(task, options or {}, settings), settings)


@checked
def find_model(
    name: str,
    *,
    options: Mapping[str, Json] | None = None,
    runtime: Runtime | None = None,
    profile: str | None = None,
    settings: Settings | None = None,
) -> ConfiguredModel:
    """Return a model by id; its weights are loaded when it first answers.

    Args:
        name: The model's id.
        options: Its options (``-o``).
        runtime: Device, dtype and batch size.
        profile: ``demo`` or ``full``.
        settings: Settings already read, instead of a profile.

    Raises:
        UserError: unknown model, option or preset.
    """
    settings = settings or load_settings(profile=profile)
    runtime = runtime or Runtime(cache=settings.cache / "features")
    return configure_model(name, options or {}, settings, runtime)


class RunOptions(TypedDict, total=False):
    """Options of a run: one key for each flag of ``harness run``.

    Attributes:
        options: The model's options (``-o``).
        spec_options: Named options of specs, as ``TASK.OPTION``.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        results: Folder of the records.
        limit: Evaluate at most this many samples per task, or with a number between 0 and 1 this
            share of them; the record is marked ``limited``.
        ids: Evaluate only these samples; a text may hold several, separated by commas.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16``, ``float16``.
        batch_size: Requests per forward pass; the model chooses when ``None``.
        deterministic: Write byte-equal records at any batch size.
        kv_budget: Maximum KV-cache memory, in bytes.
        threads: PyTorch threads on CPU; ``auto`` goes by the model's size and by what else runs.
            They wait without spinning, unless PyTorch was imported before.
        seed: Seed of all random numbers.
        variants: Also ask each task in other ways: ``paraphrases``, ``rotations=3``,
            ``shuffles=3`` (of options that a prompt lists), or about images shown otherwise, such
            as ``blur``, ``noise:1-5``, separated by commas.
        max_pixels: Images with more pixels are sample errors.
        max_errors: Fraction of samples that may error before ``failed`` says so.
        retry_errors: Evaluate blocks that hold a sample error again, sealed or not.
        again: Set finished evaluations aside and evaluate all of it anew.
        keep_prompts: Record each sample's prompt as it is sent.
        workers: Processes that open images ahead; a thread does when 0.
        on: Id of an executor that starts workers: ``processes``, ``ray``, ``slurm``; this process
            answers by itself when ``None``.
        executor_options: Its options (``-e``).
        checkpoint: Folder of a finished training, whose weights replace the model's own.
        method: Id of an inference-time method.
        method_options: Its options.
        shots: Show this many few-shot samples of the train split before each question.
        prompt: Ask by this template instead of the task's own.
        system: Template of the system turn.
        options_order: Send options in this order.
        max_new_tokens: Maximum tokens of a generated answer.
        temperature: Of written answers, from 0 to 2.
        track: Ids of trackers that hear of the run: ``wandb``, ``mlflow``, ``tensorboard``.
    """

    options: Mapping[str, Json] | None
    spec_options: Mapping[str, Json] | None
    data: Mapping[str, Path | str] | None
    profile: str | None
    results: Path | str | None
    limit: Annotated[int, Within(1)] | Annotated[float, Within(0, 1, above=True)] | None
    ids: str | Iterable[str] | None
    device: Device
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    batch_size: Several | None
    deterministic: bool
    kv_budget: Annotated[int | None, Within(1)]
    threads: Threads | Literal["auto"]
    seed: Seed
    variants: str
    max_pixels: Annotated[int, Within(1)]
    max_errors: Annotated[float, Within(0, 1)]
    retry_errors: bool
    again: bool
    keep_prompts: bool
    workers: Workers
    on: str | None
    executor_options: Mapping[str, Json] | None
    checkpoint: Path | str | None
    method: str | None
    method_options: Mapping[str, Json] | None
    shots: Annotated[int, Within(0, MAX_SHOTS)] | None
    prompt: str | None
    system: str | None
    options_order: Literal["listed", "sorted"] | None
    max_new_tokens: Annotated[int, Within(1, 8192)] | None
    temperature: Annotated[float, Within(0, 2)] | None
    track: str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that is planned but not begun: names are checked, no weight is loaded.

    Attributes:
        model: The model, configured.
        evaluations: One for each task and variant, with its state.
        settings: Settings that all of them share.
        workers: Starts the workers that answer; this process does when ``None``.
        others: Plans of further models on the same tasks.
        trackers: Receive the events of the run, by id.
    """

    model: ConfiguredModel
    evaluations: Sequence[Planned]
    settings: RunSettings
    workers: ExecutorPlan | None = None
    others: Sequence[Plan] = ()
    trackers: Mapping[str, Tracker] = field(default_factory=dict)

    @property
    def of_all_models(self) -> list[Planned]:
        """The evaluations of all models."""
        return [*self.evaluations, *(item for plan in self.others for item in plan.of_all_models)]

    def show(self, reporter: Reporter) -> None:
        """Tell a reporter the plan, what is not in it, and what of the request has no effect."""
        show_plan(self.model, self.evaluations, reporter)
        for note in self.settings.notes:
            reporter.say(note)
        if self.workers is None and (hint := unused_gpus(self.model)):
            reporter.say(hint)
        for other in self.others:
            other.show(reporter)

    def run(self, reporter: Reporter | None = None) -> RunResult:
        """Evaluate what is not sealed yet, one model after the other.

        Args:
            reporter: Told of the plan and of progress.

        Raises:
            PluginError: a plugin's fault, when it left no task.
        """
        reporter = reporter or NullReporter()
        for plan in (self, *self.others):
            _refuse_device(plan)
        with tracked(self.trackers, reporter.say):
            return self._run_all(reporter)

    def _run_all(self, reporter: Reporter) -> RunResult:
        results: list[Outcome] = []
        ended: dict[str, PluginError] = {}
        for plan in (replace(self, others=()), *self.others):
            try:
                results.append(plan.run_one_model(reporter))
            except PluginError as error:
                if not self.others:
                    raise
                again = sum(plan.model.descriptor.id in name for name in ended)
                number = f" ({again + 1})" if again else ""
                ended[f"all tasks of {plan.model.descriptor.id}{number}"] = error
        if not results:
            raise next(iter(ended.values()))
        settings = self.evaluations[0].job.plan.task.settings
        return replace(RunResult.joined(results, ended), settings=settings)

    def run_one_model(self, reporter: Reporter) -> Outcome:
        """Evaluate the first model alone.

        Raises:
            PluginError: a plugin's fault, when it left no task.
        """
        self.show(reporter)
        evaluate = evaluate_here if self.workers is None else self.workers.evaluate
        return run_tasks(self.model, self.evaluations, self.settings, reporter, evaluate)


def _refuse_device(plan: Plan) -> None:
    """Check, before anything is shown or written, that the device asked for is there.

    Raises:
        UserError: something is to be computed here, and it is not.
    """
    device, computes = plan.model.runtime.device, "torch" in plan.model.descriptor.requires
    unfinished = any(item.state != "done" for item in plan.evaluations)
    if plan.workers is None and computes and unfinished and device not in {"auto", "cpu"}:
        resolve_device(device)


@checked
def plan(
    model: ModelName | Iterable[ModelName],
    tasks: TaskName | Iterable[TaskName | Task] | Task,
    **options: Unpack[RunOptions],
) -> Plan:
    """Plan a run; :meth:`Plan.run` begins it.

    Args:
        model: A model's id, ``{"model": ID, "options": {...}}`` with options of its own, a
            descriptor, or an object with ``answer``, which :func:`harness.as_model` describes; or
            several of these. A text may hold several ids, separated by commas.
        tasks: Ids of tasks or groups, patterns such as ``fair*``, paths of specs, specs as
            dictionaries, or tasks; a text may hold several, separated by commas.
        options: See :class:`RunOptions`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    names, options = tasks_named(tasks, options)
    trackers = find_trackers(options.get("track") or ())
    plans = [_plan(found, names, terms) for found, terms in models_named(model, options)]
    return replace(plans[0], others=tuple(plans[1:]), trackers=trackers)


def _plan(model: Found, names: Sequence[str], options: RunOptions) -> Plan:
    """Return the plan of one model."""
    workers = None
    if options.get("on") is not None or options.get("executor_options"):
        named = model.descriptor.id if isinstance(model, ObjectModel) else model
        workers = find_workers(named if isinstance(named, str) else named.id, names, options)
    configured, found_tasks, run_settings = _configured(model, names, options)
    if workers is not None:
        workers.refuse(configured)
    return Plan(configured, plan_run(configured, found_tasks, run_settings), run_settings, workers)


def plan_for_worker(order: WorkOrder) -> tuple[ConfiguredModel, Sequence[Planned]]:
    """Plan what an order names, as a worker does: no weight is loaded and no record is read.

    Raises:
        UserError: whatever keeps this machine from planning it.
    """
    options = cast("RunOptions", {**order.options})
    include(order.include)
    for spec in order.specs:
        task_name(spec)
    configured, tasks, settings = _configured(order.model, order.tasks, options)
    by_name = {task.spec.name: task for task in tasks}
    if absent := [name for name in order.evaluations if name not in by_name]:
        raise UserError(f"task {absent[0]!r} is not planned here")
    wanted = [by_name[name] for name in order.evaluations]
    return configured, plan_run(configured, wanted, settings, look=False)


def _configured(
    model: Found, names: Sequence[str], options: RunOptions
) -> tuple[ConfiguredModel, list[Task], RunSettings]:
    """Return the model, the tasks with their variants, and the settings of a run."""
    settings = settings_for(options.get("profile"), options.get("results"), options.get("data"))
    ids = options.get("ids")
    if isinstance(ids, str):  # in a list they may hold commas
        ids = listed(ids)
    if ids is not None and not (ids := [*ids]):
        raise UserError("no sample is named by ids", fix="at least one id, or leave ids out")
    if ids is not None and options.get("limit") is not None:
        raise UserError("--limit and --ids both choose samples", fix="leave one of them out")
    selection = Selection(_whole(options.get("limit")), None if ids is None else frozenset(ids))
    run_settings = given(RunSettings, options, selection=selection, named=frozenset(names))
    runtime = replace(
        given(Runtime, options, cache=settings.cache / "features"), threads=run_settings.threads
    )
    folder = options.get("checkpoint")
    checkpoint = None if folder is None else function("open_trained")(Path(folder))
    method_id, method_options = options.get("method"), options.get("method_options") or {}
    if method_options and method_id is None:
        raise UserError("options of a method are given, but no method", fix="--method ID")
    method = None if method_id is None else find_method(method_id, method_options)
    configured = configure_model(
        model, options.get("options") or {}, settings, runtime, checkpoint, method=method
    )
    names = installed_catalog().expand(names)
    spec_options = task_options(options.get("spec_options") or {}, names)
    changes, ignored = given(Changes, options).read_by(configured.descriptor)
    specs = changes.apply(chosen_spec(name, spec_options.get(name, {}), settings) for name in names)
    notes = (*configured.unused_flags(), *ignored, *unused(options.get("data") or {}, specs),
             *changes.without_effect(specs))  # fmt: skip
    if configured.reasoning != AUTO and not all(map(writes, specs)):
        notes += ("-o reasoning changes no choice here but those that are answered in words",)
    if isinstance(model, ObjectModel) and model.identity is None:
        notes += (NOT_REUSED.format(configured.descriptor.id),)
    variants, same = changing(options.get("variants") or "", configured.descriptor)
    run_settings = replace(run_settings, notes=(*notes, *same, *left_out(variants, specs)))
    variant_specs = [
        variant
        for spec in specs
        for variant in (spec, *variants_of(spec, variants, lists_options=lists_options(spec)))
    ]
    check_found(variants, variant_specs)
    return configured, [Task(spec, settings) for spec in variant_specs], run_settings


@checked
def run(
    model: ModelName | Iterable[ModelName],
    tasks: TaskName | Iterable[TaskName | Task] | Task,
    *,
    reporter: Reporter | None = None,
    **options: Unpack[RunOptions],
) -> RunResult:
    """Evaluate a model on tasks; what is sealed already is not computed again.

    Args:
        model: See :func:`plan`.
        tasks: See :func:`plan`.
        reporter: Told of the plan and of progress.
        options: See :class:`RunOptions`.

    Raises:
        UserError: whatever is wrong with the request; nothing is computed then.
    """
    return plan(model, tasks, **options).run(reporter)


def _whole(limit: float | None) -> float | None:
    """Return a number of samples, or a share as it is.

    Raises:
        UserError: 1.0, which may mean one sample as well as all.
    """
    if isinstance(limit, float) and limit >= 1:
        raise UserError(
            f"limit of run() is {limit}: neither a whole number nor a share below 1",
            fix="1 for one sample, no limit for all",
        )
    return limit


def settings_for(
    profile: str | None, results: Path | str | None, data: Mapping[str, Path | str] | None
) -> Settings:
    """Return the settings, with arguments of a call above files and environment."""
    return load_settings(
        profile=profile,
        results=None if results is None else Path(results),
        data=None if data is None else {name: Path(path) for name, path in data.items()},
    )
