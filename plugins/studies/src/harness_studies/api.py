"""Run a study: :func:`harness.plan_study` and :func:`harness.study`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.arguments import FORMER, checked
from harness.config.settings import load_settings
from harness.descriptors import Json
from harness.errors import UserError
from harness.studies.kind import LoadedStudy, RunsOnWorkers, StudyPlan, StudyReport
from harness.workers.start import FoundExecutor, find_executor

from harness_studies.files import open_study, read_study
from harness_studies.pages import check_page

FORMER["study"] = {"say": "on_note"}


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """A study that is planned but not begun.

    Attributes:
        id: Name of the study.
        plan: What is done and what is missing.
    """

    id: str
    plan: StudyPlan
    _loaded: LoadedStudy
    _source: str
    _results: Path | None
    _page: Path | None
    _workers: FoundExecutor | None

    def run(self, out: Path | None = None, say: Callable[[str], None] | None = None) -> StudyReport:
        """Compute what is missing, and write tables and page.

        Args:
            out: Folder of the tables; ``studies/ID`` in the results folder by default.
            say: Called with notes on progress.
        """
        settings = load_settings(profile=self._loaded.profile, results=self._results)
        folder = out or settings.results / "studies" / self.id
        say = say or (lambda _: None)
        if self._workers is not None and isinstance(self._loaded, RunsOnWorkers):
            report = self._loaded.run_on(self._workers, self._source, folder, self._results, say)
        else:
            report = self._loaded.run(folder, self._results, say)
        pages = () if self._page is None else report.page(self._page)
        return replace(report, files=(*report.files, *pages))


@checked
def plan_study(
    name: Path | str,
    *,
    results: Path | str | None = None,
    page: Path | str | None = None,
    on: str | None = None,
    executor_options: Mapping[str, Json] | None = None,
) -> PlannedStudy:
    """Plan a study without loading a weight; arguments as for :func:`study`.

    Raises:
        UserError: no such study or executor, a file that is not valid, a page that is another
            study's, or a kind of study that runs in one process.
    """
    workers = None
    if on is not None or executor_options:
        workers = find_executor(on, executor_options or {})
    document = open_study(str(name))
    loaded = read_study(document)
    if workers is not None and not isinstance(loaded, RunsOnWorkers):
        raise UserError(
            f"the study {loaded.id!r} is of a kind that runs in one process",
            where=f"--on {workers.descriptor.id}",
            fix="leave --on out",
        )
    source = str(name) if Path(name).suffix == "" else str(Path(name).absolute())
    page = None if page is None else Path(page)
    if page is not None:
        check_page(loaded, page)
    results = None if results is None else Path(results)
    plan = loaded.plan(results)
    return PlannedStudy(loaded.id, plan, loaded, source, results, page, workers)


@checked
def study(
    name: Path | str,
    *,
    out: Path | str | None = None,
    results: Path | str | None = None,
    page: Path | str | None = None,
    on: str | None = None,
    executor_options: Mapping[str, Json] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> StudyReport:
    """Train and evaluate what a study's file lists, and write its tables; continues what was begun.

    Args:
        name: A study's file, or the id of a shipped one.
        out: Folder of the tables; ``studies/ID`` in the results folder by default.
        results: Folder of trainings and records; that of the settings by default.
        page: Write the results as this page (.md), with numbers and figure beside it.
        on: Id of an executor whose workers train and evaluate, each a trial at a time; this
            process does one after the other when ``None``.
        executor_options: Its options (``-e``).
        on_note: Called with notes on progress.

    Raises:
        UserError: as :func:`plan_study`.
    """
    planned = plan_study(name, results=results, page=page, on=on, executor_options=executor_options)
    return planned.run(None if out is None else Path(out), on_note)
