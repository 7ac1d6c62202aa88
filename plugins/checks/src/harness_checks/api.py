"""Check task specs and data: :func:`harness.validate` and :func:`harness.data_check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from harness.api.records import several
from harness.api.runs import settings_for
from harness.arguments import FORMER, Within, checked
from harness.config.data import chosen_spec, refuse_unused
from harness.config.tasks import TaskName, installed_catalog, task_name
from harness.descriptors import Json
from harness.errors import HarnessError, UserError, nearest
from harness.evaluation.task import Task
from harness.jsonfiles import refuse_missing
from harness.plugins import plugins
from harness.specs.catalog import spec_files
from harness.specs.group import is_group
from harness.specs.loader import check
from harness.specs.yaml_loader import Document, read_yaml

from harness_checks.data_check import SplitReport, check_task
from harness_checks.on_data import OnData
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
    settings = settings_for(profile, None, data)
    spec = chosen_spec(name, options or {}, settings)
    refuse_unused(data or {}, spec)
    prepared = Task(spec, settings)
    return DataReport(prepared, check_task(prepared, images, on_progress or (lambda *_: None)))


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found in files of task specs.

    Attributes:
        files: The files that were checked.
        problems: Every problem with its place, as ``file:line:column`` where it has one.
        notes: What a run would say of the data, and which data were not read.
    """

    files: Sequence[Path]
    problems: Sequence[HarnessError]
    notes: Sequence[str] = ()


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
    check = _Check()
    problems = check.of(files)
    return Validation(files, problems, check.notes())


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


_OTHERS = {
    "leaderboard": ("a layout of a table", "harness leaderboard --layout {}"),
    "published": ("a table of published numbers", "harness leaderboard --layout, which names it"),
    "study": ("a study", "harness study {} --dry-run"),
    "concepts": ("a spec of image sets", "harness make counterfactuals {} --plan --out FOLDER"),
    "model": ("a run file", "harness run --config {} --dry-run"),
    "models": ("a run or its models", "harness run --config {} --dry-run"),
}
"""Key that a file of another kind has, to what it is and what checks it."""

_CHECK_OF_MODELS = "harness run --models {} --tasks IDS --dry-run"
"""What checks a file that names models and no task."""


def _other_kind(document: Document) -> UserError | None:
    """Return what a file is that is no task spec, and has none of its keys."""
    data: Any = document.data
    if isinstance(data, list) and data and all(isinstance(entry, str | dict) for entry in data):
        data = {"models": data}  # a models file may be the list alone
    if not isinstance(data, dict) or not data.keys().isdisjoint({"group", "ask", "answer"}):
        return None
    for key, (noun, command) in _OTHERS.items():
        if key in data:
            where = document.where((key,), "key")
            template = _CHECK_OF_MODELS if data.keys() == {"models"} else command
            fix = f"its own check: {template.format(document.name)}"
            return UserError(f"this is {noun}, not a task spec", where=where, fix=fix)
    return None


class _Check:
    """One run over all files: references between them count as known."""

    def __init__(self) -> None:
        self._ids: dict[str, Document] = {}
        self._groups: list[Document] = []
        self.on_data = OnData()

    def of(self, files: list[Path]) -> list[HarnessError]:
        problems: list[HarnessError] = []
        for path in files:
            problems += self._file(path)
        for group in self._groups:
            problems += self._members(group)
        return [*problems, *self.on_data.problems]

    def notes(self) -> list[str]:
        """Return what is no problem, and has to be said."""
        unread = self.on_data.unread
        if not unread:
            return self.on_data.notes
        whose = f"{unread[0]!r}" if len(unread) == 1 else f"{len(unread)} specs"
        return [
            *self.on_data.notes,
            f"data of {whose} were not read: nothing says where they lie ([data] in harness.toml)",
        ]

    def _file(self, path: Path) -> list[HarnessError]:
        try:
            document = read_yaml(path)
        except HarnessError as error:
            return [error]
        if other := _other_kind(document):
            return [other]
        problems: list[HarnessError] = [*self._repeated(document), *check(document)]
        if is_group(document.data):
            if not problems:
                self._groups.append(document)
        elif not problems:
            problems += reference_problems(document, plugins())
            if not problems:
                self.on_data.check(document)
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
