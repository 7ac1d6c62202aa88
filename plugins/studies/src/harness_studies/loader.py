"""Read a study's file: checked against the schema and against what is installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

from harness.config.tasks import installed_catalog, is_path, task_name
from harness.descriptors import parse_options
from harness.errors import UserError, unknown
from harness.evaluation.run import task_options
from harness.plugins import missing, plugins
from harness.resources import home_path
from harness.specs.catalog import Catalog
from harness.specs.schema import schema_problems
from harness.specs.yaml_loader import Document, Path_
from harness.tables.layout import load_layout
from harness_training.pool import OWN

from harness_studies.files import open_study
from harness_studies.study import (
    Comparison,
    Study,
    StudyData,
    StudyModel,
    StudyRecipe,
    StudyTask,
    Transfer,
    trials_of,
)

SCHEMA = ("harness_studies", "study.schema.json")


def load_study(study: str | Document) -> Study:
    """Return a study by the path of its file, by the id of a shipped one, or of an open file.

    Raises:
        UserError: at ``file:line:column``: no such study, one that is not valid, or that names a
            model, recipe, method, task or option that is not there.
    """
    document = open_study(study) if isinstance(study, str) else study
    problems = schema_problems(document, SCHEMA)
    if problems:
        raise problems[0]
    return _Reader(document).study()


class _Reader:
    """Turns a checked document into a study; every name is looked up."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._raw: Any = document.data
        self._catalog: Catalog = installed_catalog()

    def study(self) -> Study:
        raw = self._raw
        data = tuple(self._data(at, held) for at, held in enumerate(raw.get("data", ())))
        study = Study(
            id=raw["study"],
            title=raw["title"],
            note=raw.get("note", ""),
            profile=raw.get("profile"),
            models=tuple(self._model(at, held) for at, held in enumerate(raw["models"])),
            data=data,
            recipes=tuple(self._recipe(at, held, data) for at, held in enumerate(raw["recipes"])),
            seeds=tuple(raw.get("seeds", (0,))),
            tasks=tuple(
                task for at, held in enumerate(raw["tasks"]) for task in self._tasks(at, held)
            ),
            training=raw.get("training", {}),
            evaluation=raw.get("evaluation", {}),
            layout=raw.get("layout", ""),
            interval=raw.get("interval", "brackets"),
            human_share=raw.get("human_share", False),
            transfer=Transfer(**raw["transfer"]) if "transfer" in raw else None,
            compare=tuple(Comparison(**held) for held in raw.get("compare", ())),
            environment=raw.get("environment", {}),
            text="" if self._document.path is None else self._document.path.read_text("utf-8"),
        )
        self._check(study)
        return study

    def _model(self, at: int, entry: Mapping[str, Any]) -> StudyModel:
        name, path = entry["model"], ("models", at, "model")
        descriptor = self._find("model", name, plugins().models(), path)
        options = dict(entry.get("options", {}))
        preset = options.pop("preset", None)
        if preset is not None and str(preset) not in descriptor.presets:
            where = self._document.where(("models", at, "options", "preset"))
            raise unknown(f"preset of model {name!r}", str(preset), descriptor.presets, where=where)
        self._options(descriptor, options, f"model {name!r}", ("models", at, "options"))
        return StudyModel(
            name,
            entry.get("label", name),
            entry.get("options", {}),
            entry.get("training", {}),
            tuple(entry.get("tasks", ())),
        )

    def _data(self, at: int, entry: Mapping[str, Any]) -> StudyData:
        tasks: dict[str, None] = {}
        for index, name in enumerate(entry["tasks"]):
            tasks.update(dict.fromkeys(self._expanded(name, ("data", at, "tasks", index))))
        for key in ("options", "paths"):
            for name in entry.get(key, {}):
                task = name.partition(".")[0]
                if task not in tasks:
                    where = self._document.where(("data", at, key, name), "key")
                    raise unknown("task of this data", task, tasks, where=where)
        by_task = task_options(entry.get("options", {}), list(tasks))
        for name, options in by_task.items():
            self._placed(partial(self._catalog.task, name, options), ("data", at, "options"))
        form = entry.get("form")
        self._forms(form, tasks, ("data", at, "form"))
        options, paths = entry.get("options", {}), entry.get("paths", {})
        return StudyData(entry["label"], tuple(tasks), options, form, paths)

    def _forms(self, form: str | None, tasks: Iterable[str], path: Path_) -> None:
        """Check that each of the tasks can be trained on in a form."""
        if not form:
            return
        for name in tasks:
            forms = (*self._catalog.task(name).training, OWN)
            if form not in forms:
                raise unknown(f"form of {name!r}", form, forms, where=self._document.where(path))

    def _recipe(
        self, at: int, entry: Mapping[str, Any], data: tuple[StudyData, ...]
    ) -> StudyRecipe:
        path: Path_ = ("recipes", at)
        labels = [one.label for one in data]
        if "recipe" in entry:
            name = entry["recipe"]
            descriptor = self._find("recipe", name, plugins().recipes(), (*path, "recipe"))
            owner = f"recipe {name!r}"
            self._options(descriptor, entry.get("options", {}), owner, (*path, "options"))
            if not data:
                raise UserError(
                    "the recipe trains, and the study names no data",
                    where=self._document.where(path),
                )
        else:
            trained = isinstance(entry.get("tasks", []), str)  # a list of tasks needs no training
            for key in ("options", "data", *(["tasks"] if trained else [])):
                if key in entry:
                    where = self._document.where((*path, key), "key")
                    raise UserError(f"{key!r} belongs to a recipe, and there is none", where=where)
        if "method" in entry:
            name = entry["method"]
            methods = plugins().answer_methods()
            method = self._find("answer method", name, methods, (*path, "method"))
            method_options = entry.get("method_options", {})
            self._options(
                method, method_options, f"answer method {name!r}", (*path, "method_options")
            )
        for index, label in enumerate(entry.get("data", ())):
            if label not in labels:
                where = self._document.where((*path, "data", index))
                raise unknown("label of data", label, labels, where=where)
        return StudyRecipe(
            label=entry["label"],
            recipe=entry.get("recipe", ""),
            options=entry.get("options", {}),
            method=entry.get("method", ""),
            method_options=entry.get("method_options", {}),
            data=tuple(entry.get("data", labels)) if "recipe" in entry else (),
            tasks=_asked_tasks(entry.get("tasks", "all")),
            models=tuple(entry.get("models", ())),
        )

    def _tasks(self, at: int, entry: Mapping[str, Any]) -> Iterator[StudyTask]:
        options = entry.get("options", {})
        for name in self._expanded(entry["task"], ("tasks", at, "task")):
            if options:  # a spec is read when the study is planned; its options belong to this file
                self._placed(partial(self._catalog.task, name, options), ("tasks", at))
            yield StudyTask(name, options)

    def _expanded(self, name: str, path: Path_) -> list[str]:
        """Return the tasks of an id, or of a path: beside the study, or as commands take it."""
        if is_path(name):
            study = self._document.path
            beside = home_path(name) if study is None else study.parent / home_path(name)
            name = task_name(beside if beside.exists() else home_path(name))
            self._catalog = installed_catalog()
        entries = {**self._catalog.entries, **self._catalog.group_entries}
        if name not in entries and name not in self._catalog.broken:
            raise missing("task or group", name, entries, where=self._document.where(path))
        return self._catalog.expand([name])

    def _find(self, kind: str, name: str, installed: Mapping[str, Any], path: Path_) -> Any:
        if name not in installed:
            raise missing(kind, name, installed, where=self._document.where(path))
        return installed[name]

    def _options(
        self, descriptor: Any, options: Mapping[str, Any], owner: str, path: Path_
    ) -> None:
        self._placed(lambda: parse_options(descriptor.options, options, owner=owner), path)

    def _placed(self, check: Callable[[], object], path: Path_) -> None:
        """Let what is wrong be said at its place in the file."""
        try:
            check()
        except UserError as error:
            message = error.message
            raise UserError(message, where=self._document.where(path), fix=error.fix) from None

    def _check_parts(self, study: Study) -> None:
        """Check that what models and recipes list of the study's models and tasks is there."""
        models = [model.label for model in study.models]
        tasks = list(dict.fromkeys(task.task for task in study.tasks))
        listed = [
            *((("models", at, "tasks"), one.tasks) for at, one in enumerate(study.models)),
            *((("recipes", at, "tasks"), one.tasks) for at, one in enumerate(study.recipes)),
            *((("recipes", at, "models"), one.models) for at, one in enumerate(study.recipes)),
        ]
        for path, names in listed:
            of, known_names = ("model", models) if path[2] == "models" else ("task", tasks)
            for index, name in enumerate(() if isinstance(names, str) else names):
                if name not in known_names:
                    where = self._document.where((*path, index))
                    raise unknown(f"{of} of this study", name, known_names, where=where)
        for at, model in enumerate(study.models):
            trials = [trial for trial in trials_of(study) if trial.model is model]
            own = "form" in model.training
            form_path = ("models", at, "training", "form") if own else ("training", "form")
            form = {**study.training, **model.training}.get("form")
            for trained in dict.fromkeys(trial.data.tasks for trial in trials if trial.data):
                self._forms(form, trained, form_path)
            if not any(trial.tasks for trial in trials):
                raise UserError(f"{model.label!r} has no row with a task",
                                where=self._document.where(("models", at)))  # fmt: skip
            empty = next((trial.row for trial in trials if not trial.tasks), "")
            if empty:
                raise UserError(f"the row {empty!r} has no task left",
                                where=self._document.where(("models", at)))  # fmt: skip

    def _check(self, study: Study) -> None:
        for key, labels in (
            ("models", [model.label for model in study.models]),
            ("data", [data.label for data in study.data]),
            ("recipes", [recipe.label for recipe in study.recipes]),
        ):
            twice = [label for label, count in Counter(labels).items() if count > 1]
            if twice:
                at = len(labels) - 1 - labels[::-1].index(twice[0])
                where = self._document.where((key, at))
                raise UserError(f"the label {twice[0]!r} is repeated", where=where)
        self._check_parts(study)
        if study.layout:
            self._placed(lambda: load_layout(study.layout), ("layout",))
        labels = [recipe.label for recipe in study.recipes]
        for at, pair in enumerate(study.compare):
            for key in ("row", "against"):
                if (label := getattr(pair, key)) not in labels:
                    where = self._document.where(("compare", at, key))
                    raise unknown("label of a recipe", label, labels, where=where)
        if study.transfer is not None:
            trained = [recipe.label for recipe in study.recipes if recipe.recipe]
            for key in ("alone", "joint"):
                label = getattr(study.transfer, key)
                if label not in trained:
                    where = self._document.where(("transfer", key))
                    raise unknown("label of a recipe that trains", label, trained, where=where)


def _asked_tasks(tasks: Any) -> Literal["all", "trained"] | tuple[str, ...]:
    if isinstance(tasks, str):
        return "trained" if tasks == "trained" else "all"
    return tuple(tasks)
