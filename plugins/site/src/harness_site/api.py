"""Build a static site of finished evaluations: :func:`harness.build_site`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from harness.analysis.results import FOLDER, SEAL, Analysis, read_analysis
from harness.api.records import OnSkipped, Skipped, newest_of, several, warn
from harness.api.runs import settings_for
from harness.api.tables import settled_options
from harness.arguments import FORMER, Within, checked
from harness.config.tasks import installed_catalog
from harness.errors import UserError
from harness.runs.read import LeftOut
from harness.tables.build import TableOptions
from harness.tables.known import InstalledTasks
from harness.tables.layout import load_layout

from harness_site.build import build_site as write
from harness_site.questions import Sources

FORMER["build_site"] = {"say": "on_note"}


@checked
def build_site(
    out: Path | str,
    places: Path | str | Iterable[Path | str] | None = None,
    *,
    layouts: Iterable[str] = (),
    duplicates: Literal["fail", "newest", "mean"] = "fail",
    images: Annotated[int, Within(0)] = 200,
    with_images: bool = False,
    figures: bool = True,
    profile: str | None = None,
    data: Mapping[str, Path | str] | None = None,
    on_skipped: OnSkipped | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Path:
    """Write a static site of finished evaluations and return its first page.

    Args:
        out: A folder that is empty, not there, or holds a site, which is replaced.
        places: Folders of evaluations or runs; by default the layouts' runs, or the results folder.
        layouts: Names or files of layouts, whose tables come first.
        duplicates: What to do when evaluations claim one cell.
        images: Show thumbnails of at most this many samples per task, wrong ones first.
        with_images: Show images of people who are not drawn too; look at the data's licence first.
        figures: Draw figures (needs matplotlib).
        profile: ``demo`` or ``full``: where data are looked for.
        data: Task or benchmark id to the folder its data lie in.
        on_skipped: Called with what was damaged, unfinished or superseded; warns by default.
        on_note: Called with notes, such as images that could not be read.

    Raises:
        UserError: no finished evaluation, or something else is in the folder.
    """
    on_skipped = on_skipped or warn
    loaded = tuple(load_layout(name) for name in layouts)
    chosen = several(places) or [*dict.fromkeys(name for layout in loaded for name in layout.runs)]
    settings = settings_for(profile, None, data)
    records, _ = newest_of(chosen, on_skipped, details=True)
    analyses, damaged = read_analyses(chosen or [settings.results])
    if damaged:
        on_skipped(Skipped([LeftOut(Path(), problem) for problem in damaged]))
    installed = InstalledTasks()
    sources = Sources(
        catalog=installed_catalog(),
        settings=settings,
        images=images,
        with_images=with_images,
        figures=figures,
        say=on_note or (lambda _: None),
        layouts=loaded,
    )
    options = settled_options(TableOptions(duplicates=duplicates), installed, None, None)
    return write(Path(out), installed.ordered(records), options, sources, analyses)


def read_analyses(places: Iterable[Path | str]) -> tuple[list[Analysis], list[str]]:
    """Read every sealed analysis of results folders; return what cannot be read as lines."""
    analyses: list[Analysis] = []
    problems: list[str] = []
    for folder in map(Path, places):
        for seal in sorted((folder / FOLDER).glob(f"*/*/{SEAL}")):
            try:
                analyses.append(read_analysis(seal.parent))
            except UserError as error:
                problems.append(" ".join(str(error).split()))
    return analyses, problems
