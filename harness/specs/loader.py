"""From a YAML file to a task spec: schema, meaning, and every problem with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError, unknown
from harness.requests.reasoning import OPTIONS as REASONING_OPTIONS
from harness.requests.reasoning import Reasoning, checked_tags, parse_reasoning
from harness.samples.views import View
from harness.specs.checks import meaning_problems
from harness.specs.entries import in_force, is_reference, takes_part
from harness.specs.group import TaskGroup, is_group
from harness.specs.resolve import parts, resolved
from harness.specs.schema import schema_problems
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
    TrainingForm,
)
from harness.specs.yaml_loader import Document, read_yaml

_REASONING = tuple(option.name for option in REASONING_OPTIONS)

__all__ = ["SpecError", "check", "load_task", "parts", "resolved", "with_options"]


class SpecError(UserError):
    """A spec that cannot be used; ``problems`` holds every one found, the first is the message."""

    def __init__(self, problems: Sequence[UserError]) -> None:
        first = problems[0]
        more = len(problems) - 1
        others = f" (and {more} more: harness validate names all)" if more else ""
        super().__init__(first.message + others, where=first.where, fix=first.fix)
        self.problems = tuple(problems)


def load_task(path: Path, chosen: Mapping[str, Json] | None = None) -> TaskSpec:
    """Read, check and build one task spec.

    Args:
        path: The YAML file.
        chosen: Values of named options; the defaults hold for the rest.

    Raises:
        UserError: at ``file:line:column``; a :class:`SpecError` holds every problem.
    """
    return with_options(read_yaml(path), chosen or {})


def with_options(document: Document, chosen: Mapping[str, Json]) -> TaskSpec:
    """Build a task spec from its document under a choice of named options.

    Raises:
        SpecError: the document is no valid spec.
        UserError: an unknown named option, or a value it does not allow.
    """
    problems = check(document)
    if problems:
        raise SpecError(problems)
    assert isinstance(document.data, dict)
    return _task(document, _named(document.data, chosen))


def check(document: Document) -> list[UserError]:
    """Return every problem of a document as a task spec, or as a group if it lists tasks."""
    if is_group(document.data):
        return schema_problems(document, "group")
    problems = schema_problems(document, "task")
    return problems or meaning_problems(document)


def group_of(document: Document) -> TaskGroup:
    """Return a group as written: its tasks may name other groups.

    Raises:
        SpecError: the document is no valid group.
    """
    problems = check(document)
    if problems:
        raise SpecError(problems)
    raw: Any = document.data
    return TaskGroup(raw["group"], raw["title"], tuple(raw["tasks"]), document.path)


def _named(raw: Mapping[str, Any], chosen: Mapping[str, Json]) -> dict[str, NamedOption]:
    options: Mapping[str, Any] = raw.get("options", {})
    owner = f"task {raw['id']!r}"
    for name in chosen:
        if name not in options:
            raise unknown(f"named option of {owner}", name, options)
    named = {}
    for name, entry in options.items():
        choices, default = tuple(entry.get("choices", ())), entry["default"]
        value = default
        if name in chosen:
            value = _chosen(chosen[name], default, choices, f"option {name!r} of {owner}")
        named[name] = NamedOption(name, value, default, choices, entry["status"], entry["note"])
    return named


def _chosen(value: Json, default: Json, choices: tuple[Json, ...], where: str) -> Json:
    """Return a value typed by a user as the option's own: text from a flag finds its type."""
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    for choice in choices:
        written = str(choice).lower() if isinstance(choice, bool) else str(choice)
        if isinstance(value, str) and value == written:
            return choice
    if choices:
        raise unknown("value", str(value), [str(choice) for choice in choices], where=where)
    from harness.descriptors import Option

    kinds = ((bool, "bool"), (int, "int"), (float, "float"))
    kind: Any = next((name for held, name in kinds if isinstance(default, held)), "str")
    return Option(name="value", type=kind).parse(value, where=where)


def _filled(raw: Mapping[str, Any] | None, named: Mapping[str, NamedOption]) -> dict[str, Json]:
    """Return options with every ``{option: NAME}`` replaced by the value in force."""
    return {key: _value(value, named) for key, value in (raw or {}).items()}


def _value(value: Any, named: Mapping[str, NamedOption]) -> Json:
    """Return a value, or the one in force where ``{option: NAME}`` stands for it."""
    value_in_force: Json = named[value["option"]].value if is_reference(value) else value
    return value_in_force


