"""Results JSON in the shape of lm-eval, for tools that read it.

Shape: ``lm_eval/result_schema.py`` of EleutherAI/lm-evaluation-harness 0.4.13. Values are in the
metric's own unit. There is no ``_stderr``: our intervals come from resampling clusters and stand
under the key ``social_harness``. Prompts as text are not in a record, so no samples are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.runs.exports import ExportOptions
from harness.runs.record import EvaluationRecord
from harness.specs.resolve import read_resolved
from harness.specs.spec import TaskSpec

from harness_exports.records import (
    by_model,
    by_task,
    finished,
    metric_names,
    text_of,
    version_of,
    write_json,
)

FILTER = "none"


def export(records: Sequence[EvaluationRecord], out: Path, _options: ExportOptions) -> list[Path]:
    """Write ``MODEL/results_TIME.json`` for each model, the name that readers look for."""
    return [
        write_json(out / model / f"results_{_time(group)}.json", _results(by_task(group)))
        for model, group in by_model(records)
    ]


def _time(records: Iterable[EvaluationRecord]) -> str:
    """Return when the last evaluation ended, as lm-eval writes times in names of files."""
    last = max(finished(record) for record in records)
    return last.replace(tzinfo=None).isoformat().replace(":", "-")


def _results(records: dict[str, EvaluationRecord]) -> dict[str, Any]:
    first = next(iter(records.values()))
    specs = {task: read_resolved(record.directory) for task, record in records.items()}
    settings = first.settings
    seed = settings.get("seed")
    arguments = ",".join(f"{name}={text_of(value)}" for name, value in first.model_options.items())
    return {
        "results": {task: _metrics(record) for task, record in records.items()},
        "group_subtasks": {},
        "configs": {task: _config(task, spec) for task, spec in specs.items()},
        "versions": {task: float(record.task_version) for task, record in records.items()},
        "n-shot": {task: spec.prompt.shots for task, spec in specs.items()},
        "higher_is_better": {
            task: {
                name: {"higher": True, "lower": False}.get(value.direction)
                for name, value in metric_names(record).items()
            }
            for task, record in records.items()
        },
        "n-samples": {
            # A limited run does not know the size of its split.
            task: {"original": record.counts.samples, "effective": record.counts.scored}
            for task, record in records.items()
        },
        "config": {
            "model": first.model,
            "model_args": arguments,
            "limit": first.counts.samples if "limited" in first.marks else None,
            **({} if seed is None else {"random_seed": seed}),
        },
        "date": max(finished(record).timestamp() for record in records.values()),
        "task_hashes": {task: record.task_fingerprint for task, record in records.items()},
        "model_source": "social-harness",
        "model_name": first.model,
        "social_harness": {
            "version": version_of(first),
            "evaluations": {task: _beyond_lm_eval(record) for task, record in records.items()},
        },
    }


def _metrics(record: EvaluationRecord) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "name": record.task,
        "alias": record.task_title,
        "sample_len": record.counts.scored,
    }
    for name, value in metric_names(record).items():
        if value.value is not None:
            metrics[f"{name},{FILTER}"] = value.value
    return metrics


def _config(task: str, spec: TaskSpec) -> dict[str, Any]:
    return {
        "task": task,
        "dataset_path": spec.data.benchmark,
        "test_split": spec.data.split,
        "doc_to_text": spec.prompt.template,
        "description": spec.prompt.system,
    }


def _beyond_lm_eval(record: EvaluationRecord) -> dict[str, Any]:
    """Return what lm-eval's keys have no place for."""
    return {
        "fingerprint": record.fingerprint,
        "marks": list(record.marks),
        "counts": asdict(record.counts),
        "metrics": {name: asdict(value) for name, value in metric_names(record).items()},
    }
