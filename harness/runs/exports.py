"""Evaluation records in the formats of others: each exporter writes files and changes no number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UserError, reason_of
from harness.plugins import contract_of, find, plugins
from harness.runs.record import EvaluationRecord
from harness.targets import load_target


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
"""The target of an :class:`harness.descriptors.ExporterDescriptor`; returns the files written.

It raises :class:`harness.errors.UserError` for what the format needs and nobody said, and lets
``OSError`` of a folder that cannot be written through.
"""


def export(
    form: str,
    records: Sequence[EvaluationRecord],
    out: Path,
    options: ExportOptions | None = None,
) -> list[Path]:
    """Write records of sealed evaluations in a format; return the files written.

    Raises:
        UserError: an unknown format, no record, something the format needs and nobody said, or a
            folder that cannot be written.
        PluginError: the exporter breaks its contract.
    """
    descriptor = find("exporter", form, plugins().exporters())
    if not records:
        raise UserError("no finished evaluation to export", fix="harness run ... makes them")
    exporter: Exporter = load_target(descriptor)
    contract = contract_of(descriptor)
    try:
        with contract.calling("a call", lambda error: isinstance(error, OSError)):
            paths = exporter(records, out, options or ExportOptions())
    except OSError as error:
        raise UserError(f"cannot be written: {reason_of(error)}", where=out) from None
    if not isinstance(paths, list) or not all(isinstance(path, Path) for path in paths):
        raise contract.returned(paths, "a call", "a list of paths")
    for path in paths:
        if not path.is_file():
            raise contract.returned(str(path), "a call", "the path of a file that it has written")
    return paths