def _task(document: Document, named: Mapping[str, NamedOption]) -> TaskSpec:
    raw: Any = document.data
    data, prompt = raw["data"], raw["prompt"]
    view = prompt.get("view", {})
    return TaskSpec(
        id=raw["id"],
        version=int(raw["version"]),
        title=raw["title"],
        summary=raw["summary"],
        citation=raw["citation"],
        licence=raw["licence"],
        intended_use=raw["intended_use"],
        data=DataSpec(
            benchmark=data["benchmark"],
            reader=data["reader"],
            split=str(_value(data["split"], named)),
            train_split=data.get("train_split"),
            options=_filled(data.get("options"), named),
            obtain=data["obtain"],
            each=_each(data.get("each"), named),
            keep=in_force(data.get("keep", ()), _values(named)),
            counts=_counts(data.get("counts", {}), _values(named)),
        ),
        prompt=PromptSpec(
            template=prompt["template"],
            system=prompt.get("system", ""),
            paraphrases=tuple(prompt.get("paraphrases", ())),
            further_paraphrases=tuple(prompt.get("further_paraphrases", ())),
            shots=int(prompt.get("shots", 0)),
            view=View(
                crop=view.get("crop", False),
                margin=float(view.get("margin", 0.2)),
                colours=tuple(view.get("mark", ())),
                line=float(view.get("line", 0.01)),
            ),
        ),
        ask=_ask(raw["ask"], named),
        answer=raw["answer"],
        metrics=tuple(_metric(metric, named) for metric in raw["metrics"]),
        unit=raw["unit"],
        slices=tuple(raw.get("slices", ())),
        changed_by=tuple(raw.get("changed_by", ())),
        options=dict(named),
        training={name: _form(held) for name, held in raw.get("training", {}).items()},
        source=document.path,
    )


def _form(raw: Mapping[str, Any]) -> TrainingForm:
    against = raw.get("against", {})
    return TrainingForm(
        raw["template"], raw["answer"], against.get("field", ""), against.get("answer", "")
    )


def _ask(
    raw: Mapping[str, Any], named: Mapping[str, NamedOption]
) -> ChooseSpec | GenerateSpec | EmbedSpec:
    if "choose" in raw:
        ask = raw["choose"]
        return ChooseSpec(
            labels=in_force(ask["labels"], _values(named)),
            text=ask.get("text", "{{ label }}"),
            order=ask.get("order", "listed"),
            normalisation=ask.get("normalisation", "none"),
            match=ask.get("match", False),
        )
    if "generate" in raw:
        ask = raw["generate"]
        return GenerateSpec(
            max_new_tokens=int(ask["max_new_tokens"]),
            extractor=ask["extractor"],
            stop=tuple(ask.get("stop", ())),
            extractor_options=_filled(ask.get("extractor_options"), named),
            temperature=_temperature(_value(ask.get("temperature", 0), named)),
            reasoning=_reasoning(ask, named),
        )
    embed = raw["embed"]
    return EmbedSpec(tuple(embed["texts"]), embed.get("keep_vectors", False))


def _reasoning(raw: Mapping[str, Any], named: Mapping[str, NamedOption]) -> Reasoning:
    values = {key: _value(raw[key], named) for key in _REASONING if key in raw}
    tags = checked_tags(values.pop("reasoning_tags", []), "ask.generate.reasoning_tags")
    return replace(parse_reasoning(values, "ask.generate"), tags=tags)


def _temperature(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise UserError(f"temperature must be a number from 0 to 2, not {value!r}")
    return float(value)


def _counts(raw: Mapping[str, Any], values: Mapping[str, Json]) -> dict[str, dict[str, int]]:
    return {
        split: {unit: number for unit, number in counts.items() if unit != "when"}
        for split, counts in raw.items()
        if takes_part(counts, values)
    }


def _values(named: Mapping[str, NamedOption]) -> dict[str, Json]:
    return {name: option.value for name, option in named.items()}


def _each(raw: Mapping[str, Any] | None, named: Mapping[str, NamedOption]) -> Each | None:
    """Return what every sample is asked about; ``None`` when neither value nor text is there."""
    values = in_force(raw["values"], _values(named)) if raw else ()
    if not raw or not (values or "texts" in raw):
        return None
    return Each(raw["field"], values, dict(raw.get("texts", {})))


def _metric(raw: Mapping[str, Any], named: Mapping[str, NamedOption]) -> MetricSpec:
    return MetricSpec(
        id=raw["id"],
        column=raw["column"],
        direction=raw["direction"],
        scale=float(raw.get("scale", 1)),
        main=raw.get("main", False),
        options=_filled(raw.get("options"), named),
    )
