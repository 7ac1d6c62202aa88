"""``harness validate``: every problem of every task spec, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._tables import clean, print_json
from harness.errors import HarnessError, SampleError, UserError, nearest
from harness.plugins import plugins

if TYPE_CHECKING:
    from harness.specs.yaml_loader import Document


@click.command(epilog="Example: harness validate task_specs my_task.yaml")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def validate(*, paths: tuple[Path, ...], as_json: bool) -> None:
    """Check task specs: schema, references, templates.

    Takes files and folders. Every problem is printed as file:line:column: message; the command
    ends with 2 if there is any. Prompts are rendered on the first sample where --data or
    harness.toml says where the data lie, on stub fields elsewhere.
    """
    files = _files(paths)
    problems = _Check().of(files)
    valid = len(files) - len({_file(problem) for problem in problems})
    if as_json:
        print_json({"valid": valid, "problems": [_plain(problem) for problem in problems]})
    else:
        for problem in problems:
            click.echo(clean(_line(problem)))
        if not problems:
            click.echo("1 spec is valid" if valid == 1 else f"{valid} specs are valid")
    if problems:
        raise click.exceptions.Exit(2)


def _files(paths: tuple[Path, ...]) -> list[Path]:
    from harness.specs.catalog import spec_files

    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = spec_files(path)
            if not inside:
                raise UserError("no YAML file in this folder", where=path)
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found.setdefault(path)
        else:
            raise UserError("no such file or folder", where=path)
    return list(found)


class _Check:
    """One run over all files: references between them count as known."""

    def __init__(self) -> None:
        self._ids: dict[str, Document] = {}
        self._groups: list[Document] = []

    def of(self, files: list[Path]) -> list[HarnessError]:
        found: list[HarnessError] = []
        for path in files:
            found += self._one(path)
        for group in self._groups:
            found += self._members(group)
        return found

    def _one(self, path: Path) -> list[HarnessError]:
        from harness.specs.loader import check, is_group
        from harness.specs.references import reference_problems
        from harness.specs.yaml_loader import read_yaml

        try:
            document = read_yaml(path)
        except HarnessError as error:
            return [error]
        found: list[HarnessError] = [*self._repeated(document), *check(document)]
        if is_group(document):
            if not found:
                self._groups.append(document)
        elif not found:
            found += reference_problems(document, plugins())
            found += [] if found else _on_data(document)
        return found

    def _repeated(self, document: Document) -> list[UserError]:
        data: Any = document.data if isinstance(document.data, dict) else {}
        key = "group" if "group" in data else "id"
        name = data.get(key)
        if not isinstance(name, str):
            return []
        first = self._ids.setdefault(name, document)
        if first is document:
            return []
        said = f"the id {name!r} is taken by {first.name}"
        return [UserError(said, where=document.where((key,)))]

    def _members(self, document: Document) -> list[HarnessError]:
        from harness.specs.catalog import load_catalog

        raw: Any = document.data
        installed = load_catalog(plugins().spec_folders())
        known = {*self._ids, *installed.entries, *installed.group_entries}
        found: list[HarnessError] = []
        for index, member in enumerate(raw["tasks"]):
            where = document.where(("tasks", index))
            if member not in known:
                said = f"there is no task or group {member!r}"
                found.append(UserError(said, where=where, fix=nearest(member, known)))
            elif self._leads_to(member, raw["group"], set()):
                found.append(UserError(f"a group is part of itself: {member}", where=where))
        return found

    def _leads_to(self, name: str, wanted: str, seen: set[str]) -> bool:
        if name == wanted:
            return True
        held: Any = self._ids[name].data if name in self._ids else {}
        if name in seen or "group" not in held:
            return False
        seen.add(name)
        return any(self._leads_to(member, wanted, seen) for member in held["tasks"])


def _on_data(document: Document) -> list[HarnessError]:
    """Render the first sample's prompt and answer, when settings name a folder for the data."""
    from harness.config.settings import load_settings
    from harness.evaluation.few_shot import choose_shots
    from harness.evaluation.task import Task
    from harness.specs.loader import with_options
    from harness.specs.prompt import Shot, build_turns, options_as_sent, render_answer

    spec = with_options(document, {})
    settings = load_settings()
    folder = settings.data.get(spec.id, settings.data.get(spec.data.benchmark))
    if folder is None or not folder.is_dir():
        return []
    try:
        task = Task(spec, settings)
        sample = next(iter(task.samples()), None)
        if sample is not None:
            build_turns(spec, sample, (), [Shot(shown) for shown in choose_shots(task, 0)])
            options_as_sent(spec, sample)
            if sample.target is not None:
                render_answer(spec, sample.target)
    except (SampleError, HarnessError) as error:
        said = " ".join(str(error).split())
        where = document.where(("prompt", "template"))
        return [UserError(f"on the data in {folder}: {said}", where=where)]
    return []


def _file(problem: HarnessError) -> str:
    return str(problem.where).rsplit(":", 2)[0] if _place(problem) else str(problem.where)


def _place(problem: HarnessError) -> tuple[int, int] | None:
    parts = str(problem.where).rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return int(parts[1]), int(parts[2])
    return None


def _line(problem: HarnessError) -> str:
    place = problem.where if _place(problem) else f"{problem.where}:1:1"
    fix = f"; {problem.fix}" if problem.fix else ""
    return " ".join(f"{place}: {problem.message}{fix}".split())


def _plain(problem: HarnessError) -> dict[str, Any]:
    line, column = _place(problem) or (1, 1)
    return {
        "file": _file(problem),
        "line": line,
        "column": column,
        "message": problem.message,
        "fix": problem.fix,
    }
