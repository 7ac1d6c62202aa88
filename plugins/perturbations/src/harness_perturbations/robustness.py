"""How far a number holds on perturbed images: each level against the images as they are, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.descriptors import Direction
from harness.errors import UserError
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


def held(records: Sequence[EvaluationRecord], *, seed: int = 0) -> list[Held]:
    """Return each perturbed evaluation beside the one of the same model, as asked.

    Args:
        records: Sealed evaluations; those without a partner, and variants of wording, are left out.
        seed: Seed of draws and permutations.

    Raises:
        UserError: a damaged file.
    """
    plain = {_key(one): one for one in records if not one.variant}
    kinds = plugins().perturbations()
    rows = []
    for record in records:
        variant = Variant.named(record.variant) if record.variant else None
        if variant is not None and variant.kind in kinds and _key(record) in plain:
            rows.append(_held(plain[_key(record)], record, variant, seed))
    rows.sort(key=lambda row: (row.task, row.model, row.kind, row.level))
    settled: list[Held] = []
    for _, group in groupby(rows, key=lambda row: (row.task, row.model)):
        of_model = list(group)
        for row, paired in zip(of_model, corrected([one.paired for one in of_model]), strict=True):
            settled.append(_with(row, paired))
    return settled


def _key(record: EvaluationRecord) -> str:
    parts = {name: part for name, part in record.task_parts.items()
             if name not in {"variant", "plugin code"}}  # fmt: skip
    return repr((record.model_fingerprint, record.task, sorted(parts.items()), record.settings))


def _held(plain: EvaluationRecord, record: EvaluationRecord, variant: Variant, seed: int) -> Held:
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
        raise UserError(
            f"no sample was scored both as it is and under {variant}", where=str(record.directory)
        )
    compared = sides[0].paired(sides[1], whole(frame), frame, seed)
    main = record.main
    return Held(
        record.task, record.task_title, main.column, record.title, main.direction, main.scale,
        variant.kind, variant.number, float(compared.first[0]), float(compared.second[0]),
        compared.paired[0], samples, errors, changed / samples,
    )  # fmt: skip


def _both(line: SampleRecord, partner: SampleRecord) -> bool:
    return line.error is None and partner.error is None and line.annotators is None


def _with(row: Held, paired: Paired) -> Held:
    from dataclasses import replace

    return replace(row, paired=paired)
