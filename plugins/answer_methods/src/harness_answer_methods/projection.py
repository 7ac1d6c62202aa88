"""Text projections of Chuang et al., "Debiasing Vision-Language Models via Biased Prompts" (2023).

The formulas are those of arXiv 2302.00070 and of its code (chingyaoc/debias_vl, MIT).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests import Embed, Failed

from harness_answer_methods.vectors import VectorMethod, listed, unit

if TYPE_CHECKING:
    from harness_answer_methods.vectors import Rows


class Projection(VectorMethod):
    """``P0 = I - A (A^T A)^-1 A^T``: texts without the span of the attribute's prompts.

    ``A`` (D, k) holds the prompts' unit vectors as columns. Images stay as they are.

    Args:
        options: ``prompts``, texts between bars that name the attribute's values.

    Raises:
        UserError: fewer than two prompts: a projection of rank 0 would change nothing.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__()
        self._prompts = listed(options, "prompts", 2, example="a photo of a man|a photo of a woman")
        self._known: tuple[tuple[object, ...], Rows] | None = None

    def prompts(self, texts: Embed) -> Sequence[Embed]:
        """Return the attribute's prompts."""
        del texts
        return [Embed(self._prompts)]

    def treat(
        self, asked: Embed, images: Rows, texts: Rows, prompts: Sequence[Rows]
    ) -> tuple[Rows, Rows] | Failed:
        """Return the images as they are, and projected texts."""
        del asked
        if self._known is None or any(
            known is not one for known, one in zip(self._known[0], prompts, strict=True)
        ):
            self._known = tuple(prompts), self.matrix(prompts)
        treated = unit(texts @ self._known[1].T, "a text")
        return treated if isinstance(treated, Failed) else (images, treated)

    def matrix(self, prompts: Sequence[Rows]) -> Rows:
        """Return the matrix (D, D) that treats a text's vector."""
        return outside(prompts[0])


class CalibratedProjection(Projection):
    """``P = P0 (I + lambda / |S| sum (z_i - z_j)(z_i - z_j)^T)^-1``: pairs come to one place.

    A pair of S is one subject in a sentence, with two values of the attribute.

    Args:
        options: ``prompts``, ``sentence`` with the words VALUE and SUBJECT, ``values``,
            ``subjects`` and ``strength`` (lambda).

    Raises:
        UserError: a sentence without both words, a strength that is not above 0.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        sentence, self._strength = str(options["sentence"]), float(str(options["strength"]))
        if "VALUE" not in sentence or "SUBJECT" not in sentence:
            raise UserError(
                f"{sentence!r} lacks VALUE or SUBJECT",
                where="method option 'sentence'",
                fix="a photo of a VALUE SUBJECT",
            )
        if not 0 < self._strength < math.inf:
            raise UserError(f"{self._strength:g} is not above 0", where="method option 'strength'")
        values = listed(options, "values", 2, example="male|female")
        subjects = listed(options, "subjects", example="person|doctor|nurse")
        self._values = len(values)
        self._candidates = tuple(
            sentence.replace("VALUE", value).replace("SUBJECT", subject)
            for subject in subjects
            for value in values
        )

    def prompts(self, texts: Embed) -> Sequence[Embed]:
        """Return the attribute's prompts, and the sentences of the pairs."""
        return [*super().prompts(texts), Embed(self._candidates)]

    def matrix(self, prompts: Sequence[Rows]) -> Rows:
        """Return the matrix (D, D) that treats a text's vector."""
        spurious, candidates = prompts
        return calibrated(spurious, candidates.reshape(-1, self._values, spurious.shape[1]),
                          self._strength)  # fmt: skip


def outside(vectors: Rows) -> Rows:
    """Return ``(D, D)`` the projection to what is orthogonal to some vectors (k, D).

    Dependent vectors are no fault: the span is taken from the singular vectors (the official code
    approximates them by a randomised method).

    Raises:
        UserError: the vectors span everything, so that nothing would be left.
    """
    import numpy as np

    _, sizes, basis = np.linalg.svd(vectors, full_matrices=False)
    basis = basis[sizes > sizes[0] * max(vectors.shape) * np.finfo(np.float64).eps]
    if len(basis) == vectors.shape[1]:
        raise UserError(f"the prompts span all {len(basis)} dimensions of the vectors",
                        where="method option 'prompts'", fix="fewer prompts")  # fmt: skip
    matrix: Rows = np.eye(vectors.shape[1]) - basis.T @ basis
    return matrix


def calibrated(spurious: Rows, subjects: Rows, strength: float) -> Rows:
    """Return ``(D, D)`` the calibrated projection.

    Args:
        spurious: ``(k, D)`` unit vectors of the attribute's prompts.
        subjects: ``(subjects, values, D)`` unit vectors; each two values of a subject are a pair.
        strength: Lambda.
    """
    import numpy as np

    first, second = np.triu_indices(subjects.shape[1], 1)
    apart = (subjects[:, first] - subjects[:, second]).reshape(-1, subjects.shape[2])
    spread = apart.T @ apart / len(apart)
    matrix: Rows = outside(spurious) @ np.linalg.inv(np.eye(len(spread)) + strength * spread)
    return matrix
