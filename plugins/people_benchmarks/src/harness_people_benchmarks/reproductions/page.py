"""The table of published and measured numbers, and a page in which it is replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import UserError

from harness_people_benchmarks.reproductions.targets import Target

if TYPE_CHECKING:
    from harness.runs.record import EvaluationRecord

BEGIN, END = "<!-- reproductions -->", "<!-- end of reproductions -->"
HEADS = ("what", "metric", "published", "margin", "measured", "difference", "interval", "verdict")
_NOT_RUN = "not run"
_LEFT_OUT = ("demo", "limited", "errored")
_DIGITS = 2
_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rerun gave, in the units of the table.

    Attributes:
        origin: ``a run``, or ``the authors' files``.
    """

    value: float
    low: float | None = None
    high: float | None = None
    origin: str = "a run"


def from_records(target: Target, records: Iterable[EvaluationRecord]) -> Measured | None:
    """Return the number of the record that fits a target, or of the records it is the mean of.

    A record fits when task, named options and checkpoint are the target's, nothing marks it as a
    part or as drawn, and no variant or method changed it. A mean has no interval: the runs share
    their images.

    Raises:
        UserError: two records fit.
    """
    fitting = [record for record in records if _fits(target, record)]
    if target.mean_over is None:
        return _measured(target, fitting)
    option, values = target.mean_over
    runs = [
        _measured(
            target, [record for record in fitting if record.task_options.get(option) == value]
        )
        for value in values
    ]
    complete = [run for run in runs if run is not None]
    if len(complete) < len(values):
        return None
    return Measured(sum(run.value for run in complete) / len(complete))


def _measured(target: Target, fitting: Sequence[EvaluationRecord]) -> Measured | None:
    if len(fitting) > 1:
        names = ", ".join(str(record.directory) for record in fitting[:2])
        raise UserError(f"two evaluations fit {target.title!r}: {names}",
                        fix="name the folder of one run: --results FOLDER")  # fmt: skip
    for record in fitting:
        for metric in record.metrics:
            if metric.column == target.column and metric.value is not None:
                ends = metric.interval
                return Measured(
                    metric.scale * metric.value,
                    None if ends is None else metric.scale * ends.low,
                    None if ends is None else metric.scale * ends.high,
                )
    return None


def from_files(target: Target, figures: Mapping[str, Mapping[str, float]]) -> Measured | None:
    """Return the number that the authors' own files give; see ``published.genderbias_vl``."""
    if target.files is None:
        return None
    model, name = target.files
    value = figures.get(model, {}).get(name)
    return None if value is None else Measured(value, origin="the authors' files")


def verdict(target: Target, measured: Measured | None) -> str:
    """Return what a rerun says of a published number."""
    if measured is None:
        return _NOT_RUN
    if measured.origin != "a run":
        same = round(measured.value, _DIGITS) == round(target.published, _DIGITS)
        return f"{'equal' if same else 'differs'}, out of {measured.origin}"
    if abs(measured.value - target.published) <= target.margin:
        return "agrees"
    inside = (
        measured.low is not None
        and measured.high is not None
        and measured.low <= target.published <= measured.high
    )
    return "beyond the margin, within the interval" if inside else "differs"


def row(target: Target, measured: Measured | None) -> tuple[str, ...]:
    """Return the cells of HEADS; empty where nothing was measured."""
    cells = [target.title, target.column, f"{target.published:.2f}", f"{target.margin:g}"]
    if measured is None:
        return (*cells, "", "", "", _NOT_RUN)
    ends = ""
    if measured.low is not None and measured.high is not None:
        ends = f"[{measured.low:.2f}, {measured.high:.2f}]"
    off = round(measured.value - target.published, _DIGITS) + 0.0  # no minus zero
    difference = f"{off:+.2f}" if off else "0.00"
    return (*cells, f"{measured.value:.2f}", difference, ends, verdict(target, measured))


def with_earlier(page: str, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows, each that was not run as the page has it from an earlier run."""
    lines = page.partition(BEGIN)[2].partition(END)[0].splitlines()
    cells = [
        tuple(cell.strip().replace("\\|", "|") for cell in _BORDER.split(line)[1:-1])
        for line in lines
    ]
    earlier = {row[:4]: row for row in cells if len(row) == len(HEADS)}
    return [earlier.get(row[:4], row) if row[-1] == _NOT_RUN else row for row in rows]


def filled(page: str, rows: Sequence[Sequence[str]]) -> str:
    """Return a page with the table between its two marks replaced.

    Raises:
        UserError: the page lacks the marks.
    """
    before, begun, remainder = page.partition(BEGIN)
    _, ended, after = remainder.partition(END)
    if not begun or not ended:
        raise UserError(f"the page has no {BEGIN} ... {END}", fix="write both where the table goes")
    lines = [HEADS, [":--"] * len(HEADS), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _fits(target: Target, record: EvaluationRecord) -> bool:
    description = json.dumps(
        [record.model, dict(record.model_options), dict(record.identity)]
    ).lower()
    return (
        record.task == target.task
        and not record.variant
        and record.method is None
        and record.training is None
        and not any(mark in record.marks for mark in _LEFT_OUT)
        and target.checkpoint.lower() in description
        and all(record.task_options.get(name) == value for name, value in target.options.items())
    )
