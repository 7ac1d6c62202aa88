"""Variants of a task: other words, another order of options, or an image shown otherwise.

The order of options can matter only where the prompt lists them (a template that reads
``options``); their scores are asked one by one and do not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import UserError, near, nearest, unknown
from harness.plugins import plugins

if TYPE_CHECKING:
    from harness.descriptors import ModelDescriptor
    from harness.specs.spec import TaskSpec

KINDS: dict[str, str] = {
    "paraphrases": "paraphrase",
    "rotations": "rotation",
    "shuffles": "shuffle",
}


_NOTHING = "would ask nothing otherwise: no"
_NO_LIST = f"{_NOTHING} prompt of this run lists its options, so their order cannot matter"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of asking otherwise.

    Attributes:
        kind: One of KINDS, or a perturbation of the image.
        number: For a paraphrase, its place from 1; for a rotation, how many places the listed
            options move on; of a shuffle, its seed; of a perturbation, its level.
    """

    kind: str
    number: int

    @property
    def perturbs(self) -> bool:
        """Whether the image is shown otherwise, and the question is the same."""
        return self.kind not in KINDS.values()

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def named(cls, text: str) -> Variant:
        """Return the variant that is written so in a record.

        Raises:
            UserError: no variant is.
        """
        match = re.fullmatch(r"([a-z0-9_]+) (\d+)", text)
        if match is None:
            raise UserError(f"{text!r} is not a variant of a task")
        return cls(match[1], int(match[2]))

    @property
    def flag(self) -> str:
        """What asks for a perturbation in ``--variants``."""
        return f"{self.kind}:{self.number}"

    def ordered(self, options: Sequence[str], sample: str) -> list[str]:
        """Return options in the order this variant lists them."""
        if self.kind == "rotation":
            start = self.number % max(1, len(options))
            return [*options[start:], *options[:start]]
        listed = list(options)
        if self.kind == "shuffle":
            import hashlib
            import random

            digest = hashlib.blake2b(f"{self.number}|{sample}".encode(), digest_size=8).digest()
            random.Random(digest).shuffle(listed)
        return listed


def variants_of(spec: TaskSpec, kinds: str, *, lists_options: bool) -> list[TaskSpec]:
    """Return a task's variants, without the task itself.

    Args:
        spec: The task.
        kinds: Kinds separated by commas, ``=N`` after one for how many: ``paraphrases``,
            ``rotations=3``, ``shuffles=5``; all paraphrases, and 3 of the others, by default. Of
            perturbations the levels stand after a colon: ``blur``, ``blur:2``, ``blur:1-5``; level
            3 by default. A perturbation that changes the task's right answer is none of its.
        lists_options: Whether the prompt lists the options; without it their order is no variant.

    Raises:
        UserError: for another kind, a count that is no whole number above 0, or a level that a
            perturbation does not have.
    """
    variants: list[Variant] = []
    for kind, limit, levels in _kinds(kinds):
        if levels:
            if kind not in spec.changed_by:
                variants += [Variant(kind, level) for level in levels]
        elif kind == "paraphrase":
            paraphrases = len(spec.prompt.rewordings)
            places = range(1, 1 + (paraphrases if limit is None else min(limit, paraphrases)))
            variants += [Variant(kind, place) for place in places]
        elif lists_options:
            count = min(3 if limit is None else limit, max(1, len(spec.labels) - 1))
            steps = [1 + at * (len(spec.labels) - 1) // count for at in range(count)]
            numbers = steps if kind == "rotation" else list(range(count))
            variants += [Variant(kind, number) for number in numbers]
    return [replace(spec, variant=variant) for variant in variants]


def check_found(kinds: str, specs: Sequence[TaskSpec]) -> None:
    """Check that each kind asked for gave a variant of some task of a run.

    Raises:
        UserError: for a kind that asks nothing otherwise, so that its absence is not overlooked.
    """
    present = {spec.variant.kind for spec in specs if spec.variant is not None}
    reasons = {
        "paraphrase": f"paraphrases {_NOTHING} task of this run has paraphrases",
        "rotation": f"rotations {_NO_LIST}",
        "shuffle": f"shuffles {_NO_LIST}",
    }
    for kind, *_ in _kinds(kinds):
        if kind not in present:
            changes = f"{kind} changes the right answer of every task of this run"
            raise UserError(reasons.get(kind, changes), where="--variants", fix="leave it out")


def changing(kinds: str, model: ModelDescriptor) -> tuple[str, list[str]]:
    """Return the kinds that change what a model is asked, and in words those that do not.

    Raises:
        UserError: as :func:`variants_of`.
    """
    why, parts = "sees no image" if model.is_asked else "is asked nothing", _parts(kinds)
    if model.is_asked and not model.reads_prompts:
        why = "reads no prompt"
    same = [
        part
        for part, (*_, levels) in zip(parts, _kinds(kinds), strict=True)
        if not (model.is_asked and (model.sees_images if levels else model.reads_prompts))
    ]
    said = f"{model.id} {why}: {', '.join(same)} would repeat its numbers and is left out"
    return ",".join(part for part in parts if part not in same), [said] * bool(same)


def _parts(kinds: str) -> list[str]:
    return [part.strip() for part in kinds.split(",") if part.strip()]


def left_out(kinds: str, specs: Sequence[TaskSpec]) -> list[str]:
    """Return in words which perturbations are not asked of which tasks, whose answer they change.

    Args:
        kinds: As :func:`variants_of` takes them.
        specs: Tasks of the run.
    """
    notes, installed = [], plugins().perturbations()
    for spec in specs if kinds else ():
        for name in spec.changed_by:
            if name not in installed and near(name, installed):
                raise unknown("perturbation", name, installed, where=f"{spec.id}: changed_by")
    for kind, _, levels in _kinds(kinds):
        names = [spec.id for spec in specs if levels and kind in spec.changed_by]
        if names:
            notes.append(f"{kind} changes the right answer of {', '.join(names)}: not asked there")
    return notes


def _kinds(kinds: str) -> list[tuple[str, int | None, tuple[int, ...]]]:
    """Return each kind with how many are wanted, or with the levels of a perturbation."""
    parsed: list[tuple[str, int | None, tuple[int, ...]]] = []
    for part in _parts(kinds):
        name, mark, level_text = re.fullmatch(r"([^=:]*)([=:]?)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        perturbation = plugins().perturbations().get(name)
        if perturbation is not None:
            parsed.append((name, None, _levels(name, mark, level_text, perturbation.levels)))
            continue
        if name not in KINDS:
            names = [*KINDS, *plugins().perturbations()]
            raise UserError(f"unknown kind of variant {name!r}", fix=nearest(name, names))
        if mark and (mark == ":" or not level_text.isdigit() or int(level_text) < 1):
            raise UserError(
                f"{level_text!r} is not a whole number above 0",
                where=f"variants: {name}",
                fix=f"{name}=3",
            )
        parsed.append((KINDS[name], int(level_text) if mark else None, ()))
    return parsed


def _levels(name: str, mark: str, text: str, most: int) -> tuple[int, ...]:
    """Return the levels that stand after a perturbation's name, ``2`` or ``1-5``.

    Raises:
        UserError: it has no such level.
    """
    if not mark:
        return (min(3, most),)
    match = re.fullmatch(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", text) if mark == ":" else None
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high <= most:
        has = "has one level, which needs no number" if most == 1 else f"has the levels 1 to {most}"
        fix = name if most == 1 else f"{name}:2 or {name}:1-{most}"
        raise UserError(f"{name} {has}, not {text!r}", where="--variants", fix=fix)
    return tuple(range(low, high + 1))
