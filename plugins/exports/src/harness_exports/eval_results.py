"""Hugging Face ``.eval_results``: one YAML file a task, for the repository of a model.

Format: https://huggingface.co/docs/hub/eval-results. It holds one value without an interval, so
size, interval and marks stand in ``notes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from harness.errors import UserError
from harness.runs.exports import ExportOptions
from harness.runs.record import EvaluationRecord

from harness_exports.records import (
    by_model,
    by_task,
    file_name,
    finished,
    interval_text,
    version_of,
    write_text,
)

FOLDER = ".eval_results"


def export(records: Sequence[EvaluationRecord], out: Path, options: ExportOptions) -> list[Path]:
    """Write ``MODEL/.eval_results/TASK.yaml`` for each evaluation.

    Raises:
        UserError: a task without the Hub id of its benchmark, or a value that is not defined.
    """
    for record in records:
        if record.main.value is None:
            raise UserError(
                f"{record.main.column} is undefined ({record.main.undefined}), and the format "
                "holds numbers alone",
                where=record.directory,
                fix="leave this evaluation out: name the others",
            )
        if record.task not in options.datasets:
            raise UserError(
                f"the benchmark of {record.task!r} has no Hub id, which the format needs",
                fix=f"--dataset {record.task}=OWNER/NAME",
            )
    written = []
    for model, group in by_model(records):
        for task, record in by_task(group).items():
            text = yaml.safe_dump(
                [_entry(record, options.datasets[task])], sort_keys=False, allow_unicode=True
            )
            written.append(write_text(out / model / FOLDER / f"{file_name(task)}.yaml", text))
    return written


def _entry(record: EvaluationRecord, dataset: str) -> dict[str, Any]:
    name, _, task = dataset.partition("#")
    main = record.main
    assert main.value is not None
    marks = f"marked {', '.join(record.marks)}" if record.marks else ""
    notes = [
        marks,
        f"{main.column}, {record.task_title} (task {record.task}, version {record.task_version})",
        f"n = {record.counts.scored}",
        interval_text(main),
        f"{record.counts.errors} samples errored" if record.counts.errors else "",
        f"social-harness {version_of(record)}, evaluation {record.fingerprint[:12]}",
    ]
    return {
        "dataset": {"id": name, "task_id": task or record.task},
        "value": main.value * main.scale,
        "date": finished(record).date().isoformat(),
        "notes": "; ".join(filter(None, notes)),
    }
