"""Requests of the checks: drawn images and questions of different lengths; comparing answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from harness.descriptors import Capability
from harness.requests import (
    Choose,
    Embed,
    Failed,
    Generate,
    Request,
    Response,
    Scores,
    Text,
    Turn,
    Vectors,
)
from harness.samples.images import LoadedImage
from PIL import Image

OPTIONS = ("happy", "sad", "happy and a little surprised")
QUESTIONS = (
    "Who is it?",
    "What is the person on the left of this picture doing right now, and how do they feel?",
    "Is the person happy?",
)
TASK = "conformance"

Want = Choose | Generate | Embed
Result = Scores | Text | Vectors | Failed


def draw_image(number: int, width: int = 48, height: int = 36) -> LoadedImage:
    """Return an image of coloured patches, another one for each number."""
    chance = np.random.default_rng(number)
    patches = chance.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    pixels = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
    key = hashlib.sha256(pixels.tobytes() + f"{width}x{height}".encode()).hexdigest()
    return LoadedImage(pixels, key, key, width, height)


def request(
    name: str,
    want: Want,
    question: str = QUESTIONS[0],
    images: Sequence[LoadedImage] | None = None,
) -> Request:
    """Return a request about one image, unless others are given."""
    images = (draw_image(0),) if images is None else tuple(images)
    return Request(name, name, TASK, (Turn("user", question, images),), want)


def want_of(capability: Capability) -> Want:
    """Return a request of a capability."""
    if capability == "choose":
        return Choose(OPTIONS)
    return Generate(4) if capability == "generate" else Embed(OPTIONS)


def requests_for(capabilities: Sequence[Capability]) -> list[Request]:
    """Return requests on images of three shapes, with short and long questions."""
    images = (draw_image(1), draw_image(2, 30, 64), draw_image(3, 40, 40))
    return [
        request(f"{capability}-{position}-{number}", want_of(capability), question, [image])
        for capability in capabilities
        for position, image in enumerate(images)
        for number, question in enumerate(QUESTIONS)
    ]


def difference(first: Result, second: Result, tolerance: float) -> str:
    """Return how two answers differ beyond a tolerance; empty when they do not."""
    if type(first) is not type(second):
        return f"{_said(first)} against {_said(second)}"
    if isinstance(first, Scores) and isinstance(second, Scores):
        return _scores_differ(first, second, tolerance)
    if isinstance(first, Vectors) and isinstance(second, Vectors):
        pairs = zip(first.images + first.texts, second.images + second.texts, strict=True)
        worst = max((float(np.abs(np.subtract(a, b)).max()) for a, b in pairs), default=0.0)
        return "" if worst <= tolerance else f"vectors differ by {worst:.2g}"
    if isinstance(first, Failed) and isinstance(second, Failed):
        return "" if first.kind == second.kind else f"{_said(first)} against {_said(second)}"
    return "" if first == second else f"{first!r} against {second!r}"


def by_request(responses: Sequence[Response]) -> dict[str, Result]:
    """Return results by their request's id."""
    return {response.request: response.result for response in responses}


def _scores_differ(first: Scores, second: Scores, tolerance: float) -> str:
    if (first.kind, first.tokens, first.bytes) != (second.kind, second.tokens, second.bytes):
        return f"{first!r} against {second!r}"
    worst = float(np.abs(np.subtract(first.values, second.values)).max(initial=0.0))
    if worst > tolerance:
        return f"scores differ by {worst:.2g}, more than {tolerance:g}"
    best = int(np.argmax(first.values))
    # Where two options are as good as equal, rounding may choose.
    lead = float(first.values[best] - first.values[int(np.argmax(second.values))])
    return "" if lead <= 2 * tolerance else "another option is the best one"


def _said(result: Result) -> str:
    if isinstance(result, Failed):
        return f"Failed({result.kind}: {result.message})"
    return type(result).__name__
