"""The sample records of a sealed evaluation, one at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.runs.seal import SAMPLES

_NEEDED = {"id", "cluster", "target", "answer", "problem", "error", "images", "groups"}


def read_samples(directory: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of ``samples.jsonl``, in plan order.

    Raises:
        UserError: at ``file:line``, for a line that is no sample record.
    """
    path = directory / SAMPLES
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                record = _parsed(line)
                if record is None:
                    raise UserError("not a sample record", where=f"{path}:{number}")
                yield record
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path) from None


def is_sample(record: object) -> bool:
    """Whether a value has the shape of a sample record."""
    if not isinstance(record, dict) or not record.keys() >= _NEEDED:
        return False
    error = record["error"]
    return (
        isinstance(record["id"], str)
        and isinstance(record["cluster"], str)
        and isinstance(record["images"], list)
        and isinstance(record["groups"], dict)
        and (error is None or (isinstance(error, dict) and error.keys() >= {"kind", "message"}))
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if is_sample(record) else None
