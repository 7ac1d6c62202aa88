"""Every Eval Ever 0.3: one aggregate file an evaluation, and its samples beside it.

Schemas: ``every_eval_ever/schemas`` of evaleval/every_eval_ever, version 0.3.0. What they cannot
say is left out rather than bent: a metric that is not defined; samples that errored; the samples of
a task whose right answers are not texts (the format asks whether each sample is right).
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.runs.exports import ExportOptions
from harness.runs.record import EvaluationRecord, MetricValue
from harness.runs.sample_record import SampleRecord, read_samples
from harness.runs.seal import open_whole
from harness.specs.resolve import read_resolved
from harness.specs.spec import TaskSpec

from harness_exports.records import (
    by_model,
    file_name,
    finished,
    labels_of,
    metric_names,
    text_of,
    version_of,
    write_json,
)

SCHEMA = "0.3.0"


def export(records: Sequence[EvaluationRecord], out: Path, options: ExportOptions) -> list[Path]:
    """Write ``data/BENCHMARK/DEVELOPER/MODEL/UUID.json`` and ``UUID_samples.jsonl``."""
    written = []
    for model, group in by_model(records):
        for record in group:
            written += _one(record, model, out, options)
    return written


def _one(record: EvaluationRecord, model: str, out: Path, options: ExportOptions) -> list[Path]:
    # A UUID of the shape the format asks for, the same for the same evaluation.
    digest = hashlib.sha256(record.fingerprint.encode()).digest()
    name = str(uuid.UUID(bytes=digest[:16], version=4))
    spec = read_resolved(record.directory)
    folder = f"data/{file_name(spec.data.benchmark)}/unknown/{model}"
    body = _aggregate(record, spec, options)
    path = f"{folder}/{name}_samples.jsonl"
    rows, checksum = _write_lines(out / path, _samples(record, spec, body["evaluation_id"]))
    written = []
    if rows:
        body["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": path,
            "hash_algorithm": "sha256",
            "checksum": checksum,
            "total_rows": rows,
        }
        written.append(out / path)
    return [write_json(out / folder / f"{name}.json", body), *written]


def _write_lines(path: Path, lines: Iterator[dict[str, Any]]) -> tuple[int, str]:
    """Write one line an item; return their number and the file's SHA-256. No item, no file."""
    digest, rows = hashlib.sha256(), 0
    with open_whole(path) as file:
        for item in lines:
            rows += 1
            line = json.dumps(item, ensure_ascii=False, allow_nan=False).encode() + b"\n"
            digest.update(line)
            file.write(line)
    if not rows:
        path.unlink()
    return rows, digest.hexdigest()


def _aggregate(record: EvaluationRecord, spec: TaskSpec, options: ExportOptions) -> dict[str, Any]:
    moment = str(int(finished(record).timestamp()))
    undefined = {
        f"{name} is undefined": value.undefined
        for name, value in metric_names(record).items()
        if value.value is None
    }
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{record.task}/{record.model}/{moment}",
        "evaluation_timestamp": moment,
        "retrieved_timestamp": moment,
        "source_metadata": {
            "source_name": "social-harness",
            "source_type": "evaluation_run",
            "source_organization_name": options.organization,
            "evaluator_relationship": "other",
            **({"additional_details": undefined} if undefined else {}),
        },
        "eval_library": {"name": "social-harness", "version": version_of(record)},
        "model_info": {
            "name": record.model,
            "id": record.model,
            "additional_details": {
                "deployment_type": "unknown",
                "model_availability": "unknown",
                "fingerprint": record.model_fingerprint,
                **{f"option {k}": text_of(v) for k, v in record.model_options.items()},
            },
        },
        "evaluation_results": [
            _result(record, spec, name, value, value.value)
            for name, value in metric_names(record).items()
            if value.value is not None
        ],
    }


