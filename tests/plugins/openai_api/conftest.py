"""Endpoints that a test scripts, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from harness_openai_api import harness_models
from harness_openai_api.factory import Endpoint
from PIL import Image

from harness.descriptors import parse_options
from harness.models import Runtime
from harness.requests import Reasoning, Request, Turn
from harness.requests.reasoning import AUTO
from harness.samples.images import LoadedImage
from tests.plugins.openai_api.server import FakeEndpoint

KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("harness_openai_api.client._FIRST_WAIT", 0.001)


@pytest.fixture
def model() -> Callable[..., Endpoint]:
    def make(url: str = "http://127.0.0.1:9/v1", **options: Any) -> Endpoint:
        (descriptor,) = harness_models()
        arguments = {"model": "tiny", "base_url": url, "retries": 1, **options}
        return Endpoint(parse_options(descriptor.options, arguments, owner="openai_api"))

    return make


@pytest.fixture
def endpoint(model: Callable[..., Endpoint]) -> Iterator[Callable[..., Any]]:
    """Start a fake server; return it and a loaded answerer."""
    opened: list[Any] = []

    def start(
        reply: Callable[[Any], Any], also: Sequence[str] = (), **options: Any
    ) -> tuple[Any, Any]:
        fake = FakeEndpoint(reply)
        opened.append(fake)
        answerer = model(",".join([fake.url, *also]), **options).load(Runtime())
        opened.append(answerer)
        return fake, answerer

    yield start
    for item in reversed(opened):
        item.close()


@pytest.fixture
def ask() -> Callable[..., list[Any]]:
    """Ask an answerer and return its results."""

    def run(
        answerer: Any,
        *wants: Any,
        turns: tuple[Turn, ...] | None = None,
        reasoning: Reasoning = AUTO,
    ) -> list[Any]:
        displayed = turns or (Turn("user", "who is it?", (picture(),)),)
        requests = [
            Request(str(n), str(n), "task", displayed, want, reasoning=reasoning)
            for n, want in enumerate(wants)
        ]
        return [response.result for response in answerer.answer(requests)]

    return run


def picture() -> LoadedImage:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    return LoadedImage(Image.fromarray(noise), "sha", "key", 7, 9)
