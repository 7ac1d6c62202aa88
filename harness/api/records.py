"""Read finished evaluations, wherever a command or a call names them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.settings import load_settings
from harness.errors import UserError, near
from harness.plugins import plugins
from harness.runs.folder import EVALUATIONS, names_in
from harness.runs.read import LeftOut, survey
from harness.runs.record import EvaluationRecord
from harness.runs.superseded import current, superseded_note

Place = Path | str


@dataclass(frozen=True, slots=True)
class Skipped:
    """What reading results passed over.

    Attributes:
        left_out: Directories that are damaged or unfinished.
        superseded: Number of evaluations that newer ones took the place of.
    """

    left_out: Sequence[LeftOut] = ()
    superseded: int = 0

    def lines(self) -> Iterator[str]:
        """Yield a line for each damaged directory, and the numbers of all others."""
        yield from (f"left out: {one.why}" for one in self.left_out if not one.unfinished)
        unfinished = sum(one.unfinished for one in self.left_out)
        if unfinished:
            yield f"{unfinished} unfinished: harness results list"
        if self.superseded:
            yield superseded_note(self.superseded)


OnSkipped = Callable[[Skipped], None]


def warn(skipped: Skipped) -> None:
    """Warn of what was passed over; the default of every function that reads results."""
    for line in skipped.lines():
        warnings.warn(line, stacklevel=5)


def several(places: Any) -> list[Any]:
    """Return one place, several or none as a list."""
    return [places] if isinstance(places, Path | str) else [*(places or ())]


def located(name: Place, results: Path) -> Path:
    """Return a path as it is given, or that of the run or the evaluation (``TASK/NAME``) so named.

    Raises:
        UserError: there is none of them.
    """
    run, evaluation = results / "runs" / f"{name}.json", results / EVALUATIONS / name
    named = [run, *([evaluation] if evaluation.parent.parent == results / EVALUATIONS else [])]
    for path in (Path(name), *named):
        if os.path.exists(path):  # noqa: PTH110  false, too, for a name that no file can have
            return path
    raise UserError(
        "there are no such results: this is neither a path nor the name of a run or an evaluation",
        where=name,
        fix=_meant(str(name), results),
    )


def evaluation_at(name: Place, results: Path | None = None) -> Path:
    """Return the directory of one evaluation, which may be named as :func:`located` allows.

    Raises:
        UserError: there is none, or a run of several.
    """
    path = located(name, results or load_settings().results)
    if path.is_dir():
        return path
    records, left_out = survey(path, details=False)
    directories = [one.directory for one in records] + [one.directory for one in left_out]
    if len(directories) != 1:
        names = ", ".join(f"{one.parent.name}/{one.name}" for one in directories)
        raise UserError(f"this run has {len(directories)} evaluations", where=name, fix=names)
    return directories[0]


def _meant(name: str, results: Path) -> str:
    """Return what a name that names no results may stand for."""
    from harness.specs.catalog import load_catalog

    catalog = load_catalog(plugins().spec_folders())
    if name in catalog.entries or name in catalog.group_entries:
        return f"a task or group is named by --tasks {name}, in Python by tasks={name!r}"
    known = [path.stem for path in (results / "runs").glob("*.json")] + names_in(results)
    begun = [one for one in sorted(known) if one.rpartition("/")[2].startswith(f"{name}-")]
    return near(name, known) or ", ".join(begun[:5]) or "harness results list"


def read_places(
    places: Sequence[Place], *, details: bool
) -> tuple[list[EvaluationRecord], list[LeftOut]]:
    """Read all places, or the results folder where there is none; each evaluation once.

    Args:
        places: Folders and manifests, or names of runs and evaluations.
        details: As for :func:`harness.read_evaluation`.

    Raises:
        UserError: a place does not exist.
    """
    results = load_settings().results
    records: dict[Path, EvaluationRecord] = {}
    left_out: dict[LeftOut, None] = {}
    for path in [located(path, results) for path in places] or [results]:
        surveyed, passed_over = survey(path, details=details)
        for record in surveyed:
            records.setdefault(record.directory.resolve(), record)
        left_out.update(dict.fromkeys(passed_over))
    return list(records.values()), list(left_out)


def newest_of(
    places: Sequence[Place], on_skipped: OnSkipped, *, details: bool
) -> tuple[list[EvaluationRecord], list[LeftOut]]:
    """Read all places without what newer evaluations took the place of.

    Returns:
        The evaluations that count, and what was left out.

    Raises:
        UserError: a place does not exist.
    """
    records, left_out = read_places(places, details=details)
    records, superseded = current(records)
    on_skipped(Skipped(left_out, len(superseded)))
    return records, left_out
