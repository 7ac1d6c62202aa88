"""What several exporters write of a record."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.runs.record import EvaluationRecord, MetricValue
from harness.runs.seal import SEAL, write_whole
from harness.runs.superseded import finished as clocked
from harness.specs.spec import ChooseSpec, TaskSpec

_LONGEST = 100  # characters of a name: file systems take 255 bytes, and endings follow


def by_model(records: Sequence[EvaluationRecord]) -> Iterator[tuple[str, list[EvaluationRecord]]]:
    """Yield models, distinguished by fingerprint, under a name that can be a file's."""
    groups: dict[tuple[str, str], list[EvaluationRecord]] = {}
    for record in records:
        groups.setdefault((record.model, record.model_fingerprint), []).append(record)
    names = [model for model, _ in groups]
    for (model, fingerprint), group in groups.items():
        extra = f"-{fingerprint[:8]}" if names.count(model) > 1 else ""
        yield file_name(model) + extra, group


def by_task(records: Sequence[EvaluationRecord]) -> dict[str, EvaluationRecord]:
    """Return one model's records by task.

    Raises:
        UserError: two evaluations of one task, of which a format can hold one only.
    """
    by_id: dict[str, EvaluationRecord] = {}
    for record in records:
        if record.task in by_id:
            raise UserError(
                f"two evaluations of {record.model!r} on {record.task!r}: "
                f"{by_id[record.task].directory} and {record.directory}",
                fix="give only the one to export",
            )
        by_id[record.task] = record
    return by_id


def file_name(text: str) -> str:
    """Return text as part of a file's name; of a long one the beginning, and a hash of all."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "model"
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def finished(record: EvaluationRecord) -> datetime:
    """Return when an evaluation ended; when it was sealed, if its clock is lost."""
    try:
        return datetime.fromisoformat(clocked(record.directory))
    except ValueError:
        return datetime.fromtimestamp((record.directory / SEAL).stat().st_mtime, UTC)


def metric_names(record: EvaluationRecord) -> dict[str, MetricValue]:
    """Return metrics by a name each: the id, with the heading where an id comes twice."""
    ids = [value.id for value in record.metrics]
    return {
        value.id if ids.count(value.id) == 1 else f"{value.id}.{file_name(value.column)}": value
        for value in record.metrics
    }


def labels_of(spec: TaskSpec) -> list[str] | None:
    """Return the labels of a choice task, ``None`` for another."""
    return list(spec.ask.labels) if isinstance(spec.ask, ChooseSpec) else None


def text_of(value: Any) -> str:
    """Return plain data as text: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def version_of(record: EvaluationRecord) -> str:
    """Return the version of the harness that made a record."""
    return str(record.versions.get("social-harness") or "unknown")


def interval_text(value: MetricValue) -> str:
    """Say the interval of a metric in its printed unit; empty without one."""
    interval = value.interval
    if interval is None:
        return ""
    low, high = interval.low * value.scale, interval.high * value.scale
    return f"{100 * interval.level:g} % interval [{low:.4g}, {high:.4g}], {interval.method}"


def write_text(path: Path, text: str) -> Path:
    """Write a file, making its folder; return its path."""
    write_whole(path, [text.encode()])
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write JSON, the same bytes for the same value; NaN is refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return write_text(path, text + "\n")
