"""The method `perturb`: the same question about an image that is shown otherwise."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from harness.descriptors import Json
from harness.requests import Choose, Embed, Failed, Request
from harness.requests.method import Result
from harness.samples.images import LoadedImage

from harness_perturbations.images import PERTURBATIONS

MOVING = frozenset({"flip", "crop", "shuffle"})
"""Kinds that move things, so that what is said of places is no longer so."""
_SIDES = re.compile(r"\b(left|right|leftmost|rightmost|clockwise)\b", re.IGNORECASE)
_PLACES = re.compile(r"\b(coordinates?|bounding box|bbox|pixels?)\b|[\[(]\s*-?\d+(\.\d+)?\s*,",
                     re.IGNORECASE)  # fmt: skip


class Perturb:
    """Shows each image perturbed; a question whose answer that may change is not asked.

    Args:
        options: ``kind`` and ``level``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._kind, self._level = str(options["kind"]), int(str(options["level"]))
        self._perturbed = PERTURBATIONS[self._kind]

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return nothing more to ask, or why the image cannot be shown otherwise."""
        if not request.images:
            return Failed("no_image", "without an image there is nothing to perturb")
        if self._kind not in MOVING:
            return []
        if not isinstance(request.want, Choose | Embed):
            return Failed(
                "unsupported", f"{self._kind} may change an answer that is written freely"
            )
        texts = [turn.text for turn in request.turns]
        texts += request.want.options if isinstance(request.want, Choose) else request.want.texts
        for pattern in (_PLACES, _SIDES):
            named = next((match for text in texts if (match := pattern.search(text))), None)
            if named is not None:
                return Failed(
                    "unsupported", f"{self._kind} changes what {named.group().strip()!r} means"
                )
        return []

    def own(self, request: Request) -> Request:
        """Return the request with its images perturbed."""
        turns = tuple(
            replace(turn, images=tuple(self._shown(image, request.sample) for image in turn.images))
            for turn in request.turns
        )
        return replace(request, turns=turns)

    def combine(
        self, request: Request, result: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return the model's answer as it is."""
        del request, further
        return result

    def _shown(self, image: LoadedImage, sample: str) -> LoadedImage:
        # By the image as well: two images of a sample have their own noise.
        seed = hashlib.sha256(f"{self._kind}\x00{sample}\x00{image.sha256}".encode()).digest()
        random = np.random.default_rng(int.from_bytes(seed[:8], "little"))
        pixels = self._perturbed(image.pixels, self._level, random)
        view = f"{image.key}\x00{self._kind}\x00{self._level}\x00{sample}"
        return replace(image, pixels=pixels, key=hashlib.sha256(view.encode()).hexdigest())
