"""Variants of a task: the same question in other words, or with its options in another order.

The order of options can matter only where the prompt lists them (a template that reads
``options``); their scores are asked one by one and do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from harness.errors import UserError, nearest

if TYPE_CHECKING:
    from harness.specs.spec import TaskSpec

Kind = Literal["paraphrase", "rotation", "shuffle"]
KINDS: dict[str, Kind] = {
    "paraphrases": "paraphrase",
    "rotations": "rotation",
    "shuffles": "shuffle",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of asking otherwise.

    Attributes:
        number: For a paraphrase, its place from 1; for a rotation, how many places the listed
            options move on; of a shuffle, its seed.
    """

    kind: Kind
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def named(cls, text: str) -> Variant:
        """Return the variant that is written so in a record.

        Raises:
            UserError: no variant is.
        """
        kind, _, number = text.partition(" ")
        if kind not in KINDS.values() or not number.isdecimal():
            raise UserError(f"{text!r} is no variant of a task")
        return cls(cast("Kind", kind), int(number))

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
            ``rotations=3``, ``shuffles=5``; all paraphrases, and 3 of the others, by default.
        lists_options: Whether the prompt lists the options; without it their order is no variant.

    Raises:
        UserError: for another kind or a count that is no whole number above 0.
    """
    variants: list[Variant] = []
    for kind, limit in _kinds(kinds):
        if kind == "paraphrase":
            there = len(spec.prompt.paraphrases)
            places = range(1, 1 + (there if limit is None else min(limit, there)))
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
    there = {spec.variant.kind for spec in specs if spec.variant is not None}
    for name, kind in KINDS.items():
        if kind in {one for one, _ in _kinds(kinds)} - there:
            why = (
                "no task of this run has paraphrases"
                if kind == "paraphrase"
                else "no prompt of this run lists its options, so their order cannot matter"
            )
            raise UserError(f"{name} would ask nothing otherwise: {why}", where="--variants")


def _kinds(kinds: str) -> list[tuple[Kind, int | None]]:
    parsed = []
    for part in filter(None, (part.strip() for part in kinds.split(","))):
        name, equals, count = part.partition("=")
        if name not in KINDS:
            raise UserError(f"there is no kind of variant {name!r}", fix=nearest(name, KINDS))
        if equals and (not count.isdigit() or int(count) < 1):
            raise UserError(f"{count!r} is not a whole number above 0", where=f"variants: {name}")
        parsed.append((KINDS[name], int(count) if equals else None))
    return parsed
