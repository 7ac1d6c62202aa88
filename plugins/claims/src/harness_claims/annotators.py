"""The annotators of a sample: their answers, and what the others say when one is left out.

Answers are a list in the place of the right one (VQAv2, TextVQA, GazeFollow, an own table's list),
or votes: a count for each label, in a field of the sample (FER+).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.errors import DataError, nearest
from harness.guard import described
from harness.requests import AnnotatorAnswer

if TYPE_CHECKING:
    from harness.descriptors import Json

MISSING = [-1, -1]
"""A point that an annotator of GazeFollow did not give."""
VOTES = "votes"
_FIX = "a count or share for each label, by name or in the order of the labels"
_FIX_NONE = "name the field in data.keep of the spec, and leave out samples nobody voted on"


def counts_of(votes: Json, labels: Sequence[str], where: str) -> list[float]:
    """Return how many votes, or which share of them, each label has: at least 0.

    Args:
        votes: By label (those left out have none), or one for each label in order.
        labels: Labels in order.
        where: Where they stand, for messages.

    Raises:
        DataError: no votes, votes for what is not a label, or what is no number of at least 0.
    """
    if votes is None:
        raise DataError("the sample has no votes", where=where, fix=_FIX_NONE)
    if isinstance(votes, Mapping):
        if unknown := sorted(set(votes) - set(labels)):
            raise DataError(
                f"there are votes for {unknown[0]!r}, which is not a label",
                where=where,
                fix=nearest(unknown[0], labels),
            )
        votes = [votes.get(label, 0) for label in labels]
    if not isinstance(votes, list):
        raise DataError(f"votes are {described(votes)}, not counts", where=where, fix=_FIX)
    if len(votes) != len(labels):
        raise DataError(
            f"there are votes for {len(votes)} labels of {len(labels)}", where=where, fix=_FIX
        )
    for count in votes:
        if (
            isinstance(count, bool)
            or not isinstance(count, int | float)
            or not 0 <= count < math.inf
        ):
            raise DataError(
                f"{described(count)} is not a number of votes", where=where, fix="0 or more"
            )
    return [float(str(count)) for count in votes]


def answers_of(
    target: Json, fields: Mapping[str, Json], labels: Sequence[str], votes: str = VOTES
) -> list[Json]:
    """Return a sample's answers, one for each annotator; empty where the data have no such thing.

    Args:
        target: The sample's right answer, which is a list where it is several people's.
        fields: The sample's fields.
        labels: Labels of a choice task in order.
        votes: Name of the field with votes: counts by label, or in the order of labels.

    Raises:
        DataError: votes that are no counts.
    """
    if isinstance(target, list):
        if all(isinstance(one, str | list) for one in target):
            return [one for one in target if one != MISSING]
        return []
    counts = fields.get(votes)
    if not labels or counts is None:
        return []
    answers: list[Json] = []
    for label, count in zip(labels, counts_of(counts, labels, f"field {votes!r}"), strict=True):
        if count != int(count):
            raise DataError(f"{count!r} in {votes!r} is not a number of annotators")
        answers += [label] * int(count)
    return answers


def left_out(target: Json, answers: Sequence[Json]) -> list[AnnotatorAnswer]:
    """Return each annotator's answer with what the others say; empty for fewer than two.

    Of a list the others are what is left of it. Of votes they are the label that most of the
    others chose; where several have as many, the release's label if it is one of them, else the
    first in the order of labels.

    Args:
        target: The sample's right answer.
        answers: As :func:`answers_of` gives them.
    """
    if len(answers) < 2:
        return []
    if not isinstance(target, list):
        return _of_votes(target, answers)
    groups: dict[str, tuple[int, int]] = {}
    for position, answer in enumerate(answers):
        first, times = groups.get(str(answer), (position, 0))
        groups[str(answer)] = first, times + 1
    return [
        AnnotatorAnswer(answers[first], [*answers[:first], *answers[first + 1 :]], times)
        for first, times in groups.values()
    ]


def _of_votes(target: Json, answers: Sequence[Json]) -> list[AnnotatorAnswer]:
    counts = Counter(answers)
    listed = []
    for answer, times in counts.items():
        others = counts - Counter([answer])
        most = max(others.values())
        tied = [label for label in counts if others[label] == most]
        listed.append(AnnotatorAnswer(answer, target if target in tied else tied[0], times))
    return listed
