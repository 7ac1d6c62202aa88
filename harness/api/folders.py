"""What is in a results folder: :func:`harness.evaluations` and ``remove_evaluations``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.arguments import checked
from harness.config.settings import load_settings
from harness.runs.folder import Entry, State, entries, named, remove


@checked
def evaluations(results: Path | str | None = None, *, state: State | None = None) -> list[Entry]:
    """Return every evaluation of a results folder, in order of their paths.

    Args:
        results: The folder; the settings' by default.
        state: Only those in this state.

    Raises:
        UserError: it is no results folder.
    """
    return [entry for entry in entries(_folder(results)) if state in {None, entry.state}]


@checked
def remove_evaluations(
    names: str | Path | Iterable[str | Path], *, results: Path | str | None = None
) -> list[Path]:
    """Delete evaluations; return the directories that are gone.

    Args:
        names: Directories, or ``TASK/NAME`` as ``harness results list`` names them.
        results: The results folder; the settings' by default.

    Raises:
        UserError: one that is not there, outside the folder, or being written. Those before it
            are deleted then.
    """
    listed = [names] if isinstance(names, str | Path) else [*names]
    directories = named(_folder(results), [str(name) for name in listed])
    for directory in directories:
        remove(directory)
    return directories


def _folder(results: Path | str | None) -> Path:
    return load_settings(results=None if results is None else Path(results)).results
