"""A spec as plain data: what its record keeps, and the hash of each part of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.descriptors import Json
from harness.requests.reasoning import AUTO
from harness.specs.spec import ChooseSpec, Each, GenerateSpec, TaskSpec, fingerprint

_KINDS = {"ChooseSpec": "choose", "GenerateSpec": "generate", "EmbedSpec": "embed"}


def resolved(spec: TaskSpec) -> dict[str, Json]:
    """Return everything that decides a task's numbers and how tables print them, as plain data.

    Prose (summary, citation, licence, use, how to obtain) is left out: mending a sentence must not
    make two results incomparable.
    """
    view = spec.prompt.view
    found: dict[str, Any] = {
        "id": spec.id,
        "version": spec.version,
        "title": spec.title,
        "data": {
            "benchmark": spec.data.benchmark,
            "reader": spec.data.reader,
            "split": spec.data.split,
            "train_split": spec.data.train_split,
            "options": dict(spec.data.options),
            "each": None if spec.data.each is None else _each(spec.data.each),
            "keep": list(spec.data.keep),
        },
        "prompt": {
            "template": spec.prompt.template,
            "system": spec.prompt.system,
            "paraphrases": list(spec.prompt.paraphrases),
            "shots": spec.prompt.shots,
            "view": {
                "crop": view.crop,
                "margin": view.margin,
                "mark": list(view.colours),
                "line": view.line,
            },
        },
        "ask": {_KINDS[type(spec.ask).__name__]: _ask(spec)},
        "answer": spec.answer,
        "metrics": [
            {
                "id": metric.id,
                "column": metric.column,
                "direction": metric.direction,
                "scale": metric.scale,
                "main": metric.main,
                "options": dict(metric.options),
            }
            for metric in spec.metrics
        ],
        "unit": spec.unit,
        "slices": list(spec.slices),
        "variant": "" if spec.variant is None else str(spec.variant),
        "options": {name: option.value for name, option in spec.options.items()},
    }
    return found


def _each(each: Each) -> dict[str, Any]:
    return {"field": each.field, "values": list(each.values), "texts": dict(each.texts)}


def _ask(spec: TaskSpec) -> dict[str, Any]:
    held = {key: _plain(value) for key, value in asdict(spec.ask).items() if key != "capability"}
    if isinstance(spec.ask, ChooseSpec):
        held["labels"] = list(spec.labels)
    if isinstance(spec.ask, GenerateSpec):
        held["extractor_options"] = dict(spec.ask.extractor_options)
        if not spec.ask.temperature:
            del held["temperature"]  # the default; what was evaluated before keeps its fingerprint
        del held["reasoning"]
        if spec.ask.reasoning != AUTO:
            held |= spec.ask.reasoning.as_json()
    return held


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def parts(spec: TaskSpec) -> dict[str, str]:
    """Return the hash of each part of a spec, so that a difference between results can be named.

    Titles, columns and scales print numbers and do not change them: they enter no hash.
    """
    held: Any = resolved(spec)
    metrics = [
        {key: metric[key] for key in ("id", "direction", "main", "options")}
        for metric in held["metrics"]
    ]
    said: dict[str, Any] = {
        "spec": [held["id"], held["version"], held["data"], held["unit"], held["slices"]],
        "prompt": held["prompt"],
        "ask": held["ask"],
        "answer": held["answer"],
        "metrics": metrics,
        "options": held["options"],
        "variant": held["variant"],
    }
    return {name: fingerprint(value) for name, value in said.items()}
