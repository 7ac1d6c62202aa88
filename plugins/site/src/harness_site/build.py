"""Build a site: read once, write everything beside its place, then put it there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from harness._version import __version__
from harness.analysis.results import Analysis
from harness.errors import UserError, reason_of
from harness.figures.make import why_no_figures
from harness.runs.record import EvaluationRecord
from harness.tables.build import TableOptions

from harness_site.analyses import write_analyses
from harness_site.board import write_boards
from harness_site.browse import Set, write_set
from harness_site.evaluation import write_evaluation
from harness_site.files import Site, slug
from harness_site.plane import planes_of, write_planes
from harness_site.questions import Questions, Sources

SIGN = "harness-site.json"
FORMAT = 1
_ATTEMPTS = 100  # to put a site in its place while others put theirs


def is_site(folder: Path) -> bool:
    """Whether a folder was written by :func:`build_site`."""
    return (folder / SIGN).is_file()


def build_site(
    out: Path,
    records: Sequence[EvaluationRecord],
    options: TableOptions,
    sources: Sources,
    analyses: Sequence[Analysis] = (),
) -> Path:
    """Write a site; a site that stood there is replaced as a whole.

    Args:
        out: A folder that is empty, not there, or holds a site.
        records: Read whole.
        options: How the leaderboard is made.
        sources: Everything else.
        analyses: Probes, conflict and the like, on pages of their own.

    Raises:
        UserError: something else is in the folder, or it cannot be written.
    """
    if not records:
        raise UserError("there is no finished evaluation to show", fix="harness run ... makes them")
    place = out.resolve()  # where a link leads
    part = place.with_name(f".{place.name}.{token_hex(6)}.part")
    try:
        refuse_other(out)
        part.mkdir(parents=True)
        marks = sorted({mark for one in records for mark in one.marks})
        planes = planes_of(records, options)
        site = Site(part, marks, analysed=bool(analyses), planes=bool(planes))
        drawn = _write(site, records, options, sources)
        if planes:
            write_planes(site, planes, records, options, drawn=drawn)
        if analyses:
            write_analyses(site, analyses, drawn=drawn)
        put(part, place)
    except OSError as error:
        raise UserError(f"cannot be written: {reason_of(error)}", where=out) from None
    finally:
        _cleared(part)
    return out / "index.html"


def refuse_other(out: Path) -> None:
    """Check that a folder is empty, not there, or holds a site.

    Raises:
        UserError: it holds something else, or cannot be read.
    """
    names: list[str] | None = None
    try:
        while names is None:
            names = _names(out)
    except OSError as error:
        raise UserError(f"cannot be read: {reason_of(error)}", where=out) from None
    if names and SIGN not in names:
        raise UserError("holds something that is not a site", where=out, fix="give an empty folder")


def _names(out: Path) -> list[str] | None:
    """List what stands in a place; None where another build put its site there meanwhile.

    A folder is emptied only after it was moved aside: one that stands there before and after it
    is listed was listed whole.
    """
    try:
        listed = os.open(out, os.O_RDONLY | os.O_NONBLOCK)  # a pipe is not waited for
    except FileNotFoundError:
        return []
    try:
        if not stat.S_ISDIR(os.fstat(listed).st_mode):
            return [out.name]
        names = os.listdir(listed)  # noqa: PTH208  of an open folder, which has no path
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(listed), out.stat()):
                return names
        return None
    finally:
        os.close(listed)


def put(part: Path, out: Path) -> None:
    """Put a whole site where another may stand, which others may replace at the same time."""
    for attempt in range(_ATTEMPTS):
        aside = out.with_name(f".{out.name}.{token_hex(6)}.old")
        refuse_other(out)
        with suppress(FileNotFoundError):
            out.replace(aside)
        _cleared(aside)
        try:
            part.replace(out)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST} or attempt + 1 == _ATTEMPTS:
                raise
        else:
            return


def _cleared(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


def _write(
    site: Site, records: Sequence[EvaluationRecord], options: TableOptions, sources: Sources
) -> bool:
    """Write the pages of evaluations; return whether figures are drawn."""
    names = {_fingerprint(record): _name(record) for record in records}
    pages = {key: f"evaluations/{name}.html" for key, name in names.items()}
    site.assets()
    write_boards(site, records, options, pages, sources.layouts)
    problem = why_no_figures("evaluation") if sources.figures else ""
    drawn = sources.figures and not problem
    if problem:
        sources.say(f"figures left out; {problem}")
    listed = []
    notes: dict[str, None] = {}  # each once, of however many sets of a task
    for task_set in _sets(records):
        first = task_set.records[0]
        folder = f"samples/{task_set.name}"
        questions = Questions.of(first, sources, site, folder)
        write_set(site, task_set, questions)
        if questions.problem:
            lacking = "images" if questions.prompts_kept else "prompts and images"
            notes[f"{lacking} of {first.task} left out: {questions.problem}"] = None
        if questions.withheld:
            note = f"images of {first.task} left out, as they may show people: --with-images"
            notes[note] = None
        site.page(
            f"{folder}.html",
            "samples.html",
            title=f"Samples of {task_set.title}",
            marks={mark for record in task_set.records for mark in record.marks},
            folder=task_set.name,
            problem=questions.problem,
            prompts_kept=questions.prompts_kept,
            notes=_remarks(task_set),
            licence=questions.licence,
            withheld=questions.withheld,
            models=[
                (name, names[_fingerprint(record)])
                for name, record in zip(task_set.names, task_set.records, strict=True)
            ],
        )
        for index, record in enumerate(task_set.records):
            write_evaluation(site, task_set, index, names[_fingerprint(record)], drawn=drawn)
        links = [pages[_fingerprint(record)] for record in task_set.records]
        rows = list(zip(task_set.names, task_set.records, links, strict=True))
        listed.append((task_set.title, first, f"{folder}.html", rows))
    for note in notes:
        sources.say(note)
    site.page("evaluations.html", "evaluations.html", title="Evaluations", sets=listed)
    site.write(SIGN, json.dumps({"format": FORMAT, "version": __version__}).encode() + b"\n")
    return drawn


def _remarks(task_set: Set) -> list[str]:
    """Return what models say of how they answered, such as how far annotators agree; each once."""
    pairs = zip(task_set.names, task_set.records, strict=True)
    return list(dict.fromkeys(f"{name}: {note}" for name, record in pairs for note in record.notes))


def _fingerprint(record: EvaluationRecord) -> str:
    return record.fingerprint


def _name(record: EvaluationRecord) -> str:
    return slug(record.task, record.model, _fingerprint(record)[:12])


def _sets(records: Sequence[EvaluationRecord]) -> list[Set]:
    sets: dict[str, Set] = {}
    for record in records:
        name = slug(record.task, record.task_fingerprint[:12])
        sets.setdefault(record.task_fingerprint, Set(name, [])).records.append(record)
    return list(sets.values())
