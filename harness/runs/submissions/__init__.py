"""Official submission files: what a benchmark's server takes, from one sealed evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.runs.read import read_evaluation
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.runs.seal import write_whole
from harness.runs.submissions import mmbench, vqav2
from harness.specs.resolve import read_resolved


@dataclass(frozen=True, slots=True)
class Layout:
    """How one benchmark's file looks.

    Attributes:
        formats: File name ending to what makes the file's bytes of rows.
        row: A sample record, and the text that answers it, to a row; raises KeyError or
            ValueError for a record of another kind.
        server: Who takes the file.
    """

    formats: Mapping[str, Callable[[Iterable[dict[str, Any]]], bytes]]
    row: Callable[[SampleRecord, str], dict[str, Any]]
    server: str


LAYOUTS: dict[str, Layout] = {
    "vqav2": Layout(vqav2.FORMATS, vqav2.row, vqav2.SERVER),
    "mmbench": Layout(mmbench.FORMATS, mmbench.row, mmbench.SERVER),
}
"""By ``data.benchmark`` of a spec."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A written file.

    Attributes:
        rows: Samples in it.
        missing: Those of them that errored, with an empty answer.
        server: Who takes it.
    """

    record: EvaluationRecord
    rows: int
    missing: int
    server: str


def write_submission(directory: Path, out: Path, *, allow_missing: bool = False) -> Submission:
    """Write an evaluation's answers as its benchmark's server takes them; the ending says the form.

    Args:
        directory: A sealed evaluation.
        out: The file; its folder is made if need be.
        allow_missing: Give samples that errored an empty answer, and take a limited evaluation.

    Raises:
        UserError: not a sealed evaluation, a benchmark without such a file, an ending it does not
            have, samples missing, or records of another kind.
    """
    if not directory.is_dir():
        raise UserError(
            "no such evaluation", where=directory, fix="a folder under results/evaluations/TASK"
        )
    record = read_evaluation(directory)
    layout = _layout(directory, record.task)
    make = layout.formats.get(out.suffix)
    if make is None:
        known = ", ".join(layout.formats)
        raise UserError(f"the submission of {record.task!r} ends in {known}", where=out)
    if not allow_missing:
        _refuse_missing(record, directory)
    counts = [0, 0]
    pieces = make(_rows(directory, layout, counts))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, [pieces])
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=out) from None
    return Submission(record, counts[0], counts[1], layout.server)


def _layout(directory: Path, task: str) -> Layout:
    benchmark = read_resolved(directory).data.benchmark
    if benchmark not in LAYOUTS:
        raise UserError(
            f"task {task!r} has no submission file",
            where=directory,
            fix=f"benchmarks that have one: {', '.join(sorted(LAYOUTS))}",
        )
    return LAYOUTS[benchmark]


def _refuse_missing(record: EvaluationRecord, directory: Path) -> None:
    if record.counts.errors:
        said = f"{record.counts.errors} of {record.counts.samples} samples errored"
    elif "limited" in record.marks:
        said = f"only {record.counts.samples} of the split's samples asked"
    else:
        return
    raise UserError(
        f"{said}; a server wants an answer to every question",
        where=directory,
        fix="mend what failed and run again, or --allow-missing",
    )


def _rows(directory: Path, layout: Layout, counts: list[int]) -> Iterator[dict[str, Any]]:
    for record in read_samples(directory):
        errored, written = record.error is not None, record.written
        counts[0] += 1
        counts[1] += errored
        try:
            if written is None and not errored:
                raise ValueError("no text was generated")
            yield layout.row(record, "" if errored or written is None else written.text)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"the record of sample {record.id!r} is not of this benchmark's own task: "
                f"{error!r}",
                where=directory,
            ) from None
