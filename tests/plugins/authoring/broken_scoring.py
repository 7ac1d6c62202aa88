"""Metrics, extractors and methods that break one promise each, beside ones that keep them all."""

# ruff: noqa: ARG002  the contracts' signatures

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from harness.requests import Choose, Failed, Request, Scores
from harness.requests.extractor import Extracted

CHANCE = itertools.count()


class Metric:
    """Share of right answers."""

    size = 2
    range: tuple[float | None, float | None] = (0.0, 1.0)

    def __init__(self, options: Any, labels: Any) -> None:
        self.seen = 0

    def statistics(self, sample: Any) -> dict[int, float]:
        return {0: float(sample.answer == sample.target), 1: 1.0}

    def finalize(self, totals: Any) -> Any:
        right, all_of_them = totals[..., 0], totals[..., 1]
        return np.divide(right, all_of_them, out=np.full_like(right, np.nan), where=all_of_them > 0)


class CountsTheFirst(Metric):
    """order"""

    def statistics(self, sample: Any) -> dict[int, float]:
        self.seen += 1
        return {0: float(sample.answer == sample.target) * self.seen, 1: 100.0}


class SaysAnother(Metric):
    """pure"""

    def statistics(self, sample: Any) -> dict[int, float]:
        return {0: next(CHANCE) * 1e-6, 1: 1.0}


class NotSums(Metric):
    """additivity"""

    def __init__(self, options: Any, labels: Any) -> None:
        self.ids: set[str] = set()

    def statistics(self, sample: Any) -> dict[int, float]:
        # A cluster that was drawn twice counts once more than its sums say.
        return {0: 1.0 + len(sample.cluster.split()), 1: 9.0}


class Together(Metric):
    """rows"""

    def finalize(self, totals: Any) -> Any:
        return super().finalize(totals) - 0.01 * np.nanmean(super().finalize(totals))


class TakesAway(Metric):
    """rows"""

    def finalize(self, totals: Any) -> Any:
        values = super().finalize(totals)
        totals[..., 0] = 0
        return values


class NothingIsZero(Metric):
    """rows"""

    def finalize(self, totals: Any) -> Any:
        return np.nan_to_num(super().finalize(totals))


class Infinite(Metric):
    """rows"""

    range = (None, None)

    def finalize(self, totals: Any) -> Any:
        with np.errstate(all="ignore"):
            return (totals[..., 0] + 1) / totals[..., 1]


class NeedsAnswers(Metric):
    """unread"""

    def statistics(self, sample: Any) -> dict[int, float]:
        return {0: float(len(sample.answer) > 2), 1: 1.0}


class OutOfRange(Metric):
    """range"""

    def finalize(self, totals: Any) -> Any:
        return 100 * super().finalize(totals)


class Missed(Metric):
    """interval"""

    range = (None, None)

    def finalize(self, totals: Any) -> Any:
        value = super().finalize(totals)
        return value + 5 * (totals.ndim > 1 and len(totals) > 1)


class LastWord:
    """Reads the last word."""

    def __init__(self, options: Any, labels: Any) -> None:
        self.labels = set(labels)
        self.before = ""

    def __call__(self, text: str, fields: Any) -> Any:
        named = [name for name in self.labels if text.strip(" .!").endswith(name)]
        return Extracted(max(named, key=len)) if named else Extracted(None, "unparsed")


class RaisesOnNothing(LastWord):
    """any_text"""

    def __call__(self, text: str, fields: Any) -> Any:
        return super().__call__(text + text.split(maxsplit=1)[0], fields)


class AnswersNothing(LastWord):
    """any_text"""

    def __call__(self, text: str, fields: Any) -> Any:
        return Extracted(None)


class Remembers(LastWord):
    """determinism"""

    def __call__(self, text: str, fields: Any) -> Any:
        before, self.before = self.before, text
        return super().__call__(text if len(before) < 30 else "", fields)


class Shortest(LastWord):
    """labels"""

    def __call__(self, text: str, fields: Any) -> Any:
        named = [name for name in self.labels if text.endswith(name)]
        return Extracted(min(named, key=len)) if named else Extracted(None, "unparsed")


class Method:
    """Takes the scores without an image away."""

    def __init__(self, options: Any) -> None:
        pass

    def further(self, request: Request) -> Any:
        turns = tuple(replace(turn, images=()) for turn in request.turns)
        return [replace(request, turns=turns)]

    def combine(self, request: Request, result: Any, further: Any) -> Any:
        pairs = zip(result.values, further[0].values, strict=True)
        values = [first - other for first, other in pairs]
        return Scores("logprob", tuple(first - max(values) for first in values))


class NoNumbers(Method):
    """treats"""

    def combine(self, request: Request, result: Any, further: Any) -> Any:
        return Scores("logprob", tuple(float("nan") for _ in result.values))


class AlwaysRefuses(Method):
    """treats"""

    def further(self, request: Request) -> Any:
        return Failed("unsupported", "not today")


class Drifts(Method):
    """determinism"""

    def combine(self, request: Request, result: Any, further: Any) -> Any:
        off = next(CHANCE) * 1e-3
        return Scores("logprob", tuple(value - off for value in result.values))


class ByPlace(Method):
    """option_order"""

    def combine(self, request: Request, result: Any, further: Any) -> Any:
        values = tuple(value - index for index, value in enumerate(result.values))
        return Scores("logprob", values)


class Touches(Method):
    """untouched"""

    def combine(self, request: Request, result: Any, further: Any) -> Any:
        object.__setattr__(result, "values", tuple(value - 1 for value in result.values))
        return result


class NeedsImages(Method):
    """images"""

    def further(self, request: Request) -> Any:
        assert isinstance(request.want, Choose)
        return [replace(request, turns=(request.turns[0],))] if request.images[0] else []
