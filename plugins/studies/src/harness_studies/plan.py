"""What of a study is sealed, what is missing, and how long that may take; no weight is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import harness
from harness.config.hub import is_hub_id
from harness.config.settings import load_settings
from harness.descriptors import Json
from harness.errors import HarnessError, UserError, error_text, flat
from harness.evaluation.run import Planned
from harness.jsonfiles import read_object
from harness.resources import home_path
from harness.specs import fingerprint
from harness.workers.terms import package_terms
from harness_training.plan import TrainingPlan
from harness_training.run import RECORD
from harness_training.settings import TrainingSettings, present_settings

from harness_studies.study import Study, StudyTask, Trial, trials_of

TRAININGS = "trainings"
_APART = (
    "limit",
    "train_parts",
    "lora",
    "form",
)  # keys beside the settings of a training

_FLAG = re.compile(r"--([a-z][a-z-]*)(?: (\S+)$)?")  # with the value that ends the line
_SPEED = "samples_per_second"

State = Literal["", "sealed", "continues", "to do"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """A trial with what is done of it.

    Attributes:
        folder: Folder of its training, ``None`` without one.
        training: State of the training.
        settings: Settings of the training.
        samples: In the pool of the training, by task.
        steps: Steps of the training.
        evaluations: How many there are.
        sealed: How many of them are done.
        seconds: Estimate of what is left, from trainings and evaluations of the same model that
            are done; ``None`` when there is none.
        problem: Why it cannot be had.
    """

    trial: Trial
    folder: Path | None = None
    training: State = ""
    settings: TrainingSettings | None = None
    samples: Mapping[str, int] = field(default_factory=dict)
    steps: int = 0
    evaluations: int = 0
    sealed: int = 0
    seconds: float | None = None
    problem: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to compute."""
        trained = self.training in {"", "sealed"}
        return not self.problem and trained and self.sealed == self.evaluations


def plan_study(study: Study, results: Path | None) -> list[TrialPlan]:
    """Plan every trial; one that cannot be had says why and hinders no other.

    Raises:
        UserError: the environment is not the one that the study declares.
    """
    for name, value in study.environment.items():
        if os.environ.get(name) != value:
            raise UserError(
                f"the study {study.id!r} asks for {name}={value} in the environment",
                fix=f"{name}={value} harness study ...",
            )
    return list(Planner(study, results).plans())


def said(error: Exception) -> str:
    """Return an error as one line, with its kind when it was not raised on purpose."""
    return flat(str(error) if isinstance(error, HarnessError) else error_text(error))


def teaching(study: Study, trial: Trial) -> dict[str, Any]:
    """Return the arguments of a trial's training, its settings among them.

    Raises:
        UserError: a batch that is no multiple of the micro-batch, or a path that is not there.
    """
    assert trial.data is not None
    assert trial.seed is not None
    for task, path in trial.data.paths.items():
        if not (is_hub_id(Path(path)) or home_path(path).exists()):
            raise UserError(
                f"the data that {task} is trained on do not exist",
                where=path,
                fix="create them first, as the study's note says, or give another folder "
                "under paths",
            )
    # Renamed first, so that a model's value overrides the study's however each is spelt.
    given_settings = {
        **present_settings(study.training),
        **present_settings(trial.model.training),
    }
    settings = TrainingSettings(
        seed=trial.seed,
        **{name: value for name, value in given_settings.items() if name not in _APART},
    )
    if settings.batch_size % min(settings.micro_batch, settings.batch_size):
        raise UserError(
            f"batch_size {settings.batch_size} is not a multiple of micro_batch "
            f"{settings.micro_batch}"
        )
    return {
        "options": trial.model.options,
        "recipe_options": trial.recipe.options,
        "spec_options": trial.data.options,
        "profile": study.profile,
        "settings": settings,
        "form": trial.data.form,
        "data": trial.data.paths,
        **{name: given_settings[name] for name in _APART if name in given_settings},
    }


def rounds(tasks: Sequence[StudyTask]) -> Iterator[list[StudyTask]]:
    """Yield tasks in groups that name each task once: one run has one choice of options a task."""
    left = list(tasks)
    while left:
        now: dict[str, StudyTask] = {}
        later = []
        for task in left:
            if task.task in now:
                later.append(task)
            else:
                now[task.task] = task
        yield list(now.values())
        left = later


