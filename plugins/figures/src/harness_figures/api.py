"""A figure of finished results: :func:`harness.plot`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from harness.api.records import OnSkipped, newest_of, several, warn
from harness.arguments import checked
from harness.errors import UserError
from harness.figures.contract import FigureRequest
from harness.figures.make import make_figure
from harness.figures.save import ENDINGS
from harness.plugins import find, plugins
from harness.runs.record import EvaluationRecord
from harness.runs.seal import write_whole

_CHOICES = ("tasks", "metric", "model", "x", "y", "duplicates")


@checked
def plot(
    kind: str,
    out: Path | str,
    places: Path | str | Iterable[Path | str] | None = None,
    *,
    tasks: str | None = None,
    metric: str | None = None,
    model: str | None = None,
    x: str | None = None,
    y: str | None = None,
    duplicates: Literal["fail", "newest", "mean"] = "fail",
    on_skipped: OnSkipped | None = None,
) -> Path:
    """Draw a figure and return its file; the same input gives the same bytes.

    Args:
        kind: A figure; see ``harness list figures``.
        out: The file: ``.pdf``, ``.png`` or ``.svg``.
        places: Folders of evaluations or runs by name (by default the results folder), the folder
            of one training, or that of one analysis.
        tasks: Only these tasks and groups, with commas between.
        metric: This metric instead of each task's own.
        model: Only this model, when several are there.
        x: ``TASK`` or ``TASK:METRIC`` across a scatter.
        y: ``TASK`` or ``TASK:METRIC`` up a scatter.
        duplicates: What to do when evaluations claim one place.
        on_skipped: Called with what was damaged, unfinished or superseded; warns by default.

    Raises:
        PluginError: the figure is not installed, needs matplotlib, or breaks its contract.
        UserError: nothing there that the figure shows, or a file that cannot be written.
    """
    out, named = Path(out), [str(place) for place in several(places)]
    if out.suffix not in ENDINGS:
        raise UserError(
            f"no figure is written as {out.name}", where="--out", fix=", ".join(ENDINGS)
        )

    def evaluations(*, details: bool = False) -> list[EvaluationRecord]:
        return newest_of(named, on_skipped or warn, details=details)[0]

    descriptor = find("figure", kind, plugins().figures())
    request = _Watched(kind, named, evaluations, tasks, metric, model, x, y, duplicates)
    figure = make_figure(descriptor, request)
    _refuse_unread(request)
    content = figure.content(out.suffix, note=_note_of_marks(figure.plot.marks))
    write_whole(out, [content])
    return out


class _Watched(FigureRequest):
    """A request that knows which of its fields were read."""

    def __getattribute__(self, name: str) -> Any:
        """Return an attribute, and remember that it was read."""
        if name in _CHOICES:
            vars(self).setdefault("read", set()).add(name)
        return super().__getattribute__(name)


def _refuse_unread(request: _Watched) -> None:
    """Check that the figure's maker looked at all that was chosen for it.

    Raises:
        UserError: something would have been ignored.
    """
    read: set[str] = set(vars(request).get("read", ()))
    usual = {name: "fail" if name == "duplicates" else None for name in _CHOICES}
    for name in _CHOICES:
        if name not in read and getattr(request, name) != usual[name]:
            raise UserError(
                f"the figure {request.kind!r} does not depend on it",
                where=f"--{name}",
                fix=f"leave --{name} out",
            )


def _note_of_marks(marks: Iterable[str]) -> str:
    """Return marks as a figure shows them; empty without any."""
    distinct = sorted(set(marks))
    return f"Marked: {', '.join(distinct)}." if distinct else ""
