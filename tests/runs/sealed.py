"""Sealed evaluations of a real spec, made from a list of answers instead of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.evaluation.summarise import summarise
from harness.resources import data_folder
from harness.runs.record import FORMAT
from harness.runs.sample_record import SampleRecord
from harness.runs.seal import seal, write_json, write_whole
from harness.specs.loader import load_task
from harness.specs.resolve import parts, resolved
from harness.specs.spec import fingerprint

SPEC = data_folder("task_specs") / "social" / "raf_db.yaml"
_spec = cache(lambda: load_task(SPEC))  # read once, not for every sample
FACES = ("happiness", "sadness", "anger", "happiness", "neutral", "fear")


def sample(name: str, target: str, answer: str | None, *, error: str = "") -> dict[str, Any]:
    """Return a line of ``samples.jsonl``; an answer of ``None`` was not parsed."""
    scores = [1.0 if label == answer else 0.0 for label in _spec().labels]
    return {
        "id": name,
        "cluster": name,
        "stratum": "",
        "target": target,
        "answer": None if error else answer,
        "problem": "unparsed" if answer is None and not error else "",
        "error": {"kind": "image_missing", "message": error} if error else None,
        "fields": {},
        "groups": {"gender": ["female" if name < "3" else "male", "annotated"]},
        "images": [{"sha256": "a" * 64, "width": 100, "height": 100}],
        "prompt": "0" * 16,
        "score_kind": "label",
        "scores": scores,
    }


def answers(changes: Mapping[int, str | None] | None = None) -> list[dict[str, Any]]:
    """Return samples that are all right but for those given by number."""
    entries: dict[int, str | None] = {**dict(enumerate(FACES)), **(changes or {})}
    return [sample(str(number), FACES[number], answer) for number, answer in entries.items()]


def write(
    folder: Path,
    samples: Sequence[dict[str, Any]],
    *,
    model: str = "echo",
    marks: Sequence[str] = (),
    prompt: str = "",
    seed: int = 0,
    lineage: str = "",
) -> Path:
    """Write and seal an evaluation of RAF-DB; return its folder."""
    folder.mkdir(parents=True)
    spec = _spec()
    summary = summarise(spec, [[SampleRecord.from_json(sample) for sample in samples]])
    entries = {**parts(spec), "sample ids": fingerprint([sample["id"] for sample in samples])}
    if prompt:
        entries["prompt"] = prompt
    evaluation: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": fingerprint([model, str(folder)]),
        "lineage": lineage or fingerprint([model, str(folder)]),
        "model": {"id": model, "fingerprint": fingerprint(model), "options": {"size": 2}},
        "task": {
            "id": spec.id,
            "title": spec.title,
            "version": spec.version,
            "fingerprint": fingerprint(dict(entries)),
            "parts": entries,
            "options": {},
        },
        "settings": {"seed": seed},
        "marks": sorted({*marks, *(["errored"] if summary.counts.errors else [])}),
        "images": summary.images,
        "counts": asdict(summary.counts),
        "versions": {"social-harness": "0.1.0", "numpy": "2.0"},
    }
    write_json(folder / "evaluation.json", evaluation)
    write_json(folder / "metrics.json", summary.as_json())
    lines = [json.dumps(sample).encode() + b"\n" for sample in samples]
    write_whole(folder / "samples.jsonl", lines)
    write_whole(folder / "spec.yaml", [yaml.safe_dump(resolved(spec)).encode()])
    write_json(folder / "timings.json", {"finished": "2026-11-01T10:00:00+00:00"})
    seal(folder)
    return folder