def asking(
    study: Study, trial: Trial, tasks: Sequence[StudyTask], results: Path | None
) -> dict[str, Any]:
    """Return the arguments of a run of one round of tasks."""
    options: dict[str, Json] = {
        f"{task.task}.{name}": value for task in tasks for name, value in task.options.items()
    }
    method = trial.recipe.method
    return {
        "options": trial.model.options,
        "spec_options": options,
        "profile": study.profile,
        "results": results,
        **study.evaluation,
        **({"method": method, "method_options": trial.recipe.method_options} if method else {}),
    }


class Planner:
    """Plans trials; what several of them share is asked once."""

    def __init__(self, study: Study, results: Path | None) -> None:
        self._study = study
        self._results = results
        self._root = load_settings(profile=study.profile, results=results).results / TRAININGS
        self._plain: dict[tuple[str, str, str], list[Planned]] = {}
        self._joint: dict[tuple[str, int | None], int] = {}

    def plans(self) -> Iterator[TrialPlan]:
        """Yield the plan of each trial."""
        return map(self.plan_or_problem, trials_of(self._study))

    def plan_or_problem(self, trial: Trial) -> TrialPlan:
        """Plan one trial; what keeps it from being had becomes the plan's problem."""
        try:
            return self.plan(trial)
        except Exception as error:  # noqa: BLE001  a plugin's fault costs its own trials only
            return TrialPlan(trial=trial, evaluations=len(trial.tasks), problem=said(error))

    def terms(self, plans: Sequence[TrialPlan]) -> dict[str, Json]:
        """Return what a worker's plans must be equal in: data, prompts, models and packages.

        Evaluations are those of the models as they are; a trained one's follow from its training.
        """
        trials: dict[str, Json] = {}
        versions: Mapping[str, Json] = {}
        for at, plan in enumerate(plans, 1):
            if plan.problem:
                continue
            jobs = [one.job for one in self._evaluations(plan.trial)]
            parts: dict[str, Json] = {job.plan.task.id: job.fingerprint for job in jobs}
            training = "" if plan.folder is None else plan.folder.name
            versions = jobs[0].versions
            trials[f"{at} {plan.trial.name}"] = {
                "fingerprint": fingerprint([parts, training]),
                "task": parts,
                "settings": {"training": training},
                "blocks": 1,
            }
        return {"evaluations": trials, **package_terms(versions)}

    def plan(self, trial: Trial) -> TrialPlan:
        """Plan one trial.

        Raises:
            UserError: what keeps it from being trained or evaluated.
        """
        plain = self._evaluations(trial)
        if trial.data is None:
            return TrialPlan(
                trial=trial,
                evaluations=len(plain),
                sealed=sum(one.state == "done" for one in plain),
                seconds=_sum([one.seconds for one in plain]),
            )
        with _by_keys(trial):
            settings, planned = self.training(trial)
        folder = self._root / _folder_name(trial, planned.fingerprint)
        state: State = "continues" if folder.is_dir() else "to do"
        evaluations, lasting = plain, None
        if (folder / RECORD).is_file():
            state, lasting = "sealed", 0.0
            try:
                evaluations = self._evaluations(trial, folder)
            except UserError as error:
                fix = error.fix or f"if it is the training that is damaged, remove {folder}"
                raise UserError(error.message, where=error.where, fix=fix) from None
        elif (pace := _pace(self._root, trial.model.model)) is not None:
            lasting = pace * planned.steps
        samples: dict[str, int] = {}
        for example in planned.pool.examples:
            samples[example.task] = samples.get(example.task, 0) + 1
        return TrialPlan(
            trial=trial,
            folder=folder,
            training=state,
            settings=settings,
            samples=samples,
            steps=planned.steps,
            evaluations=len(evaluations),
            sealed=sum(one.state == "done" for one in evaluations) if state == "sealed" else 0,
            seconds=_sum([lasting, *map(_fresh if state != "sealed" else _left, evaluations)]),
        )

    def training(self, trial: Trial) -> tuple[TrainingSettings, TrainingPlan]:
        """Return a trial's settings and its training's plan, as long as the study declares."""
        arguments = teaching(self._study, trial)
        assert trial.data is not None
        planned = harness.plan_training(
            trial.model.model, trial.recipe.recipe, trial.data.tasks, **arguments
        )
        settings = planned.settings
        transfer = self._study.transfer
        if transfer is None or transfer.matched == "samples":
            return settings, planned
        if trial.recipe.label == transfer.joint:
            self._joint[trial.model.label, trial.seed] = planned.steps
        if trial.recipe.label != transfer.alone:
            return settings, planned
        settings = _as_long(settings, planned.steps, self._joint_steps(trial))
        planned = harness.plan_training(
            trial.model.model,
            trial.recipe.recipe,
            trial.data.tasks,
            **{**arguments, "settings": settings},
        )
        return settings, planned

    def _joint_steps(self, trial: Trial) -> int:
        key = trial.model.label, trial.seed
        if key not in self._joint:
            assert self._study.transfer is not None
            joint = next(
                trial
                for trial in trials_of(self._study)
                if trial.recipe.label == self._study.transfer.joint
                and (trial.model.label, trial.seed) == key
            )
            self.training(joint)
        return self._joint[key]

    def _evaluations(self, trial: Trial, checkpoint: Path | None = None) -> list[Planned]:
        """Return the evaluations of a trained model, or of the model as it is."""
        method = trial.recipe.label if trial.recipe.method else ""
        key = trial.model.label, method, repr(trial.tasks)
        if checkpoint is None and key in self._plain:
            return self._plain[key]
        evaluations: list[Planned] = []
        for tasks in rounds(trial.tasks):
            arguments = asking(self._study, trial, tasks, self._results)
            if checkpoint is not None:
                arguments["checkpoint"] = checkpoint
            names = [task.task for task in tasks]
            evaluations += harness.plan(trial.model.model, names, **arguments).evaluations
        if checkpoint is None:
            self._plain[key] = evaluations
        return evaluations


