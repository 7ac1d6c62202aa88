"""Requests: chat turns with images, and what is wanted of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.samples.images import LoadedImage


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat; its images come before its text."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[LoadedImage, ...] = ()


@dataclass(frozen=True, slots=True)
class Choose:
    """Score each option as the assistant's whole answer; options are texts as sent."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generate:
    """Write an answer of at most ``max_new_tokens`` tokens, ending before any stop string.

    Attributes:
        temperature: Of sampling under the request's seed; 0 writes the likeliest token each time.
    """

    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Embed:
    """Return vectors of the turn's images and of these texts (dual encoders)."""

    texts: tuple[str, ...] = ()


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
    """

    id: str
    sample: str
    task: str
    turns: tuple[Turn, ...]
    want: Choose | Generate | Embed
    seed: int = 0

    @property
    def images(self) -> tuple[LoadedImage, ...]:
        """All images of the chat, in order."""
        return tuple(image for turn in self.turns for image in turn.images)
