"""The contract of submission files: what a benchmark's server takes, from one sealed evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.runs.sample_record import SampleRecord


@dataclass(frozen=True, slots=True)
class SubmissionLayout:
    """How one benchmark's file looks: the target of a ``SubmissionDescriptor``.

    Attributes:
        formats: File name ending to what makes the file's bytes of rows. It raises UserError for
            a row that the form cannot hold whole.
        row: A sample record, and the text that answers it, to a row; raises KeyError or
            ValueError for a record of another kind.
    """

    formats: Mapping[str, Callable[[Iterable[dict[str, Any]]], bytes]]
    row: Callable[[SampleRecord, str], dict[str, Any]]
