"""Run a study: :func:`harness.plan_study` and :func:`harness.study`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.arguments import checked
from harness.config.settings import load_settings
from harness.studies.kind import LoadedStudy, StudyPlan, StudyReport, read_study
from harness.studies.loader import open_study
from harness.studies.page import check_page


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
    _results: Path | None
    _page: Path | None

    def run(self, out: Path | None = None, say: Callable[[str], None] | None = None) -> StudyReport:
        """Compute what is missing, and write tables and page.

        Args:
            out: Folder of the tables; ``studies/ID`` in the results folder by default.
            say: Called with notes on progress.
        """
        settings = load_settings(profile=self._loaded.profile, results=self._results)
        folder = out or settings.results / "studies" / self.id
        report = self._loaded.run(folder, self._results, say or (lambda _: None))
        pages = () if self._page is None else report.page(self._page)
        return replace(report, files=(*report.files, *pages))


@checked
def plan_study(
    name: Path | str, *, results: Path | str | None = None, page: Path | str | None = None
) -> PlannedStudy:
    """Plan a study without loading a weight; arguments as for :func:`study`.

    Raises:
        UserError: no such study, a file that is not valid, or a page that is another study's.
    """
    loaded = read_study(open_study(str(name)))
    page = None if page is None else Path(page)
    if page is not None:
        check_page(loaded, page)
    results = None if results is None else Path(results)
    return PlannedStudy(loaded.id, loaded.plan(results), loaded, results, page)


@checked
def study(
    name: Path | str,
    *,
    out: Path | str | None = None,
    results: Path | str | None = None,
    page: Path | str | None = None,
    say: Callable[[str], None] | None = None,
) -> StudyReport:
    """Train and evaluate what a study's file lists, and write its tables; continues what was begun.

    Args:
        name: A study's file, or the id of a shipped one.
        out: Folder of the tables; ``studies/ID`` in the results folder by default.
        results: Folder of trainings and records; that of the settings by default.
        page: Write the results as this page (.md), with numbers and figure beside it.
        say: Called with notes on progress.

    Raises:
        UserError: no such study, a file that is not valid, or a page that is another study's.
    """
    planned = plan_study(name, results=results, page=page)
    return planned.run(None if out is None else Path(out), say)