def _result(
    record: EvaluationRecord, spec: TaskSpec, name: str, value: MetricValue, score: float
) -> dict[str, Any]:
    counts = record.counts
    uncertainty: dict[str, Any] = {"num_samples": counts.scored}
    if value.interval is not None:
        uncertainty["confidence_interval"] = {
            "lower": value.interval.low,
            "upper": value.interval.high,
            "confidence_level": value.interval.level,
            "method": value.interval.method,
        }
        if value.interval.draws:
            uncertainty["num_bootstrap_samples"] = value.interval.draws
    return {
        "evaluation_result_id": result_id(record, name),
        "evaluation_name": f"{record.task}.{name}",
        "source_data": {
            "dataset_name": spec.data.benchmark,
            "source_type": "other",
            "additional_details": {
                "split": spec.data.split,
                "task_version": str(record.task_version),
                "task_fingerprint": record.task_fingerprint,
            },
        },
        "metric_config": {
            "metric_id": name,
            "metric_name": value.column,
            "metric_parameters": {k: _parameter(v) for k, v in value.options.items()},
            "lower_is_better": value.direction == "lower",
            "score_type": "continuous",
            "min_score": value.range[0],
            "max_score": value.range[1],
            "additional_details": {"direction": _DIRECTIONS[value.direction]},
        },
        "score_details": {
            "score": score,
            "details": {
                "marks": ", ".join(record.marks),
                "samples": str(counts.samples),
                "errors": str(counts.errors),
                "unparsed": str(counts.unparsed),
                "refusals": str(counts.refusals),
                "cut": str(counts.cut),
                "unfinished": str(counts.unfinished),
                "clusters": str(counts.clusters),
                **{f"setting {k}": text_of(v) for k, v in record.settings.items()},
            },
            "uncertainty": uncertainty,
        },
    }


_DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "zero": "nearer zero is better; lower_is_better cannot say so",
}


def _parameter(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else text_of(value)


def result_id(record: EvaluationRecord, metric: str) -> str:
    """Return the id of one metric's result, the key of samples."""
    return f"{record.fingerprint[:12]}.{metric}"


def _samples(record: EvaluationRecord, spec: TaskSpec, evaluation: str) -> Iterator[dict[str, Any]]:
    """Yield a line for each scored sample whose right answers are texts.

    With one right answer, right is equal to it. With several, it is a full score.
    """
    main = next(name for name, value in metric_names(record).items() if value.main)
    labels = labels_of(spec)
    for sample in read_samples(record.directory):
        references = _references(sample.target)
        if sample.error is not None or not references or sample.annotators is not None:
            continue
        written = sample.written
        answer = "" if sample.answer is None else text_of(sample.answer)
        equal = sample.answer == sample.target
        score = float(equal) if sample.score is None else sample.score
        right = equal if isinstance(sample.target, str) else score == 1
        yield {
            "schema_version": SCHEMA,
            "evaluation_id": evaluation,
            "model_id": record.model,
            "evaluation_name": f"{record.task}.{main}",
            "evaluation_result_id": result_id(record, main),
            "sample_id": sample.id,
            "interaction_type": "single_turn",
            "input": {
                "raw": spec.prompt.template,
                "reference": references,
                "choices": labels,
            },
            "output": {"raw": [answer if written is None else written.text]},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": "output.raw",
                    "extracted_value": answer,
                    "extraction_method": "highest score" if written is None else "extractor",
                    "is_terminal": True,
                }
            ],
            "evaluation": {"score": score, "is_correct": right},
            "metadata": _metadata(sample),
        }


def _references(target: Any) -> list[str]:
    """Return the right answers, each once; none when they are no texts."""
    answers = [target] if isinstance(target, str) else target
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        return []
    return list(dict.fromkeys(answers))


def _metadata(sample: SampleRecord) -> dict[str, str]:
    metadata = {
        "cluster": sample.cluster,
        "prompt_hash": sample.prompt,
        "image_sha256": " ".join(image.sha256 for image in sample.images),
        "problem": sample.problem,
    }
    if sample.scores is not None:
        metadata["scores"] = json.dumps(sample.scores.values)
    groups = {f"group {name}": text_of(group.value) for name, group in sample.groups.items()}
    return metadata | groups
