"""Mean average precision where a sample has several labels, such as EMOTIC's 26 categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError
from harness.metrics.classes import Classes, ratio
from harness_benchmarks.metrics.average_precision import DESCRIPTORS as ONE_LABEL
from harness_benchmarks.metrics.average_precision import (
    MeanAveragePrecision,
    Ranking,
    precisions,
)

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

_CURVE = Option(
    name="curve",
    default="every_threshold",
    choices=("every_threshold", "eleven_points"),
    help="Average precision over every threshold (scikit-learn), or interpolated at the recalls 0, "
    "0.1, ..., 1.",
)
DESCRIPTORS = (
    MetricDescriptor(
        id="multilabel_map",
        target="harness_people_benchmarks.metrics.multilabel:MultiLabelMap",
        summary="Mean over labels of average precision, where a sample has several.",
        options=(*ONE_LABEL[0].options, _CURVE),
    ),
    MetricDescriptor(
        id="label_hit",
        target="harness_people_benchmarks.metrics.multilabel:LabelHit",
        summary="Share of samples whose answer is one of their labels.",
    ),
)


def targets(sample: ScoredSample, classes: Classes) -> list[int]:
    """Return the positions of a sample's labels.

    Raises:
        DataError: its target is not a list of the task's labels.
    """
    listed = sample.target
    if (
        not isinstance(listed, list)
        or not listed
        or not set(map(str, listed)) <= set(classes.labels)
    ):
        raise DataError(
            "the target is not a list of the task's labels", where=f"sample {sample.id!r}"
        )
    return [classes.place(str(label)) for label in listed]


class MultiLabelMap(MeanAveragePrecision):
    """``map`` with several right labels a sample; equals scikit-learn's macro average precision.

    With ``curve=eleven_points`` a class's value is the mean over recalls of 0, 0.1, ..., 1 of the
    highest precision at that recall or above, as in the program of EMOTIC's authors (``src/
    funcs.lua`` of rkosti/emotic, 69c3a51). Ties share a threshold there too.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        super().__init__(options, labels)
        self._eleven_points = options["curve"] == "eleven_points"

    def of_class(self, ranking: Ranking, weights: Floats) -> Floats:
        """Return ``(draws,)`` average precisions; NaN where no sample of the label was drawn."""
        import numpy as np

        if not self._eleven_points:
            return super().of_class(ranking, weights)
        _, above, precision = precisions(ranking, weights)
        total = above[:, -1:] if above.shape[1] else np.zeros((len(above), 1))
        # Nothing follows the last threshold, so that a recall that is not reached has 0.
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        best = np.concatenate([best, np.zeros_like(total)], axis=1)
        # Ten times whole numbers, as a tenth is no exact float.
        first = [(10 * above < tenths * total).sum(axis=1) for tenths in range(11)]
        reached = np.take_along_axis(best, np.stack(first, axis=1), axis=1)
        return np.where(total[:, 0] > 0, reached.mean(axis=1), np.nan)

    def truth(self, samples: Sequence[ScoredSample]) -> NDArray[np.bool_]:
        """Return ``(samples, classes)`` whether a sample has a label."""
        import numpy as np

        truth = np.zeros((len(samples), len(self.classes)), dtype=bool)
        for row, sample in enumerate(samples):
            truth[row, targets(sample, self.classes)] = True
        return truth


class LabelHit:
    """Share of samples whose answer is among their labels, in ``[0, 1]``."""

    size = 2
    proportion = True
    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options
        self._classes = Classes(labels)

    def score(self, sample: ScoredSample) -> float:
        """Return 1 when the answer is one of the labels."""
        answer = self._classes.answer(sample)
        return float(answer is not None and answer in targets(sample, self._classes))

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return hits at 0 and samples at 1."""
        return {0: self.score(sample), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return hits over samples."""
        return ratio(totals[..., 0], totals[..., 1])
