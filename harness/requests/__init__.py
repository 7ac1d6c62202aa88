"""What a model is asked and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.requests.reasoning import Reasoning
    from harness.requests.request import Choose, Contrast, Embed, Generate, Request, Turn
    from harness.requests.response import AnnotatorAnswer, Failed, Response, Scores, Text, Vectors

__all__ = [
    "AnnotatorAnswer", "Choose", "Contrast", "Embed", "Failed", "Generate", "Reasoning",
    "Request", "Response", "Scores", "Text", "Turn", "Vectors",
]  # fmt: skip

# Descriptors of extractors alone must not load these: every command reads them.
_ANSWERS = frozenset({"AnnotatorAnswer", "Failed", "Response", "Scores", "Text", "Vectors"})
__getattr__ = lazily(
    __name__,
    {
        **{
            name: f"harness.requests.{'response' if name in _ANSWERS else 'request'}"
            for name in __all__
        },
        "Reasoning": "harness.requests.reasoning",
    },
)
