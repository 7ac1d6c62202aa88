"""VQAv2's result file: a JSON list of question ids and answers.

As ``loadRes`` of the official tools reads it (GT-Vision-Lab/VQA, commit a013f004): it wants exactly
the questions of the split.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness.runs.sample_record import SampleRecord
from harness.runs.submissions import SubmissionLayout


def row(record: SampleRecord, text: str) -> dict[str, Any]:
    """Return question id and answer; the answer as written, the server normalises it."""
    return {"question_id": int(record.id), "answer": text.strip()}


def _json(rows: Iterable[dict[str, Any]]) -> bytes:
    return json.dumps(list(rows), separators=(",", ":")).encode() + b"\n"


LAYOUT = SubmissionLayout({".json": _json}, row)
