"""The kind of study as ``harness study`` plans, runs and prints it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.analysis.board import AnalysisView, Board, analysis_table
from harness.analysis.results import Analysis
from harness.config.settings import load_settings
from harness.specs.yaml_loader import Document
from harness.studies.kind import Say, StudyPlan, StudyReport
from harness.tables.table import Section, Table
from harness_analyses.cells import (
    cell_of,
    column_of,
    put_loss,
    put_value,
    row_namer,
)

from harness_social_degradation.page import write_page
from harness_social_degradation.run import run_parts
from harness_social_degradation.study import DegradationStudy, read_degradation
from harness_social_degradation.tables import write_degradation, written

Row = Mapping[str, Any]


def load(document: Document) -> Degradation:
    """Return the study of a file.

    Raises:
        UserError: as :func:`.study.read_degradation`.
    """
    return Degradation(read_degradation(document))


class Degradation:
    """A study that can be planned and run; see :class:`harness.studies.kind.LoadedStudy`."""

    def __init__(self, study: DegradationStudy) -> None:
        self._study = study
        self.id, self.title, self.profile = study.id, study.title, study.profile

    def plan(self, results: Path | None) -> StudyPlan:
        """Return what the study trains, probes and evaluates, whether it is sealed or not."""
        del results
        lines = self._study.plan()
        return StudyPlan(notes=lines, data=[*lines])

    def run(self, out: Path, results: Path | None, say: Say) -> StudyReport:
        """Compute what is missing, then seal the tables and write them into ``out``."""
        started = time.monotonic()

        def say_when(text: str) -> None:
            say(f"{(time.monotonic() - started) / 60:5.1f} min  {text}")

        study = self._study
        parts = run_parts(study, results, say_when)
        root = load_settings(profile=study.profile, results=results).results
        analysis = write_degradation(study, parts, root)
        return StudyReport(
            printed_tables(analysis),
            written(analysis, out),
            (),
            lambda page: write_page(study, analysis, page, parts.steps),
        )


# --- tables for people ----------------------------------------------------------------------------


def printed_tables(analysis: Analysis) -> list[Table]:
    """Return the tables of losses, of joint training and of gradient conflict, where measured."""
    tables = {table.name: table.records() for table in analysis.tables}
    printed = [analysis_table([analysis])]
    if "transfer" in tables:
        board = Board()
        for row in tables["transfer"]:
            column = column_of(row, "change", "change, %", "higher", 100.0)
            board.put(f"tower {row['tower']}", column, cell_of(analysis, row, "relative", 100.0))
        title = "Joint against single-task training: change in percent, positive is better"
        printed.append(_table(board, title))
    if "conflict" in tables:
        board = Board()
        for row in tables["conflict"]:
            column = column_of({"task": row["second"]}, "cosine", "cosine", "none", 1.0)
            name = f"tower {row['tower']}, {row['first']}"
            board.put(name, column, cell_of(analysis, row, "cosine", 1.0))
        title = "Cosine between tasks' gradients; a task with itself is the reference"
        printed.append(_table(board, title))
    return printed


def _table(board: Board, title: str) -> Table:
    section = Section("", tuple(board.cells(board.columns)))
    note = "Means over seeds, with Student's t interval."
    return Table(tuple(board.columns.values()), (section,), (note,), title=title)


def _fill(analysis: Analysis, board: Board) -> None:
    """Fill a row for each tower: the probe before, then means over seeds with what was lost."""
    before = [row for row in analysis.table("probe").records() if row["seed"] is None]
    named = row_namer(before)
    direction: dict[Any, Any] = {row["task"]: row["direction"] for row in before}
    for row in before:
        put_value(analysis, board, named(row), row)
        put_loss(analysis, board, named(row), row, None)
    for loss in analysis.table("degradation").records():
        # One seed per cell: how many seeds a mean is of stands in the notes.
        row = {**loss, "seeds": 1, "direction": direction[loss["task"]]}
        after = {**row, "value": row["after"], "low": None, "high": None}
        put_value(analysis, board, named(row), after)
        put_loss(analysis, board, named(row), row, row)


VIEW = AnalysisView(
    title="What training took from a vision tower",
    note="lost: the probe before training against after, positive where it is worse after; means "
    "over seeds, with Student's t interval.",
    fill=_fill,
    captions={
        "probe": "What the classifier reaches on test samples, with 95 % intervals over clusters; "
        "without a seed: the tower before.",
        "degradation": "Probe before training against after; positive: worse after. Mean over "
        "seeds, with Student's t 95 % interval.",
        "groups": "Mean share lost over the tasks in question and over controls.",
        "contrasts": "What the first training took away minus what the second did.",
        "transfer": "Joint against single training from each tower; change in percent of single, "
        "positive: joint is better. Student's t 95 % intervals over seeds, cut to the changes "
        "that the metric allows.",
        "conflict": "Cosine between tasks' gradients, mean over seeds, with Student's t 95 % "
        "interval, cut to -1 and 1; a task with itself is the reference.",
    },
)
