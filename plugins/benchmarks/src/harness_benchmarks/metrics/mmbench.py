"""MMBench's circular accuracy: a question counts only if every round of its options is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor
from harness.errors import DataError
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

DESCRIPTORS = (
    MetricDescriptor(
        id="circular_accuracy",
        version=3,
        target="harness_benchmarks.metrics.mmbench:CircularAccuracy",
        summary="Share of questions answered right in every rotation of the options.",
    ),
    MetricDescriptor(
        id="vanilla_accuracy",
        target="harness_benchmarks.metrics.mmbench:VanillaAccuracy",
        summary="Share of questions answered right in the first rotation of the options.",
    ),
)


FEWER = "questions with fewer rounds than options, left out of circular accuracy"
ALIKE = "questions with one letter right in two rounds, which are not circular"
ONE_LETTER = "questions with one right letter in all rounds, left out of circular accuracy"
UNEVEN = "questions whose rounds have different numbers of options"
NO_FIRST = "questions without a first round, left out of vanilla accuracy"
UNSCORED = "questions with a round that was not scored, left out of circular accuracy"


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions whose rounds are all there.

    Attributes:
        first: ``(questions,)`` place of a sample of each; its weight is the question's.
        right: ``(questions,)`` 1 where every round was answered right.
    """

    first: NDArray[np.intp]
    right: Floats


class CircularAccuracy:
    """Share of questions of which every round was answered right, in ``[0, 1]``.

    A question is a cluster, with a round for each of its options, which are the fields of one
    capital letter that are not empty; its samples keep ``rounds``, how many the file has. As in
    ``mcq_circular_eval`` of open-compass/VLMEvalKit (e8e78f05) without a judge, but for questions
    that the file does not ask round the circle, with fewer rounds than options or one right letter
    in all of them: they are left out, as a model that always gives one letter would be right. A
    question of which a round was not scored (it errored, or a limit left it out) is not counted
    either, as it may be right or wrong. ``notes`` counts them, and questions with one letter right
    in two of several rounds or with different numbers of options, which are counted.
    """

    range = (0.0, 1.0)
    reads = ("round", "rounds")

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options, labels

    def prepare(self, samples: Sequence[ScoredSample]) -> Questions:
        """Return which questions are right."""
        import numpy as np

        complete = [
            places
            for places in _rounds(samples)
            if not _left_out([samples[place] for place in places])
        ]
        right = [all(_right(samples[place]) for place in places) for places in complete]
        return Questions(
            np.array([places[0] for places in complete], dtype=np.intp),
            np.array(right, dtype=np.float64),
        )

    def notes(self, samples: Sequence[ScoredSample]) -> Mapping[str, int]:
        """Return why questions are left out or odd, and how many for each reason."""
        reasons: dict[str, int] = {}
        for places in _rounds(samples):
            rounds = [samples[place] for place in places]
            moved = len(_letters(rounds)) == len(rounds)
            whole = len(rounds) == _whole(rounds[0], "rounds")
            remarks = {
                _left_out(rounds) or ("" if moved else ALIKE),
                UNEVEN if len({*map(_options, rounds)}) > 1 else "",
                NO_FIRST if whole and all(_whole(one, "round") for one in rounds) else "",
            }
            for reason in sorted(filter(None, remarks)):
                reasons[reason] = reasons.get(reason, 0) + 1
        return reasons

    def units(self, prepared: Questions) -> tuple[NDArray[np.intp], Floats]:
        """Return each question's first sample, and 1 where it is right."""
        return prepared.first, prepared.right

    def value(self, prepared: Questions, weights: Floats) -> Floats:
        """Return the share of right questions under each row of weights."""
        import numpy as np

        drawn = weights[:, prepared.first]
        return ratio(np.asarray(drawn @ prepared.right), np.asarray(drawn.sum(axis=1)))


class VanillaAccuracy:
    """Share of right answers in the first round, the options as the question first lists them.

    The benchmark's "VanillaEval": each question is asked once.
    """

    size = 2
    proportion = True
    range = (0.0, 1.0)
    reads = ("round",)
    undefined = "no question's first round is among them"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options, labels

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers at 0 and answers at 1; nothing for later rounds."""
        if _whole(sample, "round") != 0:
            return {}
        return {0: float(_right(sample)), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return right answers over answers."""
        return ratio(totals[..., 0], totals[..., 1])


def _rounds(samples: Sequence[ScoredSample]) -> list[list[int]]:
    """Return the places of each question's rounds."""
    by_question: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        by_question.setdefault(sample.cluster, []).append(index)
    return list(by_question.values())


def _left_out(rounds: Sequence[ScoredSample]) -> str:
    """Return why a question is not counted; nothing when it is."""
    if _whole(rounds[0], "rounds") < _options(rounds[0]):
        return FEWER
    if len(rounds) < _whole(rounds[0], "rounds"):
        return UNSCORED
    if len(rounds) > 1 and len(_letters(rounds)) == 1:
        return ONE_LETTER
    return ""


def _letters(rounds: Sequence[ScoredSample]) -> set[str]:
    """Return the letters that are right in some round."""
    return {str(sample.target) for sample in rounds}


def _options(sample: ScoredSample) -> int:
    return sum(
        len(name) == 1 and "A" <= name <= "Z" and text not in (None, "")
        for name, text in sample.fields.items()
    )


def _right(sample: ScoredSample) -> bool:
    return sample.answer is not None and sample.answer == sample.target


def _whole(sample: ScoredSample, name: str) -> int:
    value = sample.fields.get(name)
    if not isinstance(value, int):
        raise DataError(
            f"the field {name!r} is not a whole number; the spec keeps it with data.keep",
            where=f"sample {sample.id!r}",
        )
    return value
