"""Requests: chat turns with images, and what is wanted of the model."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from harness.requests.reasoning import AUTO, Reasoning

if TYPE_CHECKING:
    from harness.samples.images import LoadedImage

_UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}  # spaces, control and format characters (Unicode)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat; its images come before its text."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[LoadedImage, ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Score each option as the assistant's whole answer; options are texts as sent.

    Attributes:
        match: Whether options are whole texts about the image: a model that scores images with
            texts (similarity, image-text matching) takes each as it stands, without templates.
    """

    options: tuple[str, ...]
    match: bool = False


@dataclass(frozen=True, slots=True)
class Contrast:
    """Contrastive decoding: each step's logits against those without the chat's images.

    ``(1 + alpha) * l - alpha * l_free``, among the tokens whose probability with the images is at
    least ``cutoff`` times the likeliest one's. A temperature applies to the result.

    Raises:
        ValueError: an alpha that is not a number from 0, a cutoff outside 0 to 1.
    """

    alpha: float
    cutoff: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < math.inf:
            raise ValueError(f"alpha {self.alpha} is not a number from 0")
        if not 0 <= self.cutoff <= 1:
            raise ValueError(f"cutoff {self.cutoff} is not between 0 and 1")


@dataclass(frozen=True, slots=True)
class Generate:
    """Write an answer of at most ``max_new_tokens`` tokens, ending before any stop string.

    Attributes:
        temperature: Sampling temperature under the request's seed; 0 writes the likeliest token.
        contrast: Set by an inference-time method; only for models that offer it.
    """

    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    contrast: Contrast | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """Return vectors of the turn's images and of these texts (dual encoders).

    Attributes:
        as_options: Whether texts are options of a choice: a model that puts those into templates
            returns the vectors that it would compare with the image's.
    """

    texts: tuple[str, ...] = ()
    as_options: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    Attributes:
        id: Unique within a block.
        sample: Id of the sample it belongs to; one sample may make many requests.
        task: Id of the task.
        turns: The chat so far; the model answers as the assistant.
        want: What is wanted.
        seed: For sampling; derived from the task's seed and the sample's id, never from order.
        reasoning: What becomes of reasoning before a written answer, and the tokens it may take
            beside ``Generate.max_new_tokens``.
    """

    id: str
    sample: str
    task: str
    turns: tuple[Turn, ...]
    want: Choose | Generate | Embed
    seed: int = 0
    reasoning: Reasoning = AUTO

    @property
    def images(self) -> tuple[LoadedImage, ...]:
        """All images of the chat, in order."""
        return tuple(image for turn in self.turns for image in turn.images)

    def without_images(self) -> Request:
        """Return the same request without images in its chat."""
        return replace(self, turns=tuple(replace(turn, images=()) for turn in self.turns))


def has_text(text: str) -> bool:
    """Whether anything in a text can be seen, as an option must; a space or a tab cannot."""
    return any(unicodedata.category(one) not in _UNSEEN for one in text)
