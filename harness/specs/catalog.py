"""All task specs and groups of the installed folders, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, SpecFolder
from harness.errors import HarnessError, UserError, each_once, quoted
from harness.plugins import missing
from harness.specs.group import TaskGroup, is_group
from harness.specs.yaml_loader import Document, read_yaml

if TYPE_CHECKING:
    from harness.specs.spec import TaskSpec

_OWN = {"note"}
SUFFIXES = (".yaml", ".yml")
_PATTERN = frozenset("*?[")


def spec_files(folder: Path) -> list[Path]:
    """Return the YAML files under a folder, in a stable order; a file is its own."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())


def is_pattern(name: str) -> bool:
    """Whether a name stands for every task whose id fits it, as ``fair*`` does."""
    return not _PATTERN.isdisjoint(name)


def fitting(pattern: str, tasks: Iterable[str]) -> list[str]:
    """Return the ids of tasks that fit a pattern.

    Raises:
        UserError: none does.
    """
    chosen = [name for name in tasks if fnmatchcase(name, pattern)]
    if not chosen:
        raise UserError(f"no task id matches {quoted(pattern)}", fix="harness tasks")
    return chosen


@dataclass(frozen=True, slots=True)
class Entry:
    """A task or group as lists show it; nothing of it is checked yet."""

    id: str
    title: str
    summary: str
    document: Document


