"""Official submission files: what a benchmark's server takes, from one sealed evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.descriptors import SubmissionDescriptor
from harness.errors import UserError
from harness.guard import Contract
from harness.plugins import contract_of, plugins
from harness.runs.read import read_evaluation
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.runs.seal import write_whole
from harness.runs.submissions import SubmissionLayout
from harness.specs.resolve import read_resolved
from harness.targets import load_target


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
        PluginError: the layout breaks its contract.
        UserError: not a sealed evaluation, a benchmark without such a file, an ending it does not
            have, samples missing, or records of another kind.
    """
    record = read_evaluation(directory)
    descriptor = _descriptor(directory, record.task)
    if out.suffix not in descriptor.suffixes:
        endings = ", ".join(descriptor.suffixes)
        raise UserError(f"a submission file of {record.task!r} must end in {endings}", where=out)
    contract = contract_of(descriptor)
    layout = load_target(descriptor)
    if not isinstance(layout, SubmissionLayout) or out.suffix not in layout.formats:
        raise contract.wrong(f"is no SubmissionLayout that writes {out.suffix}")
    if not allow_missing:
        _refuse_missing(record, directory)
    counts = [0, 0]
    with contract.calling("formats"):
        file_bytes = layout.formats[out.suffix](_rows(directory, layout, contract, counts))
    if not isinstance(file_bytes, bytes):
        raise contract.returned(file_bytes, "formats", "bytes")
    write_whole(out, [file_bytes])
    return Submission(record, counts[0], counts[1], descriptor.server)


def _descriptor(directory: Path, task: str) -> SubmissionDescriptor:
    benchmark, layouts = read_resolved(directory).data.benchmark, plugins().submissions()
    if benchmark not in layouts:
        raise UserError(
            f"task {task!r} has no submission file",
            where=directory,
            fix=f"benchmarks that have one: {', '.join(sorted(layouts)) or 'none is installed'}",
        )
    return layouts[benchmark]


def _refuse_missing(record: EvaluationRecord, directory: Path) -> None:
    if record.counts.errors:
        reason = f"{record.counts.errors} of {record.counts.samples} samples errored"
    elif "limited" in record.marks:
        reason = f"only {record.counts.samples} of the split's samples asked"
    else:
        return
    raise UserError(
        f"{reason}; the server needs an answer to every question",
        where=directory,
        fix="run again what failed, or add --allow-missing",
    )


def _rows(
    directory: Path, layout: SubmissionLayout, contract: Contract, counts: list[int]
) -> Iterator[dict[str, Any]]:
    for record in read_samples(directory):
        errored, written = record.error is not None, record.written
        counts[0] += 1
        counts[1] += errored
        try:
            if written is None and not errored:
                raise ValueError("no text was generated")
            row = layout.row(record, "" if errored or written is None else written.text)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"the record of sample {record.id!r} is not of this benchmark's own task: "
                f"{error!r}",
                where=directory,
            ) from None
        if not isinstance(row, dict):
            raise contract.returned(row, "row", "a dict")
        yield row
