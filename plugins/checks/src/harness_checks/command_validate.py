"""``harness validate``: every problem of every task spec, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import harness
from harness import commands
from harness.commands import clean, print_json
from harness.errors import HarnessError


@click.command(epilog="Example: harness validate task_specs my_task.yaml")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@commands.as_json
def validate(*, paths: tuple[Path, ...], as_json: bool) -> None:
    """Check task specs: schema, references, templates.

    Takes files and folders. Every problem is printed as file:line:column: message, and the exit
    code is 2 if there is any. Where the data lie beside the spec, or where harness.toml says, they
    are read as a run's plan reads them; elsewhere prompts are rendered on stub fields.
    """
    validation = harness.validate(paths)
    problems = validation.problems
    valid = len(validation.files) - len({_file(problem) for problem in problems})
    if as_json:
        plain = [_plain(problem) for problem in problems]
        print_json({"valid": valid, "problems": plain, "notes": [*validation.notes]})
    else:
        for problem in problems:
            click.echo(clean(_line(problem)))
        if not problems:
            click.echo("1 spec is valid" if valid == 1 else f"{valid} specs are valid")
        for note in validation.notes:
            click.echo(clean(note), err=True)
    if problems:
        raise click.exceptions.Exit(2)


def _file(problem: HarnessError) -> str:
    return str(problem.where).rsplit(":", 2)[0] if _position(problem) else str(problem.where)


def _position(problem: HarnessError) -> tuple[int, int] | None:
    parts = str(problem.where).rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit():
        return int(parts[1]), int(parts[2])
    return None


def _line(problem: HarnessError) -> str:
    position = problem.where if _position(problem) else f"{problem.where}:1:1"
    fix = f"; {problem.fix}" if problem.fix else ""
    return " ".join(f"{position}: {problem.message}{fix}".split())


def _plain(problem: HarnessError) -> dict[str, Any]:
    line, column = _position(problem) or (1, 1)
    return {
        "file": _file(problem),
        "line": line,
        "column": column,
        "message": problem.message,
        "fix": problem.fix,
    }
