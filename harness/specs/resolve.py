"""A spec as plain data and back: what its record keeps, and the hash of each part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.reasoning import AUTO, OPTIONS, checked_tags, parse_reasoning
from harness.samples.views import View
from harness.specs.spec import (
    ChooseSpec,
    DataSpec,
    Each,
    EmbedSpec,
    GenerateSpec,
    MetricSpec,
    NamedOption,
    PromptSpec,
    TaskSpec,
    fingerprint,
)
from harness.specs.variants import Variant
from harness.specs.yaml_loader import read_yaml

AskSpec = ChooseSpec | GenerateSpec | EmbedSpec
_KINDS: dict[str, Callable[..., AskSpec]] = {
    "choose": ChooseSpec,
    "generate": GenerateSpec,
    "embed": EmbedSpec,
}


def resolved(spec: TaskSpec) -> dict[str, Json]:
    """Return everything that decides a task's numbers and how tables print them, as plain data.

    Prose (summary, citation, licence, use, how to obtain) is left out: mending a sentence must not
    make two results incomparable.
    """
    view = spec.prompt.view
    spec_json: dict[str, Any] = {
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
        "ask": {spec.ask.capability: _ask(spec)},
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
    if spec.prompt.further_paraphrases:
        spec_json["prompt"]["further_paraphrases"] = list(spec.prompt.further_paraphrases)
    return spec_json


def _each(each: Each) -> dict[str, Any]:
    return {"field": each.field, "values": list(each.values), "texts": dict(each.texts)}


def _ask(spec: TaskSpec) -> dict[str, Any]:
    ask = {key: _as_list(value) for key, value in asdict(spec.ask).items() if key != "capability"}
    if isinstance(spec.ask, ChooseSpec):
        ask["labels"] = list(spec.labels)
        if not spec.ask.match:
            del ask["match"]  # as with the temperature below
    if isinstance(spec.ask, EmbedSpec) and not spec.ask.keep_vectors:
        del ask["keep_vectors"]
    if isinstance(spec.ask, GenerateSpec):
        ask["extractor_options"] = dict(spec.ask.extractor_options)
        if not spec.ask.temperature:
            del ask["temperature"]  # the default; what was evaluated before keeps its fingerprint
        del ask["reasoning"]
        if spec.ask.reasoning != AUTO:
            ask |= spec.ask.reasoning.as_json()
    return ask


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def read_resolved(directory: Path) -> TaskSpec:
    """Return the spec that an evaluation was made with, from its ``spec.yaml``.

    Raises:
        UserError: the file is missing or is no resolved spec.
    """
    path = directory / "spec.yaml"
    raw: Any = read_yaml(path).data
    try:
        return from_resolved(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"not a resolved spec: {error!r}", where=path) from None


def from_resolved(raw: Mapping[str, Any]) -> TaskSpec:
    """Return the spec that :func:`resolved` made plain data of.

    What plain data leaves out (prose, how to obtain the data, counts, training, where named options
    come from) is empty. Keys that earlier versions did not write have their defaults.
    """
    data, prompt = raw["data"], raw["prompt"]
    each, variant = data.get("each"), raw.get("variant")
    return TaskSpec(
        id=raw["id"],
        version=raw["version"],
        title=raw["title"],
        summary="",
        citation="",
        licence="",
        intended_use="",
        data=DataSpec(
            benchmark=data["benchmark"],
            reader=data["reader"],
            split=data["split"],
            train_split=data["train_split"],
            options=data["options"],
            obtain="",
            each=each and Each(each["field"], tuple(each["values"]), each.get("texts", {})),
            keep=tuple(data.get("keep", ())),
        ),
        prompt=PromptSpec(
            prompt["template"],
            prompt["system"],
            tuple(prompt.get("paraphrases", ())),
            prompt.get("shots", 0),
            _view(prompt.get("view", {})),
            tuple(prompt.get("further_paraphrases", ())),
        ),
        ask=_ask_of(raw["ask"]),
        answer=raw["answer"],
        metrics=tuple(MetricSpec(**metric) for metric in raw["metrics"]),
        unit=raw["unit"],
        slices=tuple(raw["slices"]),
        options={
            name: NamedOption(name, value, value, (), "NOT FOUND", "")
            for name, value in raw.get("options", {}).items()
        },
        variant=Variant.named(variant) if variant else None,
    )


def _view(raw: Mapping[str, Any]) -> View:
    values = dict(raw)
    return View(colours=tuple(values.pop("mark", ())), **values)


def _ask_of(raw: Mapping[str, Any]) -> AskSpec:
    [(kind, written)] = raw.items()
    fields = {
        key: tuple(value) if isinstance(value, list) else value for key, value in written.items()
    }
    reasoning: dict[str, Any] = {
        option.name: fields.pop(option.name) for option in OPTIONS if option.name in fields
    }
    if reasoning:
        tags = checked_tags(reasoning.pop("reasoning_tags", ()), "ask.generate.reasoning_tags")
        fields["reasoning"] = replace(parse_reasoning(reasoning, "ask.generate"), tags=tags)
    return _KINDS[kind](**fields)


def parts(spec: TaskSpec) -> dict[str, str]:
    """Return the hash of each part of a spec, so that a difference between results can be named.

    Titles, columns and scales print numbers and do not change them: they enter no hash.
    """
    spec_json: Any = resolved(spec)
    metrics = [
        {key: metric[key] for key in ("id", "direction", "main", "options")}
        for metric in spec_json["metrics"]
    ]
    further = spec_json["prompt"].pop("further_paraphrases", ())
    variant: Any = spec_json["variant"]
    reworded = spec.question != spec.prompt.template
    # Paraphrases of texts to embed were not sent once: what was sealed so must not be reused.
    if spec.question in further or (reworded and isinstance(spec.ask, EmbedSpec)):
        variant = [variant, spec.question]
    inputs: dict[str, Any] = {
        "spec": [
            spec_json["id"],
            spec_json["version"],
            spec_json["data"],
            spec_json["unit"],
            spec_json["slices"],
        ],
        "prompt": spec_json["prompt"],
        "ask": spec_json["ask"],
        "answer": spec_json["answer"],
        "metrics": metrics,
        "options": spec_json["options"],
        "variant": variant,
    }
    return {name: fingerprint(value) for name, value in inputs.items()}
