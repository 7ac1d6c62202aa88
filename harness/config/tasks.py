"""Every task that can be named: those of plugins, of included folders, and of files given by path.

A spec that a command or a call names by its path is known by its id for the rest of the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, cast

from harness.errors import UserError, quoted
from harness.jsonfiles import refuse_missing
from harness.plugins import plugins
from harness.resources import home_path
from harness.specs import TaskSpec
from harness.specs.catalog import SUFFIXES, Catalog, is_pattern, load_catalog, spec_id
from harness.specs.yaml_loader import Document, parse_yaml, read_yaml

TaskName = str | os.PathLike[str] | Mapping[str, object]
"""A task as calls name it: an id, the path of its spec, or the spec itself as plain data."""

_folders: dict[Path, None] = {}
_files: dict[str, Path] = {}
_data: dict[str, Document] = {}


def installed_catalog() -> Catalog:
    """Return every task and group that can be named here.

    Raises:
        UserError: ``harness.toml`` includes what is not there.
    """
    from harness.config.settings import included

    folders = [spec.path for spec in plugins().spec_folders()]
    places = dict.fromkeys([*folders, *included(), *_folders, *_files.values()])
    return load_catalog((place for place in places if place.exists()), _data.values())


def include(places: Iterable[Path | str]) -> None:
    """Make the specs of folders and files known for the rest of the process.

    Raises:
        UserError: a place that is not there.
    """
    for entry in places:
        path = home_path(entry, "--include")
        refuse_missing(path)
        if path.is_dir():
            _folders.setdefault(path)
        else:
            _file_named(path)


def known_sources() -> tuple[tuple[str, ...], tuple[Mapping[str, Any], ...]]:
    """Return the files and folders that are included or named by path, and the specs given as data.

    Another process knows the same tasks once it includes them and names these specs.
    """
    places = tuple(str(path.absolute()) for path in (*_folders, *_files.values()))
    return places, tuple(cast("Mapping[str, Any]", held.data) for held in _data.values())


def forget_included() -> None:
    """Forget what was included and named by path so far."""
    for cache in (_folders, _files, _data):
        cache.clear()


def task_names(tasks: TaskName | Iterable[TaskName]) -> list[str]:
    """Return ids of tasks and groups; specs given by path or as data are known from here on.

    Args:
        tasks: One or several; a text may hold several, separated by commas. A pattern of ids stays
            as it is, and one of files stands for these.

    Raises:
        UserError: a file that is no spec, or two that have one id.
    """
    entries = [tasks] if isinstance(tasks, str | os.PathLike | Mapping) else [*tasks]
    names: list[str] = []
    paths: dict[str, Path] = {}
    specs: dict[str, Mapping[str, object]] = {}
    for task in entries:
        if isinstance(task, Mapping):
            name = _spec_given(task)
            if specs.setdefault(name, task) != task or name in paths:
                raise UserError(f"two specs have the id {name!r}", fix="rename one of them")
            names.append(name)
            continue
        for part in task.split(",") if isinstance(task, str) else [str(task)]:
            if not is_path(part.strip()):
                names += [part.strip()] if part.strip() else []
                continue
            for path in _files_of(home_path(part.strip())):
                name = _file_named(path)
                first = paths.setdefault(name, path)
                user = "a spec given as data" if name in specs else first
                if name in specs or not _same(first, path):
                    raise UserError(f"the id {name!r} is already used by {user}", where=path,
                                    fix="rename one of them")  # fmt: skip
                names.append(name)
    return names


def _files_of(path: Path) -> list[Path]:
    """Return the files that a path's last part fits, such as ``specs/*.yaml``; else the path."""
    if not is_pattern(path.name) or os.path.lexists(path):
        return [path]
    files = sorted(path.parent.glob(path.name)) if path.parent.is_dir() else []
    if not files:
        raise UserError("no file matches this pattern", where=path)
    return files


def task_name(task: TaskName) -> str:
    """Return the id of one task; a spec given by path or as data is known from here on.

    Raises:
        UserError: a file that is no spec.
    """
    if isinstance(task, str) and not is_path(task):
        return task
    [name] = task_names([Path(task)] if isinstance(task, str) else [task])
    return name


def is_path(name: str) -> bool:
    """Whether the name of a task is the path of its spec: no id has a slash or a dot."""
    return name.endswith(SUFFIXES) or "/" in name or os.sep in name


def own_folder(source: Path | None) -> Path | None:
    """Return the folder of a spec that no plugin brings: its data lie there unless said otherwise.

    ``None`` for specs of plugins, and for those without a file.
    """
    if source is None:
        return None
    home = source.absolute()
    brought = (spec.path.absolute() for spec in plugins().spec_folders())
    return None if any(home.is_relative_to(folder) for folder in brought) else home.parent


def typed(spec: TaskSpec) -> str:
    """Return how a command line names a task: its id, or the path of a spec of no plugin."""
    return spec.id if own_folder(spec.source) is None else quote(str(spec.source))


def _file_named(path: Path, on_the_way: tuple[Path, ...] = ()) -> str:
    """Read a spec or group once, make it known, with the files that a group names; return its id.

    Raises:
        UserError: not there, no spec, or a group that names a file outside its folder.
    """
    if _is_folder(path):
        raise UserError("this is a folder of specs, not one spec", where=path,
                        fix=f"--include {path}, and name its tasks")  # fmt: skip
    document = read_yaml(path)
    name = spec_id(document)
    raw: Any = document.data
    if isinstance(raw, dict) and "group" in raw and isinstance(raw.get("tasks"), list):
        if any(_same(path, before) for before in on_the_way):
            way = " -> ".join(str(one) for one in (*on_the_way, path))
            raise UserError(f"a group contains itself: {way}", where=document.where(("tasks",)))
        for index, member in enumerate(raw["tasks"]):
            if isinstance(member, str) and is_path(member):
                inside = path.parent / member
                if Path(member).is_absolute() or ".." in Path(member).parts:
                    raise UserError(
                        f"{quoted(member)} lies outside the group's folder",
                        where=document.where(("tasks", index)),
                        fix="add --include with its folder, and name it by its id",
                    )
                _file_named(inside, (*on_the_way, path))
    _files[name] = path
    _data.pop(name, None)
    return name


def _spec_given(spec: Mapping[str, object]) -> str:
    """Make a spec that is given as data known; return its id."""
    import yaml

    try:
        text = yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True)
    except yaml.YAMLError as error:
        raise UserError(
            f"the spec holds {quoted(error.args[-1])}, which is not plain data",
            fix="texts, numbers, lists and tables of keys, such as str(path) or list(labels)",
        ) from None
    document = parse_yaml(text, name="the spec given")
    name = spec_id(document)
    _data[name] = document
    _files.pop(name, None)
    return name


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # no name that a system could have: reading it says so
        return False


def _same(first: Path, other: Path) -> bool:
    return first.resolve() == other.resolve()
