"""MMBench's submission: the split's table with a column ``prediction``, images left out.

The server takes ``.xlsx``, as open-compass/VLMEvalKit (commit e8e78f05) writes it; ``.tsv`` and
``.csv`` hold the same rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from harness.runs.sample_record import SampleRecord
from harness.runs.submissions import SubmissionLayout

from harness_benchmarks.submissions.xlsx import workbook

_FIELDS = ("question", "hint", "A", "B", "C", "D", "E")
COLUMNS = ("index", *_FIELDS, "category", "l2-category", "prediction")


def row(record: SampleRecord, text: str) -> dict[str, Any]:
    """Return a row of the table; the prediction is the model's whole text."""
    fields, groups = record.fields, record.groups
    return {
        "index": int(record.id),
        **{name: fields[name] for name in _FIELDS},
        "category": groups["category"].value if "category" in groups else "",
        "l2-category": groups["l2_category"].value if "l2_category" in groups else "",
        "prediction": text,
    }


def _xlsx(rows: Iterable[dict[str, Any]]) -> bytes:
    return workbook(COLUMNS, ([row[name] for name in COLUMNS] for row in rows))


def _separated(rows: Iterable[dict[str, Any]], delimiter: str) -> bytes:
    memory = io.StringIO(newline="")
    writer = csv.DictWriter(memory, COLUMNS, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return memory.getvalue().encode()


def _tsv(rows: Iterable[dict[str, Any]]) -> bytes:
    return _separated(rows, "\t")


def _csv(rows: Iterable[dict[str, Any]]) -> bytes:
    return _separated(rows, ",")


LAYOUT = SubmissionLayout({".xlsx": _xlsx, ".tsv": _tsv, ".csv": _csv}, row)
