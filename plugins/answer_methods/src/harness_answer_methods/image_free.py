"""Answers set against those to the same question without its images."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests import Choose, Contrast, Failed, Generate, Request, Scores
from harness.requests.method import Result

Values = tuple[float, ...]


class ImageFree(ABC):
    """Asks each question again without images; for log-probabilities of options."""

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return the request without its images."""
        if not request.images:
            return Failed("no_image", "without an image there is nothing to compare with")
        if not isinstance(request.want, Choose):
            return Failed("unsupported", "the method treats scores of options alone")
        return [request.without_images()]

    def combine(
        self, request: Request, result: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return log-probabilities of the same options, over which they sum to 1.

        They are no sums over tokens, so that they have no lengths to be divided by.

        Raises:
            UserError: the model scores options otherwise than by log-probabilities.
        """
        del request
        free = further[0]
        if not isinstance(result, Scores) or not isinstance(free, Scores):
            return Failed("unsupported", "the model did not answer with scores")
        if {result.kind, free.kind} != {"logprob"}:
            raise UserError(
                f"the model gives scores of kind {result.kind!r}, and the method needs "
                "log-probabilities of the options",
                fix="leave out the method, or score options otherwise where the model has a choice",
            )
        return Scores("logprob", _normalised(self.scores(result.values, free.values)))

    @abstractmethod
    def scores(self, values: Values, free: Values) -> Values:
        """Return new scores from those with and without images, up to a common summand."""


class PostHoc(ImageFree):
    """Post-hoc calibration of arXiv 2403.05262: ``q ~ diag(p_cf)^-1 p``.

    ``p`` and ``p_cf`` are the options' probabilities with and without images, each normalised
    over the options; ``epsilon`` is added to ``p_cf`` then.

    Args:
        options: ``epsilon``.

    Raises:
        UserError: an epsilon that is not above 0.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._epsilon = float(str(options["epsilon"]))
        if not 0 < self._epsilon < math.inf:
            raise UserError(f"{self._epsilon:g} is not above 0", where="method option 'epsilon'")

    def scores(self, values: Values, free: Values) -> Values:
        """Return ``ln q`` and a summand."""
        below = [math.exp(value) + self._epsilon for value in _normalised(free)]
        return tuple(value - math.log(share) for value, share in zip(values, below, strict=True))


class Debias(ImageFree):
    """Visual debias decoding of arXiv 2403.05262.

    Each token of a written answer is chosen by ``(1 + alpha) * logits - alpha * logits_cf``, among
    those whose probability with the image is at least ``cutoff`` times the largest. Of a choice,
    which is not decoded, the sums over each option are contrasted, without a cutoff:
    ``(1 + alpha) * s - alpha * s_cf``, and normalised over the options, as such a difference is
    no log-probability.

    Args:
        options: ``alpha`` and ``cutoff``.

    Raises:
        UserError: an alpha below 0, a cutoff outside 0 to 1.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._alpha = float(str(options["alpha"]))
        cutoff = float(str(options["cutoff"]))
        if not 0 <= self._alpha < math.inf:
            raise UserError(f"{self._alpha:g} is below 0", where="method option 'alpha'")
        if not 0 <= cutoff <= 1:
            raise UserError(f"{cutoff:g} is not between 0 and 1", where="method option 'cutoff'")
        self._contrast = Contrast(self._alpha, cutoff)

    def own(self, request: Request) -> Request:
        """Return the request, with the contrast where an answer is to be written."""
        if not isinstance(request.want, Generate):
            return request
        return replace(request, want=replace(request.want, contrast=self._contrast))

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return the request without its images; nothing where the model contrasts by itself."""
        if isinstance(request.want, Generate) and request.images:
            return []
        return super().further(request)

    def combine(
        self, request: Request, result: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return contrasted scores, or the text as it was written."""
        return super().combine(request, result, further) if further else result

    def scores(self, values: Values, free: Values) -> Values:
        """Return contrasted scores."""
        alpha = self._alpha
        return tuple((1 + alpha) * s - alpha * cf for s, cf in zip(values, free, strict=True))


def _normalised(values: Sequence[float]) -> Values:
    """Return log-probabilities that sum to 1 as probabilities."""
    top = max(values)
    total = top + math.log(math.fsum(math.exp(value - top) for value in values))
    return tuple(value - total for value in values)
