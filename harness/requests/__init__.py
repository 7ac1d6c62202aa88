"""What a model is asked and what it answers."""

from harness.requests.request import Choose, Contrast, Embed, Generate, Request, Turn
from harness.requests.response import Failed, Response, Scores, Text, Vectors

__all__ = [
    "Choose",
    "Contrast",
    "Embed",
    "Failed",
    "Generate",
    "Request",
    "Response",
    "Scores",
    "Text",
    "Turn",
    "Vectors",
]
