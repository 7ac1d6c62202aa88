"""Read finished evaluations, wherever a command or a call names them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from harness.config.settings import load_settings
from harness.errors import UserError
from harness.plugins import plugins
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
    """Return a path as it is given, or the manifest of the run of that name.

    Raises:
        UserError: neither is there.
    """
    path, manifest = Path(name), results / "runs" / f"{name}.json"
    if path.exists():
        return path
    if not manifest.is_file():
        raise UserError(
            "there are no such results: this is neither a path nor the name of a run",
            where=path,
            fix=_meant(str(name), results),
        )
    return manifest


def _meant(name: str, results: Path) -> str:
    """Return what a name that names no results may stand for."""
    from harness.specs.catalog import load_catalog

    catalog = load_catalog(plugins().spec_folders())
    if name in catalog.entries or name in catalog.group_entries:
        return f"a task or group is named by --tasks {name}, in Python by tasks={name!r}"
    if name in plugins().models():
        return "this is a model; harness results list shows its runs"
    runs = get_close_matches(name, [path.stem for path in (results / "runs").glob("*.json")])
    return f"did you mean {runs[0]!r}?" if runs else "harness run ... writes them"


def read_places(
    places: Sequence[Place], *, details: bool
) -> tuple[list[EvaluationRecord], list[LeftOut]]:
    """Read all places, or the results folder where there is none; each evaluation once.

    Args:
        places: Folders, evaluations, manifests of runs, or names of runs.
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
