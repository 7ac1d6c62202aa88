"""The model contract, on a scripted endpoint that tokenises at spaces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

import pytest

from harness.descriptors import Json
from harness.testing import ModelConformance
from tests.plugins.openai_api.server import Body, FakeEndpoint, Reply, chat


def reply(body: Body) -> Reply:
    """Find every word as likely as it is short, a little more or less by picture."""
    words: list[str] = []
    displayed = 0.0
    for message in body["messages"]:
        content = message["content"]
        for part in content if isinstance(content, list) else [{"text": content}]:
            if "image_url" in part:
                displayed += zlib.crc32(part["image_url"]["url"].encode()) / (1 << 33)
            else:
                words += part["text"].split()
    results = [None, *({word: {"logprob": -len(word) - displayed}} for word in words)]
    return Reply({**chat(" ".join(words[:2])).body, "prompt_logprobs": results})


class TestEndpoint(ModelConformance):
    model = "openai_api"
    changes = {"temperature": 0.5, "scores": "label", "image_format": "jpeg", "model": "other"}

    @pytest.fixture(scope="class")
    @classmethod
    def model_options(cls) -> Iterator[Mapping[str, Json]]:
        fake = FakeEndpoint(reply)
        yield {"base_url": fake.url, "model": "tiny"}
        fake.close()
