"""Methods that treat a dual encoder's vectors: what they ask, and how answers follow from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.requests import Choose, Embed, Failed, Request, Scores, Vectors
from harness.requests.method import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[Any]  # float64, one vector a row

LEAST = 1e-6
"""A vector of which less than this share of its length remains has no direction left."""


class VectorMethod(ABC):
    """Asks for the vectors of an image and its texts, and answers by treated ones.

    Of a choice the options' vectors are those that the model itself would compare (in its
    templates, or as whole texts where the task matches), and scores are cosines.
    """

    def __init__(self) -> None:
        self._rows: dict[int, tuple[object, Rows]] = {}

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return requests for the texts, the prompts of the method, and a choice's image."""
        want = request.want
        if not isinstance(want, Choose | Embed):
            return Failed("unsupported", "the method treats vectors alone")
        if isinstance(want, Choose) and len(request.images) != 1:
            return Failed("one_image", f"the method takes one image, not {len(request.images)}")
        texts = _texts(want)
        # Without turns: equal ones are asked once a block.
        requests = [replace(request, turns=(), want=one) for one in (texts, *self.prompts(texts))]
        return [*requests, replace(request, want=Embed())] if isinstance(want, Choose) else requests

    def combine(
        self, request: Request, result: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return treated vectors, or the cosines of treated vectors."""
        want = request.want
        answered = list(further) if isinstance(want, Choose) else [*further, result]
        answers = [one for one in answered if isinstance(one, Vectors)]
        if len(answers) != len(answered):
            return Failed("unsupported", "the model did not answer with vectors")
        texts, *prompts = (self.rows(one.texts) for one in answers[:-1])
        treated = self.treat(_texts(want), self.rows(answers[-1].images), texts, prompts)
        if isinstance(treated, Failed):
            return treated
        seen, read = treated
        if isinstance(want, Choose):
            return Scores("similarity", tuple((read * seen[0]).sum(-1).tolist()))
        return Vectors(tuple(map(tuple, seen.tolist())), tuple(map(tuple, read.tolist())))

    def prompts(self, texts: Embed) -> Sequence[Embed]:
        """Return what else is to be embedded, for these texts."""
        del texts
        return []

    @abstractmethod
    def treat(
        self, asked: Embed, images: Rows, texts: Rows, prompts: Sequence[Rows]
    ) -> tuple[Rows, Rows] | Failed:
        """Return treated unit vectors of images and texts.

        Args:
            asked: The texts.
            images: ``(images, D)`` unit vectors.
            texts: ``(texts, D)`` unit vectors.
            prompts: Unit vectors of what :meth:`prompts` named, in its order.
        """

    def rows(self, vectors: tuple[tuple[float, ...], ...]) -> Rows:
        """Return ``(N, D)`` unit vectors; those of the block's last answers are kept."""
        import numpy as np

        cached = self._rows.get(id(vectors))
        if cached is not None and cached[0] is vectors:
            return cached[1]
        rows: Rows = np.array(vectors, dtype=np.float64)
        if len(rows):
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        if len(self._rows) > 16:
            self._rows.clear()
        self._rows[id(vectors)] = vectors, rows
        return rows


def unit(rows: Rows, owner: str) -> Rows | Failed:
    """Return rows at unit length.

    Args:
        rows: ``(N, D)``, treated vectors that had unit length.
        owner: Whose they are, for the message.
    """
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if (lengths < LEAST).any():
        return Failed("no_direction", f"nothing is left of a vector of {owner}")
    treated: Rows = rows / lengths
    return treated


def listed(
    options: Mapping[str, Any], name: str, least: int = 1, *, example: str
) -> tuple[str, ...]:
    """Return an option's texts, which stand between bars; an example shows what they are.

    Raises:
        UserError: fewer than ``least``, or one twice.
    """
    texts = tuple(text.strip() for text in str(options[name]).split("|") if text.strip())
    if len(texts) < least or len(set(texts)) < len(texts):
        number = f"{len(texts)} text{'' if len(texts) == 1 else 's'}"
        problem = "one text twice" if len(texts) >= least else number
        raise UserError(
            f"{problem}, where {least} or more different ones are needed",
            where=f"method option {name!r}",
            fix=f"separate them by bars: {example}",
        )
    return texts


def _texts(want: object) -> Embed:
    """Return the texts of a request as they are embedded."""
    if isinstance(want, Choose):
        return Embed(want.options, as_options=not want.match)
    assert isinstance(want, Embed)
    return want
