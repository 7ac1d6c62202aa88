"""Do what is missing of a study of degradation; every part is sealed, so the command continues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import harness
from harness.analysis.encoders import Encoder
from harness.analysis.results import Analysis
from harness.config.settings import Settings, load_settings
from harness.config.tasks import installed_catalog
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.runs.record import EvaluationRecord
from harness_analyses.encoders import find_encoder
from harness_analyses.gradients import GradientSettings
from harness_analyses.probe import ProbeSettings, run_probe
from harness_analyses.splits import Probed, read_task
from harness_training.run import RECORD, run_training
from harness_training.settings import TrainingSettings, present_settings
from harness_training.steps import EachMinuteSteps

from harness_social_degradation.study import BEFORE, DegradationStudy

_APART = ("limit", "train_parts")  # what a file says beside the settings of a training
_CONTINUED_PARTS = "vision_tower,connector,lora"
_VAL_SHARE = 0.2
_DEVICE = "device"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answered:
    """Evaluations after one training: on one tower, by one recipe, with one seed."""

    tower: str
    recipe: str
    seed: int
    records: Sequence[EvaluationRecord]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a study measured.

    Attributes:
        probes: By seed, of the tower before and all those after.
        gradients: By tower and seed.
    """

    probes: Mapping[int, Analysis]
    gradients: Mapping[tuple[str, int], Analysis]
    answered: Sequence[Answered]
    steps: Mapping[str, int]


def run_parts(study: DegradationStudy, results: Path | None, say: Say) -> Parts:
    """Train, probe, measure and evaluate whatever is missing.

    Raises:
        UserError: whatever is wrong with a part; the same command tries it again.
    """
    return _Runner(study, load_settings(profile=study.profile, results=results), say).run()


