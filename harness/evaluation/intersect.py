"""Bring evaluations of one task down to the samples they share, and count anew.

Only the choice of samples is bridged. Evaluations that differ in prompt, split, data or versions
keep their difference, and tables keep them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.evaluation.summarise import summarise
from harness.requests.reasoning import OPTIONS, checked_tags, parse_reasoning
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.runs.seal import check_seal
from harness.specs.spec import (
    ChooseSpec,
    DataSpec,
    Each,
    EmbedSpec,
    GenerateSpec,
    MetricSpec,
    PromptSpec,
    TaskSpec,
    fingerprint,
)
from harness.specs.yaml_loader import read_yaml

IDS = "sample ids"
MARK = "intersected"


def intersected(records: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    """Return records in which evaluations of one task count the same samples.

    A sample counts when every evaluation that differs in nothing but its samples has it without an
    error. Values, intervals, slices and counts are computed anew from ``samples.jsonl``; a record
    that loses nothing comes back as it is.

    Raises:
        UserError: evaluations of one task share no sample, or a file cannot be read.
    """
    groups: dict[tuple[str, str], list[EvaluationRecord]] = {}
    for record in records:
        rest = {name: part for name, part in record.task_parts.items() if name != IDS}
        groups.setdefault((record.task, fingerprint(dict(rest))), []).append(record)
    changed: dict[int, EvaluationRecord] = {}
    for held in groups.values():
        same = len({record.task_fingerprint for record in held}) == 1
        if same and not any(record.counts.errors for record in held):
            continue
        if len(held) > 1:
            changed.update(zip(map(id, held), _narrowed(held), strict=True))
    return [changed.get(id(record), record) for record in records]


def _narrowed(held: Sequence[EvaluationRecord]) -> Iterator[EvaluationRecord]:
    ids = [_scored_ids(record.directory) for record in held]
    common = frozenset.intersection(*ids)
    if not common:
        places = ", ".join(str(record.directory) for record in held)
        raise UserError(
            f"evaluations of {held[0].task!r} have no sample in common: {places}",
            fix="show them without --intersect",
        )
    said = fingerprint([*sorted(common)])
    for record in held:
        check_seal(record.directory)
        summary = summarise(spec_of(record.directory), [_kept(record.directory, common)])
        parts = {**record.task_parts, IDS: said}
        marks = {*record.marks, MARK} - ({"errored"} if not summary.counts.errors else set())
        yield replace(
            record,
            task_parts=parts,
            task_fingerprint=fingerprint(dict(parts)),
            images=summary.images,
            marks=tuple(sorted(marks)),
            counts=summary.counts,
            metrics=summary.metrics,
            slices=summary.slices,
            details=summary.details,
            comparisons=summary.comparisons,
        )


def _scored_ids(directory: Path) -> frozenset[str]:
    return frozenset(record.id for record in read_samples(directory) if record.error is None)


def _kept(directory: Path, common: frozenset[str]) -> list[SampleRecord]:
    return [record for record in read_samples(directory) if record.id in common]


def spec_of(directory: Path) -> TaskSpec:
    """Return the spec that an evaluation was made with, from its ``spec.yaml``.

    What the file leaves out (prose, how to obtain the data, named options' notes) is empty.

    Raises:
        UserError: the file is missing or is no resolved spec.
    """
    path = directory / "spec.yaml"
    raw: Any = read_yaml(path).data
    try:
        each = raw["data"].get("each")
        return TaskSpec(
            id=raw["id"],
            version=raw["version"],
            title=raw["title"],
            summary="",
            citation="",
            licence="",
            intended_use="",
            data=DataSpec(
                benchmark=raw["data"]["benchmark"],
                reader=raw["data"]["reader"],
                split=raw["data"]["split"],
                train_split=raw["data"]["train_split"],
                options=raw["data"]["options"],
                obtain="",
                each=None if each is None else Each(each["field"], tuple(each["values"]), {}),
                keep=tuple(raw["data"].get("keep", ())),
            ),
            prompt=PromptSpec(raw["prompt"]["template"], raw["prompt"]["system"]),
            ask=_ask(raw["ask"]),
            answer=raw["answer"],
            metrics=tuple(MetricSpec(**metric) for metric in raw["metrics"]),
            unit=raw["unit"],
            slices=tuple(raw["slices"]),
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"not a resolved spec: {error!r}", where=path) from None


def _ask(raw: dict[str, Any]) -> ChooseSpec | GenerateSpec | EmbedSpec:
    [(kind, held)] = raw.items()
    fields = {
        key: tuple(value) if isinstance(value, list) else value for key, value in held.items()
    }
    said: dict[str, Any] = {
        option.name: fields.pop(option.name) for option in OPTIONS if option.name in fields
    }
    if said:
        tags = checked_tags(said.pop("reasoning_tags", ()), "ask.generate.reasoning_tags")
        fields["reasoning"] = replace(parse_reasoning(said, "ask.generate"), tags=tags)
    kinds = {"choose": ChooseSpec, "generate": GenerateSpec, "embed": EmbedSpec}
    made: ChooseSpec | GenerateSpec | EmbedSpec = kinds[kind](**fields)
    return made
