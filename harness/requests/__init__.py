"""What a model is asked and what it answers."""

from harness.requests.reasoning import Reasoning
from harness.requests.request import Choose, Contrast, Embed, Generate, Request, Turn
from harness.requests.response import Failed, Response, Scores, Text, Vectors

__all__ = [
    "Choose",
    "Contrast",
    "Embed",
    "Failed",
    "Generate",
    "Reasoning",
    "Request",
    "Response",
    "Scores",
    "Text",
    "Turn",
    "Vectors",
]
