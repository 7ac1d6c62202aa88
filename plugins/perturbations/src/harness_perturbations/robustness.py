"""How far a number holds on perturbed images: each level against the images as they are, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from harness.descriptors import Direction
from harness.evaluation.collectors import collector_of
from harness.evaluation.collectors.frame import frame_of, whole
from harness.evaluation.score import scored
from harness.plugins import plugins
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.specs.resolve import read_resolved
from harness.specs.variants import Variant
from harness.stats.paired import Paired, corrected


@dataclass(frozen=True, slots=True)
class Held:
    """A number on perturbed images beside the same samples as they are.

    Attributes:
        kind: The perturbation.
        level: From 1.
        plain: The number on images as they are, over the samples that both have scored.
        value: On perturbed images.
        paired: Perturbed minus plain; corrected over the rows of one model and task.
        samples: Scored in both.
        errors: Not scored in one of them, such as questions that the perturbation would change.
        changed: Share of the samples whose answer is another one.
        marks: What either evaluation is marked with.
    """

    task: str
    title: str
    column: str
    model: str
    direction: Direction
    scale: float
    kind: str
    level: int
    plain: float
    value: float
    paired: Paired
    samples: int
    errors: int
    changed: float
    marks: tuple[str, ...]


def held(records: Sequence[EvaluationRecord], *, seed: int = 0) -> tuple[list[Held], list[str]]:
    """Return each perturbed evaluation beside the one of the same model, as asked.

    Args:
        records: Sealed evaluations; variants of wording are none of it.
        seed: Seed of draws and permutations.

    Returns:
        Rows, and a line for each perturbed evaluation that has nothing to stand beside.

    Raises:
        UserError: a damaged file.
    """
    plain = {_key(one): one for one in records if not one.variant}
    kinds = plugins().perturbations()
    rows: list[Held] = []
    left_out = []
    for record in records:
        variant = Variant.named(record.variant) if record.variant else None
        if variant is None or variant.kind not in kinds:
            continue
        name = f"{record.title} on {record.task}, {variant}"
        partner = plain.get(_key(record))
        if partner is None:
            left_out.append(f"{name}: the same samples as they are were not evaluated")
        elif (row := _held(partner, record, variant, seed)) is None:
            left_out.append(f"{name}: no sample was scored both so and as it is")
        else:
            rows.append(row)
    rows.sort(key=lambda row: (row.task, row.model, row.kind, row.level))
    settled: list[Held] = []
    for _, group in groupby(rows, key=lambda row: (row.task, row.model)):
        of_model = list(group)
        for row, paired in zip(of_model, corrected([one.paired for one in of_model]), strict=True):
            settled.append(replace(row, paired=paired))
    return settled, left_out


def _key(record: EvaluationRecord) -> str:
    parts = {name: part for name, part in record.task_parts.items()
             if name not in {"variant", "plugin code"}}  # fmt: skip
    return repr((record.model_fingerprint, record.task, sorted(parts.items()), record.settings))


def _held(
    plain: EvaluationRecord, record: EvaluationRecord, variant: Variant, seed: int
) -> Held | None:
    spec = read_resolved(plain.directory)
    before = {line.id: line for line in read_samples(plain.directory)}
    frame, sides = frame_of(spec), [collector_of(spec.main_metric, spec, {}) for _ in range(2)]
    errors = changed = samples = 0
    for line in read_samples(record.directory):
        partner = before.get(line.id)
        if partner is None or not _both(line, partner):
            errors += 1
            continue
        samples += 1
        changed += line.answer != partner.answer
        frame.add(scored(partner, spec))
        for side, own_record in zip(sides, (partner, line), strict=True):
            side.add(scored(own_record, spec))
    if not samples:
        return None
    compared = sides[0].paired(sides[1], whole(frame), frame, seed)
    main = record.main
    return Held(
        record.task, record.task_title, main.column, record.title, main.direction, main.scale,
        variant.kind, variant.number, float(compared.first[0]), float(compared.second[0]),
        compared.paired[0], samples, errors, changed / samples,
        tuple(sorted({*plain.marks, *record.marks})),
    )  # fmt: skip


def _both(line: SampleRecord, partner: SampleRecord) -> bool:
    return line.error is None and partner.error is None and line.annotators is None
