"""What a study is, as its file says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.descriptors import Json

Options = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class StudyModel:
    """A model; ``training`` holds settings that win over the study's.

    Attributes:
        tasks: The study's tasks that it is asked; empty for all.
    """

    model: str
    label: str
    options: Options = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyData:
    """What is trained on; ``options`` are named ``TASK.OPTION``, ``paths`` by task."""

    label: str
    tasks: tuple[str, ...]
    options: Options = field(default_factory=dict)
    form: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StudyRecipe:
    """A row of each model: trained by a recipe, answering by a method, both or neither.

    Attributes:
        data: Labels of what is trained on; empty without a recipe.
        tasks: Whether it is evaluated on all tasks, on those trained on, or on these.
        models: Labels of the models that have this row; empty for all.
    """

    label: str
    recipe: str = ""
    options: Options = field(default_factory=dict)
    method: str = ""
    method_options: Options = field(default_factory=dict)
    data: tuple[str, ...] = ()
    tasks: Literal["all", "trained"] | tuple[str, ...] = "all"
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyTask:
    """A task to evaluate, with options of its spec."""

    task: str
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Which rows are compared, and how long each trains; see ``study.schema.json``."""

    alone: str
    joint: str
    matched: Literal["samples", "steps"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two recipes, by label, that are compared seed by seed: ``row`` against ``against``."""

    row: str
    against: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A study; fields are those of ``study.schema.json``, groups of tasks made plain.

    Attributes:
        text: Its file as it was read.
    """

    id: str
    title: str
    note: str = ""
    profile: str | None = None
    models: tuple[StudyModel, ...]
    data: tuple[StudyData, ...] = ()
    recipes: tuple[StudyRecipe, ...]
    seeds: tuple[int, ...] = (0,)
    tasks: tuple[StudyTask, ...]
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    layout: str = ""
    interval: Literal["brackets", "half", "none"] = "brackets"
    human_share: bool = False
    transfer: Transfer | None = None
    compare: tuple[Comparison, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training with its evaluations, or the evaluations of a model as it is.

    Attributes:
        data: What is trained on, ``None`` without a recipe.
        seed: Seed of the training, ``None`` without one.
        tasks: What is evaluated.
        row: The table's row; trials that differ in their seed share it.
    """

    model: StudyModel
    recipe: StudyRecipe
    data: StudyData | None
    seed: int | None
    tasks: tuple[StudyTask, ...]
    row: str

    @property
    def name(self) -> str:
        """Row, data and seed, for people."""
        if self.data is None:
            return self.row
        data = f" ({self.data.label})"
        return f"{self.row}{'' if self.row.endswith(data) else data}, seed {self.seed}"


def trials_of(study: Study) -> list[Trial]:
    """Return the whole matrix, in the order of the table."""
    trials = []
    for model in study.models:
        for recipe in study.recipes:
            if recipe.models and model.label not in recipe.models:
                continue
            study_tasks = _asked(study, model, recipe)
            bare = f"{model.label} + {recipe.label}" if _changes(recipe) else model.label
            if not recipe.recipe:
                trials.append(Trial(model, recipe, None, None, study_tasks, bare))
                continue
            used = [data for data in study.data if data.label in recipe.data]
            for data in used:
                tasks = study_tasks
                if recipe.tasks == "trained":
                    tasks = tuple(task for task in tasks if task.task in data.tasks)
                apart = len(used) > 1 and recipe.tasks != "trained"
                row = f"{bare} ({data.label})" if apart else bare
                trials += [Trial(model, recipe, data, seed, tasks, row) for seed in study.seeds]
    return trials


def _asked(study: Study, model: StudyModel, recipe: StudyRecipe) -> tuple[StudyTask, ...]:
    listed = [
        names for names in (model.tasks, recipe.tasks) if names and not isinstance(names, str)
    ]
    return tuple(task for task in study.tasks if all(task.task in names for names in listed))


def _changes(recipe: StudyRecipe) -> bool:
    return bool(recipe.recipe or recipe.method)
