"""Filters that compare images with the words they were made from; no person is classified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError, quoted

from harness_counterfactuals.contract import Score
from harness_counterfactuals.filters.encoder import encoder_of

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.manifest import About, Row


class Similarity:
    """Cosine of an image with its own prompt, and with the words of its edited value alone.

    Only the first drops. ``words`` is kept, so that a reader sees how far the prompted words show;
    words of other values are never compared, as that would classify the person.
    """

    name, version = "similarity", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:
        self._encoder = encoder_of(options, self.name)
        self._least, self._about = float(str(options["least"])), about
        self.needs = self._encoder.identity

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:
        """Return ``prompt`` and ``words`` for each image."""
        seen = self._encoder.images(images, [row.sha256 for row in rows])
        edited = self._about.edited
        words = [self._about.attributes[edited][row.attributes[edited]] for row in rows]
        prompts = (seen * self._encoder.texts([row.prompt for row in rows])).sum(axis=1)
        # A value may have no words (``neutral``): there is nothing to compare then.
        texts = [
            float(vector @ self._encoder.texts([text])[0])
            if text.strip() else None
            for vector, text in zip(seen, words, strict=True)
        ]  # fmt: skip
        return [
            Score(
                {"prompt": float(prompt), "words": word},
                "" if prompt >= self._least else "does not fit its prompt",
            )
            for prompt, word in zip(prompts, texts, strict=True)
        ]


class Direction:
    """Directional similarity (Gal et al. 2022, StyleGAN-NADA, Eq. 2) to the source of the base.

    ``cos(image - source's image, prompt - source's prompt)``, all of unit vectors.
    """

    name, version = "direction", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:  # noqa: ARG002
        self._encoder = encoder_of(options, self.name)
        self._least = float(str(options["least"]))
        self.needs = self._encoder.identity

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:
        """Return ``cosine`` for each image; none for the source itself."""
        seen = self._encoder.images(images, [row.sha256 for row in rows])
        prompts = self._encoder.texts([row.prompt for row in rows])
        scores = []
        for row_number, source in enumerate(sources(rows)):
            if row_number == source:
                scores.append(Score({"cosine": None}))
                continue
            moved, words = seen[row_number] - seen[source], prompts[row_number] - prompts[source]
            length = float(np.linalg.norm(moved) * np.linalg.norm(words))
            if length == 0:
                scores.append(Score({"cosine": None}, "the edit changes nothing"))
                continue
            cosine = float(moved @ words) / length
            drops = "" if cosine >= self._least else "the edit does not follow its words"
            scores.append(Score({"cosine": cosine}, drops))
        return scores


class OnePerson:
    """The probability that one person is to be seen, among a few neutral texts."""

    name, version = "one_person", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:  # noqa: ARG002
        texts = options["texts"]
        listed = isinstance(texts, list) and all(isinstance(one, str) and one for one in texts)
        if not isinstance(texts, list) or not listed or len(set(map(str, texts))) < 2:
            raise UserError(f"texts are {quoted(texts)}, not two texts or more",
                            where=f"filter {self.name!r}")  # fmt: skip
        self._encoder = encoder_of(options, self.name)
        self._texts = [str(text) for text in texts]
        self._least = float(str(options["least"]))
        self.needs = self._encoder.identity

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:
        """Return ``probability`` of the first text for each image."""
        seen = self._encoder.images(images, [row.sha256 for row in rows])
        logits = self._encoder.scale * seen @ self._encoder.texts(self._texts).T
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        first = shares[:, 0] / shares.sum(axis=1)
        return [
            Score(
                {"probability": float(value)},
                "" if value >= self._least else "not one person",
            )
            for value in first
        ]


def sources(rows: Sequence[Row]) -> list[int]:
    """Return each row's index of its base's source: the first row where no source is named."""
    by_base: dict[str, int] = {}
    for row_number, row in enumerate(rows):
        if row.is_source or row.base not in by_base:
            by_base[row.base] = row_number
    return [by_base[row.base] for row in rows]