class _Runner:
    def __init__(self, study: DegradationStudy, settings: Settings, say: Say) -> None:
        self._study = study
        self._settings = settings
        self._say = say
        self._steps: dict[str, int] = {}

    def run(self) -> Parts:
        study = self._study
        towers = {
            (entry.label, seed): self._continued(entry.label, entry.tasks, entry.rate, seed)
            for entry in study.continued
            for seed in study.seeds
        }
        looked = {seed: self._probed(seed, towers) for seed in study.seeds}
        gradients: dict[tuple[str, int], Analysis] = {}
        answered: list[Answered] = []
        if study.transfer is not None:
            for seed in study.seeds:
                for label in (BEFORE, study.transfer.after):
                    joint = self._transfer(label, seed, towers.get((label, seed)), answered)
                    if study.transfer.gradients is not None:
                        gradients[label, seed] = self._gradients(label, seed, joint)
        return Parts(looked, gradients, answered, dict(self._steps))

    # --- trainings --------------------------------------------------------------------------------

    def _continued(self, label: str, tasks: Sequence[str], rate: float | None, seed: int) -> Path:
        settings = present_settings(self._study.training)
        if rate is not None:
            settings["learning_rate"] = rate
        settings.setdefault("train_parts", _CONTINUED_PARTS)
        return self._trained(label, "ft", tasks, seed, settings, None)

    def _trained(  # noqa: PLR0913, PLR0917  what a training is made of
        self,
        name: str,
        recipe: str,
        tasks: Sequence[str],
        seed: int,
        chosen: Mapping[str, Any],
        tower: Path | None,
    ) -> Path:
        chosen = present_settings(chosen)
        settings = TrainingSettings(
            seed=seed, **{key: value for key, value in chosen.items() if key not in _APART}
        )
        plan = harness.plan_training(
            self._study.model,
            recipe,
            list(tasks),
            options=self._study.options,
            profile=self._study.profile,
            settings=settings,
            tower=tower,
            **{key: chosen[key] for key in _APART if key in chosen},
        )
        stem = f"{self._study.model}-{recipe}-seed{seed}"
        folder = self._settings.results / "trainings" / f"{stem}-{plan.fingerprint[:12]}"
        self._steps[name] = plan.steps
        if not (folder / RECORD).is_file():
            self._say(f"train {name}, seed {seed}: {plan.steps} steps")
            folder.parent.mkdir(parents=True, exist_ok=True)
            reporter = EachMinuteSteps(self._say, name, plan.steps)
            run_training(plan, folder, reporter)
        return folder

    # --- probes -----------------------------------------------------------------------------------

    def _runtime(self) -> Runtime:
        device = str(self._study.training.get(_DEVICE, "auto"))
        return Runtime(device=device, cache=self._settings.cache / "features")

    def _probed(self, seed: int, towers: Mapping[tuple[str, int], Path]) -> Analysis:
        tasks = self._tasks
        encoders = [self._encoder(BEFORE, None, tasks[0][0])]
        encoders += [
            self._encoder(entry.label, towers[entry.label, seed], tasks[0][0])
            for entry in self._study.continued
        ]
        looked = self._study.probe
        settings = ProbeSettings(layers=looked.layers, pooling=looked.pooling, control=False)
        self._say(f"probe the towers of seed {seed}")
        return run_probe(
            encoders,
            [probed for _, probed in tasks],
            settings,
            results=self._settings.results,
            cache=self._settings.cache,
            say=lambda _: None,
        )

    @cached_property
    def _tasks(self) -> list[tuple[Task, Probed]]:
        catalog = installed_catalog()
        names = (*self._study.probe.tasks, *self._study.probe.controls)
        tasks = [Task(catalog.task(name, {}), self._settings) for name in names]
        limit = self._study.probe.limit
        return [(task, read_task(task, limit=limit, share=_VAL_SHARE, seed=0)) for task in tasks]

    def _encoder(self, label: str, folder: Path | None, task: Task) -> Encoder:
        trained = {} if folder is None else {"checkpoint": str(folder)}
        options = {**self._study.options, **trained}
        pairs = "".join(f",{key}={_text(value)}" for key, value in options.items())
        name = f"model:{self._study.model}{pairs}"
        return replace(find_encoder(name, self._settings, self._runtime(), task), name=label)

    # --- transfer and conflict --------------------------------------------------------------------

    def _transfer(
        self, label: str, seed: int, tower: Path | None, answered: list[Answered]
    ) -> Path:
        """Train jointly and one by one on a tower, evaluate, return the joint training."""
        settings = self._study.transfer
        assert settings is not None
        joint = self._trained(
            f"joint, tower {label}", "joint", settings.tasks, seed, settings.training, tower
        )
        answered.append(self._answered(label, "joint", seed, joint, settings.tasks))
        for task in settings.tasks:
            alone = self._trained(
                f"single {task}, tower {label}", "single", [task], seed, settings.training, tower
            )
            answered.append(self._answered(label, "single", seed, alone, [task]))
        return joint

    def _answered(
        self, label: str, recipe: str, seed: int, folder: Path, tasks: Sequence[str]
    ) -> Answered:
        assert self._study.transfer is not None
        self._say(f"evaluate {recipe} training, tower {label}, seed {seed}: {', '.join(tasks)}")
        result = harness.run(
            self._study.model,
            list(tasks),
            options=self._study.options,
            profile=self._study.profile,
            results=self._settings.results,
            limit=self._study.transfer.limit,
            checkpoint=folder,
            device=str(self._study.training.get(_DEVICE, "auto")),
        )
        if result.failed:
            raise UserError("; ".join(result.failed), fix="the same command tries it again")
        return Answered(label, recipe, seed, result.records)

    def _gradients(self, label: str, seed: int, joint: Path) -> Analysis:
        settings = self._study.transfer
        assert settings is not None
        assert settings.gradients is not None
        self._say(f"gradients, tower {label}, seed {seed}")
        return harness.gradients(
            self._study.model,
            ",".join(settings.tasks),
            settings=GradientSettings(**settings.gradients, seed=seed),
            options=self._study.options,
            checkpoint=joint,
            profile=self._study.profile,
            results=self._settings.results,
            device=str(self._study.training.get(_DEVICE, "auto")),
            say=lambda _: None,
        )


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
