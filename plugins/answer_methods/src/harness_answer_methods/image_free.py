"""Answers set against those to the same question without its pictures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests import Choose, Failed, Generate, Request, Scores
from harness.requests.method import Result

Values = tuple[float, ...]


class ImageFree(ABC):
    """Asks each question again without pictures; for log-probabilities of options."""

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return the request without its pictures."""
        if not isinstance(request.want, Choose):
            wanted = "written answers" if isinstance(request.want, Generate) else "vectors"
            return Failed("unsupported", f"the method treats scores of options, not {wanted}")
        if not request.images:
            return Failed("no_image", "without a picture there is nothing to compare with")
        return [replace(request, turns=tuple(replace(turn, images=()) for turn in request.turns))]

    def combine(self, request: Request, own: Result, further: Sequence[Result]) -> Result | Failed:
        """Return scores of the same options; their lengths stay."""
        del request
        free = further[0]
        if not isinstance(own, Scores) or not isinstance(free, Scores):
            return Failed("unsupported", "the model did not answer with scores")
        if {own.kind, free.kind} != {"logprob"}:
            return Failed("unsupported", f"scores of kind {own.kind!r} are no log-probabilities")
        return replace(own, values=self.scores(own.values, free.values))

    @abstractmethod
    def scores(self, own: Values, free: Values) -> Values:
        """Return new scores from those with and without pictures, natural logarithms."""


class PostHoc(ImageFree):
    """Post-hoc calibration of arXiv 2403.05262: ``q ~ diag(p_cf)^-1 p``.

    ``p`` and ``p_cf`` are the options' probabilities with and without pictures, each normalised
    over the options; ``epsilon`` is added to ``p_cf`` then. Scores are ``ln q``, normalised.

    Args:
        options: ``epsilon``.

    Raises:
        UserError: an epsilon that is not above 0.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._epsilon = float(str(options["epsilon"]))
        if not 0 < self._epsilon < math.inf:
            raise UserError(f"{self._epsilon:g} is not above 0", where="method option 'epsilon'")

    def scores(self, own: Values, free: Values) -> Values:
        """Return ``ln q``."""
        below = [math.exp(value) + self._epsilon for value in _normalised(free)]
        return _normalised(
            [value - math.log(share) for value, share in zip(own, below, strict=True)]
        )


class Contrast(ImageFree):
    """Visual debias decoding of arXiv 2403.05262, for options: ``(1 + alpha) s - alpha s_cf``.

    The paper's method decodes: it contrasts the logits of each step of a written answer. This
    contrasts the sums over each option; written answers are refused.

    Args:
        options: ``alpha``.

    Raises:
        UserError: an alpha below 0.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._alpha = float(str(options["alpha"]))
        if not 0 <= self._alpha < math.inf:
            raise UserError(f"{self._alpha:g} is below 0", where="method option 'alpha'")

    def scores(self, own: Values, free: Values) -> Values:
        """Return contrasted scores, not normalised."""
        alpha = self._alpha
        return tuple((1 + alpha) * s - alpha * cf for s, cf in zip(own, free, strict=True))


def _normalised(values: Sequence[float]) -> Values:
    """Return log-probabilities that sum to 1 as probabilities."""
    top = max(values)
    whole = top + math.log(math.fsum(math.exp(value - top) for value in values))
    return tuple(value - whole for value in values)
