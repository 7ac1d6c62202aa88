"""The contract of exporters: evaluation records in the formats of others; no number is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.runs.record import EvaluationRecord


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What records do not say and a format asks for.

    Attributes:
        organization: Name who ran the evaluations.
        datasets: Task to the Hub id of its benchmark, ``OWNER/NAME`` or ``OWNER/NAME#TASK_ID``.
    """

    organization: str = "unknown"
    datasets: Mapping[str, str] = field(default_factory=dict)


Exporter = Callable[[Sequence[EvaluationRecord], Path, ExportOptions], list[Path]]
"""The target of an :class:`harness.descriptors.ExporterDescriptor`; returns the files written.

It raises :class:`harness.errors.UserError` for what the format needs and nobody said, and lets
``OSError`` of a folder that cannot be written through.
"""
