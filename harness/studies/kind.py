"""The contract of a kind of study: how ``harness study`` reads, plans, runs and shows a file.

A file names its kind under the key ``kind``. Every kind is a plugin's, as is what reads the files
(``harness_studies.files``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.descriptors import Json
from harness.specs.yaml_loader import Document
from harness.tables.table import Table

if TYPE_CHECKING:
    from harness.workers.start import FoundExecutor

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study will do, for people and for programs; nothing was computed for it.

    Attributes:
        heads: Headings of ``rows``.
        rows: Cells of a table with a row for each part of the study; may be empty.
        notes: Sentences printed below the table.
        problems: Why parts of the study cannot be had, one line each.
        data: The same plan as plain data.
    """

    heads: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()
    data: Json = None


@dataclass(frozen=True, slots=True)
class StudyReport:
    """What a study measured.

    Attributes:
        tables: Tables to print.
        files: Paths that were written.
        failed: One line for each part that failed.
        page: Writes the results as a page of documentation and returns the paths it wrote.
    """

    tables: Sequence[Table]
    files: Sequence[Path]
    failed: Sequence[str]
    page: Callable[[Path], Sequence[Path]]


class LoadedStudy(Protocol):
    """A study whose file is valid and names only things that are installed."""

    id: str
    title: str
    profile: str | None

    def plan(self, results: Path | None) -> StudyPlan:
        """Return what is done and what is missing; load no weights.

        Args:
            results: Folder of trainings and records; that of the settings by default.
        """
        ...

    def run(self, out: Path, results: Path | None, say: Say) -> StudyReport:
        """Compute what is missing and write the tables into ``out``.

        What was sealed before is not computed again, so a run that was stopped continues.

        Args:
            out: Folder of the tables.
            results: As for :meth:`plan`.
            say: Takes one line of progress.
        """
        ...


@runtime_checkable
class RunsOnWorkers(Protocol):
    """A study whose parts can run on workers of an executor."""

    def run_on(
        self, workers: FoundExecutor, source: str, out: Path, results: Path | None, say: Say
    ) -> StudyReport:
        """Do what :meth:`LoadedStudy.run` does by workers; the numbers must be the same.

        Args:
            workers: Starts them.
            source: Id or absolute path of the study's file.
            out: Folder of the tables.
            results: Folder of trainings and records, which all workers see.
            say: Takes one line of progress.
        """
        ...


StudyKind = Callable[[Document], LoadedStudy]
"""The target of a :class:`harness.descriptors.StudyDescriptor`.

It raises :class:`harness.errors.UserError` at ``file:line:column`` for a file that is not valid.
"""
