"""A results folder for its owner: the evaluations in it, their states, and what may be removed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from harness.errors import UserError, near
from harness.jsonfiles import open_file
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.journal import Journal
from harness.runs.lock import writing
from harness.runs.read import LeftOut, survey
from harness.runs.record import EvaluationRecord
from harness.runs.seal import SEAL, not_written
from harness.runs.superseded import about_of, current, finished, lineage_of

EVALUATIONS = "evaluations"
State = Literal["finished", "superseded", "unfinished", "damaged"]
PRUNED: tuple[State, ...] = ("superseded", "unfinished")
"""States of evaluations that are never read: :command:`harness results prune` removes them."""
_SIGNS = (SEAL, "evaluation.json", JOURNAL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One evaluation's directory.

    Attributes:
        done: Finished samples, out of ``samples``; ``None`` where it is not known.
        size: Total size of its files, in bytes.
        writing: Whether a process is writing to it.
        why: What is wrong with it, or which newer evaluation supersedes it.
    """

    directory: Path
    state: State
    model: str
    task: str
    done: int | None
    samples: int | None
    size: int
    finished: str
    writing: bool
    why: str

    @property
    def name(self) -> str:
        """Its name on the command line, ``TASK/NAME``."""
        return f"{self.directory.parent.name}/{self.directory.name}"


def entries(results: Path) -> list[Entry]:
    """Return every evaluation of a results folder, in order of their paths.

    Raises:
        UserError: it is no results folder.
    """
    refuse_other(results)
    records, left_out = survey(results / EVALUATIONS, details=False)
    _, older = current(records)
    superseded = {id(record) for record in older}
    newest = {record.lineage: record for record in records if id(record) not in superseded}
    listed = [_sealed(record, superseded=id(record) in superseded) for record in records]
    listed += [_left(one, newest) for one in left_out]
    return sorted(listed, key=lambda entry: entry.directory)


def refuse_other(results: Path) -> None:
    """Check that a folder is a results folder.

    Raises:
        UserError: it is not.
    """
    if not (results / EVALUATIONS).is_dir():
        lacks = f"it has no folder {EVALUATIONS!r}" if results.is_dir() else "it is missing"
        raise UserError(f"this is not a results folder: {lacks}", where=results,
                        fix="--results FOLDER; harness run ... writes one")  # fmt: skip


def names_in(results: Path) -> list[str]:
    """Return the names of a results folder's evaluations, ``TASK/NAME``."""
    found = (results / EVALUATIONS).glob("[!.]*/[!.]*")
    return [path.relative_to(results / EVALUATIONS).as_posix() for path in found]


def named(results: Path, names: Sequence[str]) -> list[Path]:
    """Return the directories of evaluations that are named by path, or as ``TASK/NAME``.

    Raises:
        UserError: no such directory, none of an evaluation, or one outside the results folder.
    """
    refuse_other(results)
    inside = (results / EVALUATIONS).resolve()
    directories: dict[Path, None] = {}
    for name in names:
        paths = (results / EVALUATIONS / name, Path(name))
        path = next(filter(os.path.isdir, paths), None)
        if path is None:
            known = (
                near(name, names_in(results))
                or f"harness results list --results {quote(str(results))}"
            )
            is_run = (results / "runs" / f"{name}.json").is_file()
            what = "this is a run, not an evaluation" if is_run else "no such evaluation exists"
            raise UserError(what, where=name, fix=known)
        directory = path.resolve()
        if directory in {inside, inside.parent} or directory.parent == inside:
            raise UserError(
                "this is a folder of evaluations, not an evaluation",
                where=path,
                fix=f"harness results list --results {quote(str(results))}",
            )
        if not directory.is_relative_to(inside) or path.is_symlink():
            raise UserError(f"is not in the results folder {results}", where=path)
        if not any((directory / sign).exists() for sign in _SIGNS):
            raise UserError("this is not an evaluation", where=path, fix="harness results list")
        directories[directory] = None
    return list(directories)


def remove(directory: Path) -> None:
    """Delete one evaluation.

    Raises:
        UserError: a process is at work in it, or it cannot be removed.
    """
    # Renamed first: a half-removed directory must not be taken for an evaluation.
    renamed = directory.with_name(f".{directory.name}.removed")
    with writing(directory):
        try:
            shutil.rmtree(renamed, ignore_errors=True)
            directory.rename(renamed)
            shutil.rmtree(renamed)
        except OSError as error:
            raise not_written(error, directory) from None


def is_written(directory: Path) -> bool:
    """Whether a process is writing to an evaluation."""
    try:
        with open_file(directory / ".lock") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sealed(record: EvaluationRecord, *, superseded: bool) -> Entry:
    scored = record.counts.samples
    why = "asked again" if record.asked_again else "other code of a plugin"
    return Entry(
        directory=record.directory,
        state="superseded" if superseded else "finished",
        model=record.title,
        task=record.task,
        done=scored,
        samples=scored,
        size=_size(record.directory),
        finished=finished(record.directory),
        writing=False,
        why=why if superseded else "",
    )


def _left(left_out: LeftOut, newest: Mapping[str, EvaluationRecord]) -> Entry:
    about: Mapping[str, Any] = about_of(left_out.directory) or {}
    model = about.get("model")
    done, samples, why = None, about.get("samples"), left_out.why
    if left_out.unfinished:
        why = ""
        try:
            done = Journal(left_out.directory).samples
        except UserError as error:
            why = error.message
        if about and lineage_of(about) in newest:
            why = "other code of a plugin has finished since"
    return Entry(
        directory=left_out.directory,
        state="unfinished" if left_out.unfinished else "damaged",
        model=str(model.get("id", "")) if isinstance(model, dict) else str(model or ""),
        task=left_out.directory.parent.name,
        done=done,
        samples=samples if isinstance(samples, int) else None,
        size=_size(left_out.directory),
        finished="",
        writing=is_written(left_out.directory),
        why=" ".join(why.split()),
    )


def _size(directory: Path) -> int:
    return sum(_sizes(directory))


def _sizes(directory: Path) -> Iterator[int]:
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                yield os.lstat(Path(folder, name)).st_size
            except OSError:
                continue