class _Tasks(Mapping[str, "TaskSpec"]):
    """Task specs by id, each checked and built when it is looked up."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._built: dict[str, TaskSpec] = {}

    def __getitem__(self, name: str) -> TaskSpec:
        if name not in self._built:
            from harness.specs.loader import with_options

            self._built[name] = with_options(self._entries[name].document, {})
        return self._built[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(slots=True)
class Catalog:
    """What can be asked for by name.

    Attributes:
        entries: Tasks as lists show them, unchecked.
        broken: Name of a file that is no spec (its stem), or of an id that two files claim, to
            what is wrong; asking for that name raises it, all other names work.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    group_entries: dict[str, Entry] = field(default_factory=dict)
    broken: dict[str, HarnessError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tasks = _Tasks(self.entries)

    _tasks: _Tasks = field(init=False, repr=False)
    _by_path: dict[Path, str] = field(default_factory=dict, repr=False)

    @property
    def tasks(self) -> Mapping[str, TaskSpec]:
        """Task specs by id, built on look-up."""
        return self._tasks

    @property
    def groups(self) -> Mapping[str, TaskGroup]:
        """Groups by id, flattened to tasks.

        Raises:
            UserError: a group that is no valid one, that names an unknown task, or that is part of
                itself.
        """
        return {name: self.group(name) for name in self.group_entries}

    def group(self, name: str) -> TaskGroup:
        """Return a group, flattened to tasks.

        Raises:
            UserError: no such group, or one that is no valid one.
        """
        self._refuse_unknown(name, self.group_entries, "group")
        return self._flat(name)

    def task(self, name: str, chosen: Mapping[str, Json] | None = None) -> TaskSpec:
        """Return a task under a choice of named options.

        Raises:
            UserError: no such task, a spec that cannot be used, or a choice it does not allow.
        """
        self._refuse_unknown(name, self.entries, "task")
        if not chosen:
            return self.tasks[name]
        from harness.specs.loader import with_options

        return with_options(self.entries[name].document, chosen)

    def expand(self, names: Iterable[str]) -> list[str]:
        """Return the tasks that names of tasks and groups stand for, each once, in order.

        Args:
            names: Ids, each maybe several joined by commas, or patterns such as ``fair*``.

        Raises:
            UserError: a name nothing is known by (with near misses) or that comes twice, a pattern
                that fits no task or one whose file is broken, no name at all, or a group that is
                part of itself.
        """
        tasks: dict[str, None] = {}
        parts = [part.strip() for name in names for part in name.split(",")]
        for name in each_once(filter(None, parts), "task or group"):
            fits = fitting(name, {**self.entries, **self.broken}) if is_pattern(name) else [name]
            for match in fits:
                self._refuse_unknown(match, {**self.entries, **self.group_entries}, "task or group")
                members = (match,) if match in self.entries else self._flat(match).tasks
                tasks.update(dict.fromkeys(members))
        if not tasks:
            raise UserError("no task is named", fix="harness tasks")
        return list(tasks)

    def _refuse_unknown(self, name: str, entries: Mapping[str, Entry], kind: str) -> None:
        if name in self.broken:
            raise self.broken[name]
        if name not in entries:
            error = missing(kind, name, entries)
            if isinstance(error, UserError):
                error.fix += "; a spec of your own: its path, or --include FOLDER"
            raise error

    def _flat(self, name: str, on_the_way: tuple[str, ...] = ()) -> TaskGroup:
        document = self.group_entries[name].document
        group = _group(document)
        tasks: dict[str, None] = {}
        for index, written in enumerate(group.tasks):
            member = self._named(document, written)
            where = document.where(("tasks", index))
            if member in (*on_the_way, name):
                way = " -> ".join((*on_the_way, name, member))
                raise UserError(f"a group contains itself: {way}", where=where)
            if member in self.broken:
                raise self.broken[member]
            if member in self.entries:
                tasks.setdefault(member)
            elif member in self.group_entries:
                tasks.update(dict.fromkeys(self._flat(member, (*on_the_way, name)).tasks))
            else:
                members = {**self.entries, **self.group_entries}
                raise missing("task or group", member, members, where=where)
        return TaskGroup(group.id, group.title, tuple(tasks), group.source)

    def _named(self, document: Document, member: str) -> str:
        """Return the id of a group's member, which may be written as a file beside the group."""
        if document.path is None or not member.endswith(SUFFIXES):
            return member
        return self._by_path.get((document.path.parent / member).resolve(), member)


def _group(document: Document) -> TaskGroup:
    """Return a group as written; only a malformed one loads the schema, to say what is wrong."""
    match document.data:
        case {"group": str(name), "title": str(title), "tasks": [*members], **rest} if (
            members and all(isinstance(member, str) for member in members) and rest.keys() <= _OWN
        ):
            return TaskGroup(name, title, tuple(map(str, members)), document.path)
    from harness.specs.loader import group_of

    return group_of(document)


def load_catalog(
    folders: Iterable[Path | SpecFolder], documents: Iterable[Document] = ()
) -> Catalog:
    """Read the specs and groups of folders and files; a bad file costs its own name only.

    Args:
        folders: Of specs; a path may be that of one file.
        documents: Specs that are read already.
    """
    catalog = Catalog()
    unreadable: dict[str, HarnessError] = {}
    for folder in folders:
        root = folder.path if isinstance(folder, SpecFolder) else folder
        for path in spec_files(root):
            try:
                _add(catalog, read_yaml(path))
            except HarnessError as error:
                unreadable.setdefault(path.stem, error)
    for document in documents:
        _add(catalog, document)
    claimed_twice = tuple(catalog.broken)
    names = {**catalog.entries, **catalog.group_entries}
    catalog.broken.update({name: held for name, held in unreadable.items() if name not in names})
    for name in claimed_twice:
        catalog.entries.pop(name, None)
        catalog.group_entries.pop(name, None)
    return catalog


def _add(catalog: Catalog, document: Document) -> None:
    name = spec_id(document)
    data: Any = document.data
    key = "group" if "group" in data else "id"
    for entries in (catalog.entries, catalog.group_entries):
        if name in entries:
            first = entries[name].document
            if first.path and document.path and first.path.resolve() == document.path.resolve():
                return  # a folder within another that is read too
            catalog.broken[name] = UserError(
                f"the id {name!r} is already used by {first.where(_id_path(first))}",
                where=document.where((key,)),
                fix="rename one of them",
            )
            return
    entry = Entry(
        name, _line(data.get("title")), _line(data.get("summary", data.get("note"))), document
    )
    (catalog.group_entries if key == "group" else catalog.entries)[name] = entry
    if document.path is not None:
        catalog._by_path[document.path.resolve()] = name  # noqa: SLF001  being built here


def spec_id(document: Document) -> str:
    """Return the id of a task or group, of which nothing else is checked.

    Raises:
        UserError: it says none.
    """
    data = document.data if isinstance(document.data, dict) else {}
    name = data.get("group" if "group" in data else "id")
    if is_group(data) and not isinstance(data.get("group"), str):
        raise UserError(
            "the key 'group', the name of this list of tasks, is missing or no text",
            where=document.where(("group",) if "group" in data else ()), fix="group: NAME",
        )  # fmt: skip
    if not isinstance(name, str):
        raise UserError("neither a task (id: ...) nor a group (group: ...)", where=document.where(),
                        fix="harness new task DATA writes a task")  # fmt: skip
    return name


def _id_path(document: Document) -> tuple[str]:
    assert isinstance(document.data, dict)
    return ("group",) if "group" in document.data else ("id",)


def _line(value: Json) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
