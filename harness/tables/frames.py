"""Samples and tables as rows for pandas, polars and files of others: one flat mapping a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.descriptors import is_installed
from harness.errors import PluginError
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, SentPrompt, read_samples
from harness.tables.table import Table

_NUMBERS = ("value", "low", "high", "n", "clusters", "errors", "unparsed", "refusals")
"""Of a cell, as columns of a frame."""


def sample_rows(records: Iterable[EvaluationRecord]) -> Iterator[dict[str, Any]]:
    """Yield one flat row for each sample of evaluations, in plan order.

    Groups and kept fields have columns ``group_NAME`` and ``field_NAME``; a score of an option is
    in ``scores``, a list in the order of the task's options. A prompt that the run kept is in
    ``prompt``.
    """
    for record in records:
        for sample in read_samples(record.directory):
            yield sample_row(record, sample)


def sample_row(record: EvaluationRecord, sample: SampleRecord) -> dict[str, Any]:
    """Return one sample as a flat row."""
    right = None
    if sample.error is None and sample.target is not None and sample.annotators is None:
        right = sample.answer == sample.target
    return {
        "model": record.title,
        "task": record.task,
        "variant": record.variant,
        "seed": record.settings.get("seed"),
        "evaluation": record.fingerprint,
        "marks": " ".join(record.marks),
        "id": sample.id,
        "cluster": sample.cluster,
        "target": sample.target,
        "answer": sample.answer,
        "equal": right,
        "score": sample.score,
        "problem": sample.problem,
        "error": None if sample.error is None else sample.error.kind,
        "error_message": None if sample.error is None else sample.error.message,
        "text": None if sample.written is None else sample.written.text,
        "finish": None if sample.written is None else sample.written.finish,
        "reasoning": None if sample.written is None else sample.written.reasoning,
        "scores": None if sample.scores is None else list(sample.scores.values),
        "images": [image.sha256 for image in sample.images],
        **({} if sample.sent is None else {"prompt": _prompt(sample.sent)}),
        **{f"group_{name}": group.value for name, group in sample.groups.items()},
        **{f"field_{name}": value for name, value in sample.fields.items()},
    }


def _prompt(sent: SentPrompt) -> str:
    return "\n\n".join(f"{role}: {text}" for role, text in sent.turns)


def table_rows(table: Table) -> Iterator[dict[str, Any]]:
    """Yield one row for each number of a table that was measured here."""
    for section in table.sections:
        for row in section.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell is not None:
                    yield {
                        "section": section.title,
                        "model": row.model,
                        "task": column.task,
                        "metric": column.metric,
                        "column": column.name,
                        "direction": column.direction,
                        **{name: getattr(cell, name) for name in _NUMBERS},
                        "marks": " ".join(cell.marks),
                        "evaluation": cell.evaluation,
                    }


def to_pandas(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a ``pandas.DataFrame``; a column that a row lacks is missing there.

    Raises:
        PluginError: pandas is not installed.
    """
    _need("pandas")
    import pandas as pd

    return pd.DataFrame(list(rows))


def to_polars(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as a ``polars.DataFrame``; values of several types in a column become text.

    Raises:
        PluginError: polars is not installed.
    """
    _need("polars")
    import polars as pl

    return pl.DataFrame(one_type(rows), infer_schema_length=None)


def one_type(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows whose columns each hold one type: others' values are written as JSON."""
    import json

    typed = [dict(row) for row in rows]
    kinds: dict[str, set[type]] = {}
    for row in typed:
        for name, value in row.items():
            if value is not None:
                kinds.setdefault(name, set()).add(type(value))
    mixed = [
        name for name, types in kinds.items()
        if len(types - {int}) > 1 or dict in types or (int in types and types - {int, float})
    ]  # fmt: skip
    names = dict.fromkeys(name for row in typed for name in row)
    for row in typed:
        for name in names:
            row.setdefault(name, None)
        for name in mixed:
            if row[name] is not None and not isinstance(row[name], str):
                row[name] = json.dumps(row[name], ensure_ascii=False)
    return typed


def _need(module: str) -> None:
    if not is_installed(module):
        raise PluginError(f"{module} is not installed", fix=f"pip install {module}")
