"""VQA accuracy and the official TextVQA metric: two scorers that differ in how texts are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError, unknown
from harness.metrics.classes import ratio

from harness_benchmarks.metrics.vqa_text import normalised, stripped, textvqa_normalised

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="vqa_accuracy",
        target="harness_benchmarks.metrics.vqa:VqaAccuracy",
        summary="Official VQA accuracy: agreement with ten people's answers.",
        options=(
            Option(
                name="unanimous",
                default="as_written",
                choices=("as_written", "normalised"),
                help="How texts are compared where all references are equal.",
            ),
        ),
    ),
    MetricDescriptor(
        id="textvqa_accuracy",
        target="harness_benchmarks.metrics.vqa:TextVqaAccuracy",
        summary="Official TextVQA metric: VQA accuracy with its own reading of texts.",
    ),
)


_ENOUGH = 3
_UNANIMOUS = ("as_written", "normalised")


def agreement(answer: str, references: Sequence[str]) -> float:
    """Return the mean over references of ``min(1, matches among the other references / 3)``.

    With ten references 0, 1, 2, 3, 4 and more matches give 0, 0.3, 0.6, 0.9, 1. References are told
    apart by their place, as the official code does by their ``answer_id``.
    """
    matches, count = sum(answer == reference for reference in references), len(references)
    if_chosen, otherwise = min(1.0, (matches - 1) / _ENOUGH), min(1.0, matches / _ENOUGH)
    return (matches * if_chosen + (count - matches) * otherwise) / count


class _MeanAgreement(ABC):
    """Mean over samples of their agreement, in ``[0, 1]``; an unparsed answer scores 0."""

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return the score at 0 and the sample at 1."""
        return {0: self.score(sample), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean score."""
        return ratio(totals[..., 0], totals[..., 1])

    def score(self, sample: ScoredSample) -> float:
        """Return one sample's score."""
        references = _references(sample)
        if not isinstance(sample.answer, str):
            return 0.0
        return self.compared(sample.answer, references)

    @abstractmethod
    def compared(self, answer: str, references: Sequence[str]) -> float:
        """Return the agreement of an answer with its references."""


class VqaAccuracy(_MeanAgreement):
    """VQA accuracy as the official tools compute it (``vqaEval.py``, GT-Vision-Lab/VQA a013f004).

    Where the references are not all equal, answer and references are normalised; where they are,
    nothing is (since March 2021), unless the option ``unanimous=normalised`` says so (lmms-eval).
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        value = options.get("unanimous") or _UNANIMOUS[0]
        if value not in _UNANIMOUS:
            raise unknown("value", str(value), _UNANIMOUS, where="option 'unanimous'")
        self._always = value == "normalised"

    def compared(self, answer: str, references: Sequence[str]) -> float:
        """Return the agreement of an answer with its references."""
        answer, references = stripped(answer), [stripped(one) for one in references]
        read: Callable[[str], str] = str
        if self._always or len(set(references)) > 1:
            read = normalised
        return agreement(read(answer), [read(one) for one in references])


class TextVqaAccuracy(_MeanAgreement):
    """The official TextVQA metric (``TextVQAAccuracyEvaluator``, facebookresearch/mmf b0ffc7fb).

    Not VQA accuracy: texts are always normalised, after a first step of their own.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options, labels

    def compared(self, answer: str, references: Sequence[str]) -> float:
        """Return the agreement of an answer with its references."""
        return agreement(textvqa_normalised(answer), [*map(textvqa_normalised, references)])


def _references(sample: ScoredSample) -> list[str]:
    target = sample.target if isinstance(sample.target, list) else []
    answers = [one for one in target if isinstance(one, str)]
    if not answers or len(answers) != len(target):
        raise DataError("the target is not a list of answers", where=f"sample {sample.id!r}")
    return answers
