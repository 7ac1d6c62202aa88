"""The contract of submission files: what a benchmark's server takes, from one sealed evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.runs.sample_record import SampleRecord


@dataclass(frozen=True, slots=True)
class SubmissionLayout:
    """The layout of a benchmark's submission file: the target of a ``SubmissionDescriptor``.

    Attributes:
        formats: Maps a file name ending to a function from rows to bytes, which raises UserError
            for a row that the format cannot hold.
        row: Function from a sample record and the answer's text to a row; raises KeyError or
            ValueError for a record of another kind.
    """

    formats: Mapping[str, Callable[[Iterable[dict[str, Any]]], bytes]]
    row: Callable[[SampleRecord, str], dict[str, Any]]
