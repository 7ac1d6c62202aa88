"""Accuracy as a mean of means: of parts of an ability, of abilities, of what they are about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import UserError, quoted
from harness.metrics.classes import mean_of_classes, ratio

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats

DESCRIPTORS = (
    MetricDescriptor(
        id="nested_accuracy",
        target="harness_people_benchmarks.metrics.nested:NestedAccuracy",
        summary="Accuracy of each part, averaged level by level, as Face-Human-Bench does.",
        options=(
            Option(
                name="levels",
                default="levels",
                help="Field with the way to a sample's part, its levels divided by slashes.",
            ),
        ),
    ),
)


class NestedAccuracy:
    """Mean over the first level of means over the second, down to the accuracy of each part.

    Each part counts as much as its neighbours, whatever its number of samples; a part without
    samples does not count. The same as ``score.py`` of lxq1000/Face-Human-Bench. Bootstrap draws
    depend on the order in which parts are met, which is that of the release.

    Args:
        options: ``levels``: field of a sample that says ``face/age/5-year/face_age_basic_5``.
    """

    range = (0.0, 1.0)
    undefined = "no sample names its levels"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._field = str(options["levels"])
        self.reads = (self._field,)
        self._parts: dict[tuple[str, ...], int] = {}

    @property
    def size(self) -> int:
        """Two numbers for each part met so far."""
        return max(1, 2 * len(self._parts))

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return right answers and samples of the sample's part.

        Raises:
            UserError: a sample that does not say which part it belongs to.
        """
        levels = sample.fields.get(self._field)
        if not isinstance(levels, str) or not all(levels.split("/")):
            no_way = f"{quoted(levels)} is no way to a part"
            raise UserError(
                "there is no such field" if levels is None else no_way,
                where=f"sample {quoted(sample.id)}, field {self._field!r}",
                fix="levels divided by slashes, as in face/age; the option levels names the field",
            )
        part = self._part(tuple(levels.split("/")), sample.id)
        return {2 * part: float(sample.answer == sample.target), 2 * part + 1: 1.0}

    def _part(self, levels: tuple[str, ...], sample: str) -> int:
        if levels not in self._parts:
            for other in self._parts:
                shorter = min(len(levels), len(other))
                if levels[:shorter] == other[:shorter]:
                    raise UserError(
                        f"{quoted('/'.join(levels))} and {quoted('/'.join(other))} are a part and "
                        "a level above it",
                        where=f"sample {quoted(sample)}, field {self._field!r}",
                    )
            self._parts[levels] = len(self._parts)
        return self._parts[levels]

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean of means."""
        accuracies = {
            levels: ratio(totals[..., 2 * part], totals[..., 2 * part + 1])
            for levels, part in sorted(self._parts.items())  # whatever the order of samples
        }
        return _mean(accuracies) if accuracies else totals[..., 0] * math.nan


def _mean(values: Mapping[tuple[str, ...], Floats]) -> Floats:
    """Return the mean over first levels of what the levels below them average; NaN for none."""
    import numpy as np

    below: dict[str, dict[tuple[str, ...], Floats]] = {}
    for levels, value in values.items():
        below.setdefault(levels[0], {})[levels[1:]] = value
    means = [parts[()] if () in parts else _mean(parts) for parts in below.values()]
    return mean_of_classes(np.stack(means, axis=-1), "leave_out")
