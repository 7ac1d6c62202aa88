"""A run as a file: its models with their own options, its tasks and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from harness.api.models import ID, own_options
from harness.api.runs import RunOptions
from harness.arguments import plain
from harness.errors import UserError, quoted, unknown
from harness.specs.yaml_loader import Document, read_yaml

MODELS, TASKS = "models", "tasks"
Place = tuple[str | int, ...]


def read_run_file(path: Path) -> dict[str, Any]:
    """Return the arguments of :func:`harness.plan` that a file says, as far as it says them.

    Its keys are ``model`` or ``models``, ``tasks``, and the options of a run by their names in
    Python. Paths in it are read from the working folder, as those of a command are.

    Raises:
        UserError: at its line: an unknown key, or a value that the key cannot have.
    """
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise UserError("a run file is a table of keys: model, tasks, ...", where=document.where())
    hints = get_type_hints(RunOptions, include_extras=True)
    keys = [ID, MODELS, TASKS, *hints]
    arguments: dict[str, Any] = {}
    for key, value in document.data.items():
        if key not in keys:
            raise unknown("key of a run", key, keys, where=document.where((key,), "key"))
        if key in {ID, MODELS}:
            if ID in arguments:
                where = document.where((key,), "key")
                raise UserError(f"{ID!r} and {MODELS!r} mean the same: give one", where=where)
            arguments[ID] = _models(document, (key,), value)
        elif key == TASKS:
            arguments[key] = _texts(document, (key,), value)
        else:
            with _at(document, (key,)):
                arguments[key] = plain(hints[key], value, key)
    return arguments


def read_models_file(path: Path) -> list[Any]:
    """Return the models that a file lists, alone or under ``models``, as :func:`harness.plan` does.

    Raises:
        UserError: at its line: no list, an unknown key, or a value that the key cannot have.
    """
    document = read_yaml(path)
    data = document.data
    if not isinstance(data, dict):
        return _models(document, (), data)
    for key in data:
        if key != MODELS:
            raise unknown("key", key, [MODELS], where=document.where((key,), "key"))
    return _models(document, (MODELS,), data.get(MODELS))


def _models(document: Document, path: Place, value: Any) -> list[Any]:
    entries = value if isinstance(value, list) else [value]
    models: list[Any] = []
    for index, entry in enumerate(entries):
        where: Place = (*path, index) if isinstance(value, list) else path
        if isinstance(entry, Mapping):
            with _at(document, where):
                models.append(own_options(entry))
        elif isinstance(entry, str) and entry.strip():
            models += [part.strip() for part in entry.split(",")]
        else:
            raise UserError(
                f"a model must be an id or a table of keys, not {quoted(entry)}",
                where=document.where(where),
                fix="'null' in quotes" if entry is None else "- {model: ID, options: {KEY: VALUE}}",
            )
    if not models:
        raise UserError("no model is named", where=document.where(path))
    return models


def _texts(document: Document, path: Place, value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"a task must be an id, a pattern or a path, not {quoted(text)}",
                            where=document.where(path))  # fmt: skip
    return texts


@contextmanager
def _at(document: Document, path: Place) -> Iterator[None]:
    """Say of what is wrong with a value where it stands."""
    try:
        yield
    except UserError as error:
        raise UserError(error.message, where=document.where(path), fix=error.fix) from None
