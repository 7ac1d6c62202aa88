"""What a figure of ``harness plot`` and of pages is made of: the request, and what is drawn how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.errors import UserError

if TYPE_CHECKING:
    from harness.analysis.results import Analysis
    from harness.runs.record import EvaluationRecord
    from harness.tables.table import Table


class ReadEvaluations(Protocol):
    """Reads the newest finished evaluations of the request's places."""

    def __call__(self, *, details: bool = False) -> list[EvaluationRecord]:
        """Return them; with ``details``, hash the samples too and read tables of detail."""


@dataclass(frozen=True, slots=True)
class FigureRequest:
    """What a figure is made of.

    Attributes:
        kind: Id of the figure.
        places: Folders of evaluations, of a training or of an analysis, or runs by name.
        evaluations: Reads the evaluations of ``places``, or of the results folder without any.
        tasks: Only these tasks and groups, with commas between.
        metric: This metric instead of each task's own.
        model: Only this model.
        x: ``TASK`` or ``TASK:METRIC`` across.
        y: ``TASK`` or ``TASK:METRIC`` up.
        duplicates: What to do when evaluations claim one place.
        subject: What a page shows, in place of all the above, for a figure whose descriptor says
            that pages show it.
    """

    kind: str
    places: Sequence[str]
    evaluations: ReadEvaluations
    tasks: str | None = None
    metric: str | None = None
    model: str | None = None
    x: str | None = None
    y: str | None = None
    duplicates: Literal["fail", "newest", "mean"] = "fail"
    subject: EvaluationRecord | Analysis | Table | None = None

    def folder(self, noun: str) -> Path:
        """Return the one folder that was named, of a ``noun``.

        Raises:
            UserError: none, or several.
        """
        if len(self.places) != 1:
            raise UserError(
                f"{self.kind} wants the folder of one {noun}",
                fix=f"harness plot {self.kind} FOLDER ...",
            )
        return Path(self.places[0])


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, and how.

    Attributes:
        draw: Takes ``shown``; returns a ``matplotlib.figure.Figure``.
        shown: Plain data, without matplotlib.
        marks: Marks of what is shown, such as ``demo``; they are printed under the figure.
        caption: A sentence or two that say on a page what the figure shows.
    """

    draw: Callable[[Any], Any]
    shown: Any
    marks: Iterable[str] = ()
    caption: str = ""


MakePlot = Callable[[FigureRequest], Plot]
"""The target of a :class:`harness.descriptors.FigureDescriptor`.

It raises :class:`harness.errors.UserError` for places that have nothing of what it shows.
"""
