"""The extractor contract: from text to an answer, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.descriptors import Json


@dataclass(frozen=True, slots=True)
class Extracted:
    """An answer, or why there is none.

    Attributes:
        answer: The answer in the form the task's metrics compare with targets; ``None`` if none.
        problem: ``unparsed`` or ``refusal`` when there is no answer.
    """

    answer: Json
    problem: Literal["", "unparsed", "refusal"] = ""


class Extractor(Protocol):
    """Extracts the answer from a model's text. Made by ``(options, labels) -> Extractor``."""

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the answer in a model's text; ``fields`` are the fields of the sample."""
        ...
