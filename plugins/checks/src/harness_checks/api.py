"""Check task specs and data: :func:`harness.validate` and :func:`harness.data_check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from harness.api.records import several
from harness.api.runs import settings_for
from harness.arguments import FORMER, Within, checked
from harness.config.data import given_path, refuse_unused
from harness.config.settings import load_settings
from harness.config.tasks import TaskName, installed_catalog, task_name
from harness.descriptors import Json
from harness.errors import HarnessError, UserError, nearest
from harness.evaluation.few_shot import choose_shots
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.task import Task
from harness.jsonfiles import refuse_missing
from harness.plugins import plugins
from harness.readers.guard import make_reader
from harness.specs.catalog import spec_files
from harness.specs.group import is_group
from harness.specs.loader import check, with_options
from harness.specs.prompt import Shot, build_turns, options_as_sent, render_answer
from harness.specs.yaml_loader import Document, read_yaml

from harness_checks.data_check import SplitReport, check_task
from harness_checks.references import reference_problems

FORMER["data_check"] = {"tick": "on_progress"}


@dataclass(frozen=True, slots=True)
class DataReport:
    """What was found in a task's data.

    Attributes:
        task: The task, whose data were found.
        splits: One report for each split that is there.
    """

    task: Task
    splits: Sequence[SplitReport]

    @property
    def broken(self) -> bool:
        """Whether anything is wrong in any split."""
        return any(report.problems for report in self.splits)


@checked
def data_check(
    task: TaskName,
    *,
    images: Annotated[int | None, Within(0)] = 200,
    options: Mapping[str, Json] | None = None,
    data: Mapping[str, Path | str] | None = None,
    profile: str | None = None,
    on_progress: Callable[[str, int, int | None], None] | None = None,
) -> DataReport:
    """Check a task's files, counts, ids, labels and images against its release.

    Args:
        task: The task's id, the path of its spec, or the spec itself as a dictionary.
        images: Open this many images per split, the same ones every time; ``None`` opens all.
        options: Named options of the spec.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        on_progress: Called with the step, how much of it is done, and the total.

    Raises:
        UserError: unknown task or option, or the data cannot be found at all.
    """
    name = task_name(task)
    spec = installed_catalog().task(name, options or {})
    refuse_unused(data or {}, spec)
    prepared = Task(spec, settings_for(profile, None, data))
    return DataReport(prepared, check_task(prepared, images, on_progress or (lambda *_: None)))


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found in files of task specs.

    Attributes:
        files: The files that were checked.
        problems: Every problem with its place, as ``file:line:column`` where it has one.
    """

    files: Sequence[Path]
    problems: Sequence[HarnessError]


@checked
def validate(paths: Path | str | Iterable[Path | str]) -> Validation:
    """Check task specs: schema, references between them, templates.

    Where the data lie beside the spec, or where the settings say, they are read as a run's plan
    reads them; elsewhere prompts are rendered on stub fields.

    Args:
        paths: Files and folders.

    Raises:
        UserError: a path that is not there, or a folder without YAML.
    """
    files = _files([Path(path) for path in several(paths)])
    return Validation(files, _Check().of(files))


def _files(paths: Sequence[Path]) -> list[Path]:
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = spec_files(path)
            if not inside:
                raise UserError("no YAML file in this folder", where=path)
            files.update(dict.fromkeys(inside))
        else:
            refuse_missing(path)
            files.setdefault(path)
    return list(files)


class _Check:
    """One run over all files: references between them count as known."""

    def __init__(self) -> None:
        self._ids: dict[str, Document] = {}
        self._groups: list[Document] = []

    def of(self, files: list[Path]) -> list[HarnessError]:
        problems: list[HarnessError] = []
        for path in files:
            problems += self._file(path)
        for group in self._groups:
            problems += self._members(group)
        return problems

    def _file(self, path: Path) -> list[HarnessError]:
        try:
            document = read_yaml(path)
        except HarnessError as error:
            return [error]
        problems: list[HarnessError] = [*self._repeated(document), *check(document)]
        if is_group(document.data):
            if not problems:
                self._groups.append(document)
        elif not problems:
            problems += reference_problems(document, plugins())
            problems += [] if problems else _on_data(document)
        return problems

    def _repeated(self, document: Document) -> list[UserError]:
        data: Any = document.data if isinstance(document.data, dict) else {}
        key = "group" if "group" in data else "id"
        name = data.get(key)
        if not isinstance(name, str):
            return []
        first = self._ids.setdefault(name, document)
        if first is document:
            return []
        message = f"the id {name!r} is already used by {first.name}"
        return [UserError(message, where=document.where((key,)))]

    def _members(self, document: Document) -> list[HarnessError]:
        raw: Any = document.data
        installed = installed_catalog()
        names = {*self._ids, *installed.entries, *installed.group_entries}
        problems: list[HarnessError] = []
        for index, member in enumerate(raw["tasks"]):
            where = document.where(("tasks", index))
            if member not in names:
                message = f"there is no task or group {member!r}"
                problems.append(UserError(message, where=where, fix=nearest(member, names)))
            elif self._leads_to(member, raw["group"], set()):
                message = f"a group contains itself: {member}"
                problems.append(UserError(message, where=where))
        return problems

    def _leads_to(self, name: str, target: str, visited: set[str]) -> bool:
        if name == target:
            return True
        data: Any = self._ids[name].data if name in self._ids else {}
        if name in visited or "group" not in data:
            return False
        visited.add(name)
        return any(self._leads_to(member, target, visited) for member in data["tasks"])


def _on_data(document: Document) -> list[HarnessError]:
    """Check a spec as a run does before it asks anything: its reader, and its data if there."""
    spec, settings = with_options(document, {}), load_settings()
    try:
        make_reader(spec.data.reader, spec.data.options, spec.unit, spec.labels)
    except HarnessError as error:
        return [_placed(document, error, "")]
    folder = given_path(spec, settings)
    if folder is None or not folder.is_dir():
        return []
    task = Task(spec, settings)
    try:
        files = task.reader.annotations(task.located.root, spec.data.split)
        if folder not in settings.data.values() and not any(map(task.located.root.is_file, files)):
            return []  # a spec of one's own, whose data do not lie beside it
        shots = choose_shots(task, 0)
        plan_task(task, Selection(), [sample.id for sample in shots])
        sample = next(iter(task.samples()))
        build_turns(spec, sample, (), [Shot(shown) for shown in shots])
        options_as_sent(spec, sample)
        if sample.target is not None:
            render_answer(spec, sample.target)
    except HarnessError as error:
        return [_placed(document, error, f"on the data in {folder}: ")]
    return []


def _placed(document: Document, error: HarnessError, on_data: str) -> UserError:
    """Return an error of a run at the place in the spec that it is about."""
    path: tuple[str, ...] = ("prompt", "template") if on_data else ("data", "reader")
    named = str(error.where or "").partition(":")[0].split(".")
    if named[0] == "data":
        path = tuple(named)
        while path[-1] not in _at(document, path[:-1]):
            path = path[:-1]
    about = str(error) if on_data else error.message
    fix = "" if on_data else error.fix
    return UserError(on_data + " ".join(about.split()), where=document.where(path), fix=fix)


def _at(document: Document, path: tuple[str, ...]) -> Any:
    """Return the table of a spec at a path, which is there."""
    table: Any = document.data
    for key in path:
        table = table[key]
    return table
