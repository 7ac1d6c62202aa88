"""Plan and run trainings: :func:`harness.plan_training` and :func:`harness.train`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack

from harness.api.runs import settings_for
from harness.api.tracking import find_trackers, tracked
from harness.arguments import Within, checked
from harness.config.data import chosen_spec, unused
from harness.config.tasks import installed_catalog, task_names
from harness.descriptors import Json
from harness.evaluation.model import configure_model
from harness.evaluation.run import task_options
from harness.evaluation.task import Task
from harness.events import Tracker
from harness.models import Runtime, threads

from harness_training import estimate, processes
from harness_training.events import Telling, TrainingFinished, TrainingStarted
from harness_training.parts import LoraSettings
from harness_training.plan import TrainingPlan
from harness_training.plan import plan_training as plan_configured
from harness_training.run import (
    RECORD,
    NullTrainingReporter,
    TrainingReporter,
    is_done,
    run_training,
)
from harness_training.settings import TrainingSettings
from harness_training.together import request_of, train_together
from harness_training.validation import named_task


class TrainOptions(TypedDict, total=False):
    """Options of a training: one key for each group of flags of ``harness train``.

    Attributes:
        options: The model's options (``-o``).
        recipe_options: The recipe's (``-r``).
        spec_options: Named options of specs, as ``TASK.OPTION``.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        settings: Epochs, batch size, learning rate and so on.
        form: A task's form for training; the first by default.
        limit: Train on at most this many samples per task.
        train_parts: Parts that train: ``auto``, ``full`` or names separated by commas.
        lora: Shape of adapters, or a mapping of its ``rank``, ``alpha``, ``dropout``.
        tower: A training whose vision tower replaces the model's own.
        track: Ids of trackers that hear of the training: ``wandb``, ``mlflow``, ``tensorboard``.
    """

    options: Mapping[str, Json] | None
    recipe_options: Mapping[str, Json] | None
    spec_options: Mapping[str, Json] | None
    data: Mapping[str, Path | str] | None
    profile: str | None
    settings: TrainingSettings | None
    form: str | None
    limit: Annotated[int | None, Within(1)]
    train_parts: str
    lora: LoraSettings | Mapping[str, Json] | None
    tower: Path | str | None
    track: str | Iterable[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTraining(TrainingPlan):
    """A training plan that can be run.

    Attributes:
        trackers: Receive the events of the training, by id.
        request: What was asked for, as plain data, for processes that train together.
    """

    trackers: Mapping[str, Tracker] = field(default_factory=dict)
    request: Mapping[str, Json] = field(default_factory=dict)

    def is_first(self) -> bool:
        """Whether this process, of all that train together, is the one that prints and writes."""
        return processes.processes(self.settings.device).first

    def estimate(self, out: Path) -> estimate.Estimate | None:
        """Return what an earlier training of the kind says of sizes and time, if there is one."""
        return estimate.estimate(self, out)

    def run(self, out: Path, reporter: TrainingReporter | None = None) -> Path:
        """Train into a folder and return it; continues what was begun there.

        Raises:
            UserError: the folder holds another training.
        """
        heard = reporter or NullTrainingReporter()
        if self.settings.processes > processes.how_many():
            if not is_done(self, out):
                train_together(self.request, out, self.settings, heard)
            return out
        if not self.is_first():
            return run_training(self, out, heard)
        telling = Telling(heard)
        tasks = tuple(task.id for task in self.tasks)
        model, settings = self.subject.descriptor.id, self.settings.about()
        with tracked(self.trackers, heard.say):
            started = TrainingStarted(model, self.recipe.id, tasks, settings)
            telling.tell("harness_training_started", started)
            run_training(self, out, telling)
            telling.tell("harness_training_finished", TrainingFinished(out))
        return out


@checked
def plan_training(
    model: str, recipe: str, tasks: str | Iterable[str], **options: Unpack[TrainOptions]
) -> PlannedTraining:
    """Plan a training without loading a weight; arguments as for :func:`train`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    settings = options.get("settings") or TrainingSettings()
    with processes.processes(settings.device).first_before_others():
        return _plan(model, recipe, task_names(tasks), settings, options)


def _plan(
    model: str, recipe: str, tasks: list[str], settings: TrainingSettings, options: TrainOptions
) -> PlannedTraining:
    threads.wait_passively(if_busy=True)
    general = settings_for(options.get("profile"), None, options.get("data"))
    # 16 bits are too few for small steps: without autocast all weights are kept in float32.
    dtype = "float32" if settings.precision == "float32" else "auto"
    runtime = Runtime(device=settings.device, dtype=dtype, cache=general.cache / "features")
    configured = configure_model(model, options.get("options") or {}, general, runtime)
    names = installed_catalog().expand(tasks)
    validated = [named_task(settings.validate)[0]] if settings.validate else []
    spec_options = task_options(options.get("spec_options") or {}, [*names, *validated])
    by_name = {
        name: Task(chosen_spec(name, spec_options.get(name, {}), general), general)
        for name in (*names, *validated)
    }
    passed_on: dict[str, Any] = {
        name.removeprefix("train_"): options[name]
        for name in ("form", "limit", "train_parts", "lora", "tower")
        if options.get(name) is not None
    }
    plan = plan_configured(
        configured,
        [by_name[name] for name in names],
        recipe,
        options=options.get("recipe_options") or {},
        settings=settings,
        validated=by_name[validated[0]] if validated else None,
        **passed_on,
    )
    notes = unused(options.get("data") or {}, (task.spec for task in by_name.values()))
    values = {each.name: getattr(plan, each.name) for each in fields(plan)}
    values["notes"] = (*plan.notes, *notes)
    return PlannedTraining(
        **values,
        trackers=find_trackers(options.get("track") or ()),
        request=request_of(model, recipe, tasks, options),
    )


@checked
def train(
    model: str,
    recipe: str,
    tasks: str | Iterable[str],
    out: Path | str,
    *,
    reporter: TrainingReporter | None = None,
    **options: Unpack[TrainOptions],
) -> Path:
    """Train a model by a recipe and return the folder; continues what was begun there.

    Args:
        model: A model's id.
        recipe: A recipe's id.
        tasks: Tasks and groups on whose train splits the model is trained.
        out: Folder of the training.
        reporter: Receives steps and epochs.
        options: See :class:`TrainOptions`.

    Raises:
        UserError: whatever is wrong with the request, or the folder holds another training.
    """
    return plan_training(model, recipe, tasks, **options).run(Path(out), reporter)


def record_of(out: Path) -> str:
    """Return the record of a finished training, as JSON."""
    return (out / RECORD).read_text(encoding="utf-8")
