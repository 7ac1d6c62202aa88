"""Evaluation records in the formats of others: each exporter writes files and changes no number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from harness.errors import UserError, unknown
from harness.runs.record import EvaluationRecord

FORMATS: Mapping[str, str] = {
    "eval_results": "Hugging Face .eval_results YAML: the headline value of each task.",
    "lm_eval": "Results JSON in the shape of lm-eval.",
    "every_eval_ever": "Every Eval Ever 0.3: aggregate JSON and samples.",
    "card": "An evaluation card in Markdown.",
}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What records do not say and a format asks for.

    Attributes:
        organization: Who ran the evaluations.
        datasets: Task to the Hub id of its benchmark, ``OWNER/NAME`` or ``OWNER/NAME#TASK_ID``.
    """

    organization: str = "unknown"
    datasets: Mapping[str, str] = field(default_factory=dict)


Exporter = Callable[[Sequence[EvaluationRecord], Path, ExportOptions], list[Path]]


def export(
    form: str, records: Sequence[EvaluationRecord], out: Path, terms: ExportOptions | None = None
) -> list[Path]:
    """Write records of sealed evaluations in a format; return the files written.

    Raises:
        UserError: an unknown format, no record, something the format needs and nobody said, or a
            folder that cannot be written.
    """
    if form not in FORMATS:
        raise unknown("export format", form, FORMATS)
    if not records:
        raise UserError("no finished evaluation to export", fix="harness run ... makes them")
    exporter: Exporter = import_module(f"harness.runs.exports.{form}").export
    try:
        return exporter(records, out, terms or ExportOptions())
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=out) from None
