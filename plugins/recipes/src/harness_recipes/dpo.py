"""Direct preference optimisation (Rafailov et al. 2023, Eq. 7) on counterfactual pairs.

The right answer to a question about an image is preferred to a wrong one. What makes two images a
counterfactual pair is this project's choice, and an option:

- ``one_trait``: two images of one counterfactual set that show the same concept and people who
  differ in exactly one trait. Each image is in one pair at most.
- ``set``: all images of a counterfactual set that show the same concept.
- ``none``: each sample for itself; no set, no concept and no attributes are needed.

Images that belong together teach the same preference: the same answer is preferred to the same
wrong one, whichever person is shown, and they follow each other in an epoch. What has no partner
is left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError
from harness.training import Answers, Batch, Epoch, Example, Measure, Recipe

if TYPE_CHECKING:
    from torch import Tensor

Group = tuple[int, ...]
"""Places in the pool of the samples that teach one preference."""


class DirectPreference(Recipe):
    """``-ln sigmoid(beta (r_taught - r_rejected))``, r the log-ratio to the model as it was.

    Args:
        options: ``beta``, ``pairs``.

    Raises:
        UserError: a beta that is not above 0.
    """

    needs_pairs = True
    needs_reference = True

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._beta = float(str(options["beta"]))
        if not self._beta > 0:
            raise UserError(f"{self._beta:g} is not above 0", where="option 'beta'")
        self._pairs = str(options["pairs"])
        if self._pairs != "none":
            self.needs_fields, self.needs_groups = ("concept",), True

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Say how many samples are in pairs.

        Raises:
            UserError: none is, or a task has a single answer, so that none is wrong.
        """
        answers = _answers(pool)
        for task, texts in answers.items():
            if len(texts) < 2:
                raise UserError(
                    f"every sample of {task!r} has the answer {texts[0]!r}: there is no other to "
                    "reject",
                    fix="another --form, more samples, or --recipe ft",
                )
        groups = self._groups(pool)
        if not groups:
            raise UserError(
                f"no two samples are a counterfactual pair (pairs={self._pairs})",
                fix="tasks of counterfactual sets such as scounter and cmsc, or -r pairs=none",
            )
        return [_note(self._pairs, groups, len(pool))]

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return the samples of all groups, group by group, with a wrong answer drawn for each."""
        del number, measure
        groups, answers = self._groups(pool), _answers(pool)
        random.shuffle(groups)
        order: list[int] = []
        rejected: list[str] = []
        for group in groups:
            first = pool[group[0]]
            wrong = random.choice([text for text in answers[first.task] if text != first.answer])
            order += group
            rejected += [wrong] * len(group)
        figures: dict[str, Json] = {"groups": len(groups), "unpaired": len(pool) - len(order)}
        return Epoch(order, figures=figures, rejected=rejected)

    def batch_loss(self, batch: Batch) -> Tensor:
        """Return the weighted mean over samples of their DPO loss."""
        from torch.nn.functional import logsigmoid

        assert batch.rejected is not None
        assert batch.reference is not None
        assert batch.reference_rejected is not None
        taught = _sum(batch.taught) - _sum(batch.reference)
        rejected = _sum(batch.rejected) - _sum(batch.reference_rejected)
        return -(batch.weights * logsigmoid(self._beta * (taught - rejected))).mean()

    def _groups(self, pool: Sequence[Example]) -> list[Group]:
        """Return the samples that teach one preference, the same in every epoch."""
        if self._pairs == "none":
            return [(place,) for place in range(len(pool))]
        sets: dict[tuple[str, ...], list[int]] = {}
        for position, example in enumerate(pool):
            concept = str(example.fields["concept"])
            key = (example.task, example.cluster, concept, example.answer)
            sets.setdefault(key, []).append(position)
        if self._pairs == "set":
            return [tuple(members) for members in sets.values() if _differ(pool, members)]
        return [pair for members in sets.values() for pair in _one_trait(pool, members)]


def _sum(answers: Answers) -> Tensor:
    """Return ``(B,)`` each answer's log-probability."""
    return (answers.logprobs * answers.mask).sum(1)


def _answers(pool: Sequence[Example]) -> dict[str, list[str]]:
    """Return the distinct answers of each task, sorted."""
    answers: dict[str, set[str]] = {}
    for example in pool:
        answers.setdefault(example.task, set()).add(example.answer)
    return {task: sorted(texts) for task, texts in answers.items()}


def _differ(pool: Sequence[Example], members: Sequence[int]) -> bool:
    people = {tuple(sorted(pool[place].groups.items())) for place in members}
    return len(people) > 1


def _one_trait(pool: Sequence[Example], members: Sequence[int]) -> list[Group]:
    """Return pairs of a set's samples whose people differ in one trait, in the pool's order."""
    pairs: list[Group] = []
    alone = list(members)
    while alone:
        position = alone.pop(0)
        for other in alone:
            if _distance(pool[position], pool[other]) == 1:
                alone.remove(other)
                pairs.append((position, other))
                break
    return pairs


def _distance(first: Example, second: Example) -> int:
    """Return in how many traits two people differ; of different kinds of traits, in more than 1."""
    if first.groups.keys() != second.groups.keys():
        return 2
    return sum(first.groups[name] != second.groups[name] for name in first.groups)


def _note(pairs: str, groups: Sequence[Group], samples: int) -> str:
    count = sum(map(len, groups))
    if pairs == "none":
        return f"pairs=none: each of {samples} samples prefers its answer to a wrong one"
    noun = "pairs that differ in one trait" if pairs == "one_trait" else "counterfactual sets"
    left = f"; {samples - count} samples without a partner are left out" if samples > count else ""
    return f"pairs={pairs}: {len(groups)} {noun}, of {count} samples{left}"