@contextmanager
def _by_keys(trial: Trial) -> Iterator[None]:
    """Name the keys of a study's file in errors that name the flags of ``harness train``."""
    try:
        yield
    except UserError as error:
        if not (error.where or "").startswith("--"):
            raise
        key = str(error.where)[2:].replace("-", "_")
        fix = _FLAG.sub(
            lambda flag: flag[1].replace("-", "_") + (f": {flag[2]}" if flag[2] else ""), error.fix
        )
        if key.startswith("lora_"):
            key = f"lora.{key.removeprefix('lora_')}"
            fix += f", or say lora: {{}} in the training of the model {trial.model.label!r}"
        raise UserError(error.message, where=f"training.{key}", fix=fix) from None


def _as_long(settings: TrainingSettings, steps: int, joint: int) -> TrainingSettings:
    """Return settings with as many whole epochs as come nearest to the joint training's steps."""
    return replace(settings, epochs=max(1, round(joint * settings.epochs / steps)))


def _folder_name(trial: Trial, fingerprint: str) -> str:
    return f"{trial.model.model}-{trial.recipe.recipe}-seed{trial.seed}-{fingerprint[:12]}"


def _left(planned: Planned) -> float | None:
    return planned.seconds


def _fresh(planned: Planned) -> float | None:
    """Return how long an evaluation takes from its beginning, whatever of another is done."""
    speed = planned.speed
    if planned.state == "done":
        try:
            speed = read_object(planned.job.directory / "timings.json")[_SPEED]
        except (UserError, KeyError):
            speed = None
    return planned.job.plan.samples / speed if speed else None


def _sum(parts: Sequence[float | None]) -> float | None:
    present = [part for part in parts if part is not None]
    return sum(present) if len(present) == len(parts) else None


def _pace(root: Path, model: str) -> float | None:
    """Return seconds a step of this model's newest finished training."""
    records = sorted(root.glob(f"{model}-*/{RECORD}"), key=lambda path: path.stat().st_mtime)
    for path in reversed(records):
        try:
            record = read_object(path)
            steps = sum(epoch["steps"] for epoch in record["epochs"])
            return float(record["seconds"]) / steps if steps else None
        except (UserError, ValueError, KeyError, TypeError):
            continue
    return None
