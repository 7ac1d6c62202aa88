"""Tables of finished evaluations: ``leaderboard``, ``read_evaluation``.

Statistics take half a second to import and few tables need them: functions import what they use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from harness.api.plugin_functions import function
from harness.api.records import (
    OnSkipped,
    Skipped,
    evaluation_at,
    newest_of,
    read_places,
    several,
    warn,
)
from harness.arguments import checked
from harness.errors import UserError
from harness.runs import read_evaluation as _read_evaluation
from harness.runs.record import EvaluationRecord
from harness.tables.build import TableOptions, build_table
from harness.tables.known import InstalledTasks, listed
from harness.tables.layout import Layout, load_layout
from harness.tables.table import Table, TableStyle

_ANALYSIS = "analysis.json"  # harness.analysis.results has it; what it imports takes long


@checked
def read_evaluation(directory: Path | str, *, details: bool = True) -> EvaluationRecord:
    """Read one finished evaluation, checking its seal.

    Args:
        directory: The evaluation's directory, or its name (``TASK/NAME``).
        details: ``False`` reads what a table needs: slices, details and comparisons stay empty.

    Raises:
        UserError: not there, not finished, damaged, or of a newer format.
    """
    return _read_evaluation(evaluation_at(directory), details=details)


@checked
def leaderboard(
    places: Path | str | Iterable[Path | str | EvaluationRecord] | None = None,
    *,
    tasks: str | Iterable[str] | None = None,
    metric: str | None = None,
    layout: Path | str | None = None,
    slices: str | Iterable[str] | None = None,
    options: TableOptions | None = None,
    interval: Literal["brackets", "half", "none"] | None = None,
    ties: bool = False,
    margin: float | None = None,
    human_share: bool = False,
    robustness: bool = False,
    intersect: bool = False,
    strict: bool = False,
    on_skipped: OnSkipped | None = None,
) -> Table:
    """Return the table of finished evaluations, or of analyses.

    Args:
        places: Results folders, run manifests, names of runs or evaluations, folders of analyses,
            or records; by default the layout's runs, or the results folder of the settings.
        tasks: Ids of the tasks and groups to show, in this order; a text may hold several,
            separated by commas.
        metric: Id or heading of the metric to show instead of each task's own.
        layout: Name or file of a layout, in place of ``tasks`` and ``metric``.
        slices: Slices, such as ``gender``, whose groups have columns (``social-harness-exports``).
        options: Baseline, rule for duplicates, style and tests.
        interval: How intervals are shown; as the layout says otherwise.
        ties: Mark values that a paired test does not tell from the best.
        margin: Mark instead those that are shown to differ from it by less, in the table's units.
        human_share: Show each number as a share of the annotators' (``social-harness-claims``).
        robustness: Show how much numbers depend on prompt variants (``social-harness-studies``).
        intersect: Count only samples that all evaluations of a task share (likewise).
        strict: Check the bytes of every sample file too.
        on_skipped: Called once with what was damaged, unfinished or superseded; warns by default.

    Raises:
        UserError: no record, an unknown task, metric or layout, or two evaluations for one cell.
    """
    on_skipped, options = on_skipped or warn, options or TableOptions()
    if layout is not None and (tasks is not None or metric is not None):
        raise UserError("a layout selects tasks and metrics", fix="leave out tasks and metric")
    if margin is not None and not ties:
        raise UserError("a margin only decides ties", fix="--ties --margin NUMBER")
    groups, entries = listed(slices), several(places)
    judged = {"baseline": options.baseline, "duplicates": options.duplicates != "fail",
              "human_share": human_share, "layout": layout, "metric": metric,
              "one_sided": options.one_sided, "slices": groups, "ties": ties}  # fmt: skip
    if robustness:
        _refuse_with("--robustness", interval=interval, **judged)
    if intersect:
        _refuse_with("--intersect", ties=ties)
    if groups:
        _refuse_with("--slices", layout=layout, ties=ties, human_share=human_share)
    analyses = [_analyses(Path(place)) for place in entries if isinstance(place, Path | str)]
    if any(analyses):
        if len([*filter(None, analyses)]) < len(entries):
            raise UserError("analyses and evaluations cannot share one table", fix="give one kind")
        _refuse_with("analyses", intersect=intersect, robustness=robustness, **judged)
        return _analysis_table(analyses, tasks, interval)
    loaded = None if layout is None else load_layout(str(layout))
    records = _records(entries, loaded, on_skipped, strict or bool(groups), intersect or robustness)
    installed = InstalledTasks()
    chosen = installed.chosen(tasks, records)
    records = installed.arranged(records, chosen, loaded)
    if intersect:
        records = function("intersected")(records)
    if slices is not None:
        records, chosen = function("in_slices")(records, groups, chosen, metric)
    if robustness:
        of_tasks = (one for one in records if chosen is None or one.task in chosen)
        return cast("Table", function("robustness_table")(of_tasks))
    options = settled_options(options, installed, loaded, interval)
    if ties:
        from harness.evaluation.paired import TiedWithBest

        options = replace(options, tied=TiedWithBest(records, margin=margin))
    table = build_table(records, tasks=chosen, metric=metric, layout=loaded, options=options)
    return cast("Table", function("with_human_shares")(table)) if human_share else table


def settled_options(
    options: TableOptions, installed: InstalledTasks, layout: Layout | None, interval: Any
) -> TableOptions:
    """Return options with what nobody chose: who can answer what, and how means are bounded."""
    style = options.looks
    if interval is not None:
        style = style or (TableStyle() if layout is None else layout.looks)
        style = replace(style, interval=interval)
    seed_interval = options.seed_interval
    if seed_interval is None and options.duplicates == "mean":
        from harness.stats.intervals import over_seeds

        seed_interval = over_seeds
    supports = options.supports or installed.supports
    return replace(options, looks=style, seed_interval=seed_interval, supports=supports)


def _records(
    entries: Sequence[Any],
    layout: Layout | None,
    on_skipped: OnSkipped,
    details: bool,
    newest: bool,
) -> list[EvaluationRecord]:
    """Return records as they are given, and those of places, each once."""
    records = [entry for entry in entries if isinstance(entry, EvaluationRecord)]
    places = [entry for entry in entries if not isinstance(entry, EvaluationRecord)]
    if records and not places:
        return records
    if not entries and layout is not None:
        places = list(layout.runs)
    if newest:
        surveyed, _ = newest_of(places, on_skipped, details=details)
    else:
        surveyed, left_out = read_places(places, details=details)
        on_skipped(Skipped(left_out))
    return [*records, *surveyed]


def _analyses(folder: Path) -> list[Path]:
    """Return the analysis that a place is, or those that a folder of them holds."""
    if (folder / _ANALYSIS).is_file():
        return [folder]
    patterns = (f"*/{_ANALYSIS}", f"*/*/{_ANALYSIS}")
    return sorted(path.parent for pattern in patterns for path in folder.glob(pattern))


def _refuse_with(what: str, **flags: object) -> None:
    """Refuse flags that say nothing beside something else."""
    for name, value in flags.items():
        if value:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} does not go with {what}", fix="leave one of them out")


def _analysis_table(
    places: Sequence[Sequence[Path]], tasks: str | Iterable[str] | None, interval: Any
) -> Table:
    from harness.analysis.board import analysis_table
    from harness.analysis.results import read_analysis

    folders = dict.fromkeys(path for paths in places for path in paths)
    style = None if interval is None else TableStyle(interval=interval)
    return analysis_table(
        [read_analysis(path) for path in folders], tasks=listed(tasks), looks=style
    )
