"""Samples of evaluations as one table: CSV, JSON lines or Parquet, a row for each sample."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.descriptors import is_installed
from harness.errors import PluginError
from harness.runs.exports import ExportOptions
from harness.runs.record import EvaluationRecord
from harness.runs.seal import open_whole
from harness.tables.frames import one_type, sample_rows

from harness_exports.records import write_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_samples(
    records: Sequence[EvaluationRecord], out: Path, options: ExportOptions
) -> list[Path]:
    """Write ``samples.csv``; lists are JSON, and no text is one that a spreadsheet computes."""
    del options
    rows = list(sample_rows(records))
    names = _names(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return [write_text(out / "samples.csv", text.getvalue())]


def jsonl_samples(
    records: Sequence[EvaluationRecord], out: Path, options: ExportOptions
) -> list[Path]:
    """Write ``samples.jsonl``; values are as they are in the records."""
    del options
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in sample_rows(records))
    return [write_text(out / "samples.jsonl", "".join(lines))]


def parquet_samples(
    records: Sequence[EvaluationRecord], out: Path, options: ExportOptions
) -> list[Path]:
    """Write ``samples.parquet``; a column of several types is JSON.

    Raises:
        PluginError: pyarrow is not installed.
    """
    del options
    if not is_installed("pyarrow"):
        raise PluginError("Parquet needs pyarrow", fix="pip install 'social-harness[data]'")
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = out / "samples.parquet"
    with open_whole(path) as file:
        pq.write_table(pa.Table.from_pylist(one_type(sample_rows(records))), file)
    return [path]


def _names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
