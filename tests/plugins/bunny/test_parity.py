"""The original code's numbers on the tiny checkpoint, for the plugin and for the whole engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_bunny.factory import Bunny
from PIL import Image

from harness.engine.contract import IMAGE
from harness.models import Runtime
from harness.requests import Choose, Generate, Request, Scores, Text, Turn
from harness.samples.images import LoadedImage

RUNTIME = Runtime(device="cpu", dtype="float32")
TINY = Path(__file__).parents[2] / "conformance" / "checkpoints" / "bunny_llama_tiny"
CASES = json.loads((TINY / "cases.json").read_text())["cases"]


@pytest.fixture(scope="module")
def model() -> Any:
    return Bunny({"path": str(TINY)}).load_model(RUNTIME)


def turns_of(case: dict[str, Any]) -> tuple[Turn, ...]:
    images = []
    for name in case["images"]:
        pixels = Image.open(TINY / name).convert("RGB")
        images.append(LoadedImage(pixels, name, name, *pixels.size))
    return (Turn("user", case["question"], tuple(images)),)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_ids_pixels_features_and_logits_are_the_originals(
    model: Any, logits: Callable[..., Any], case: dict[str, Any]
) -> None:
    expected, turns = np.load(TINY / "expected.npz"), turns_of(case)
    ids = model.prompt(turns, ()).prefix
    assert ids == tuple(IMAGE if input_id == -200 else input_id for input_id in case["input_ids"])
    for image in turns[0].images:
        assert np.array_equal(model.prepare(image)["pixel_values"], expected[case["pixel_key"]])
        (seen,) = model.encode([image])
        wanted = expected[f"{case['id']}/vision_features"][0]
        np.testing.assert_allclose(seen.numpy(), wanted, atol=1e-4)
        (computed,) = model.connect([seen])
        np.testing.assert_allclose(
            computed.numpy(), expected[case["image_features_key"]][0], atol=1e-4
        )
    computed = logits(model, turns)
    assert len(computed) == case["expanded_length"]
    wanted = expected[case["logits_key"]]
    np.testing.assert_allclose(computed[-len(wanted) :], wanted, atol=2e-4)


def test_the_engine_scores_and_writes_as_the_original(model: Any) -> None:
    answerer = Bunny({"path": str(TINY), "score_eos": False}).load(RUNTIME)
    requested = []
    for case in CASES:
        options = tuple(
            continuation["text"].removeprefix(" ") for continuation in case["continuations"]
        )
        requested.append(Request(case["id"], "s", "t", turns_of(case), Choose(options)))
        requested.append(Request(f"{case['id']} text", "s", "t", turns_of(case), Generate(6)))
    results = {response.request: response.result for response in answerer.answer(requested)}
    for case in CASES:
        scores, text = results[case["id"]], results[f"{case['id']} text"]
        assert isinstance(scores, Scores)
        assert isinstance(text, Text)
        wanted = [continuation["logprob"] for continuation in case["continuations"]]
        np.testing.assert_allclose(scores.values, wanted, atol=2e-4)
        assert scores.tokens == tuple(
            len(continuation["ids"]) for continuation in case["continuations"]
        )
        assert text.text == model.decode(case["greedy_ids"])


def test_the_answer_ends_with_the_originals_end_and_not_with_llamas_own(model: Any) -> None:
    assert model.preprocessing.tokenizer.eos_token_id not in model.ends
    assert model.decode(tuple(model.ends)) == ""
    assert model.preprocessing.tokenizer.convert_ids_to_tokens(list(model.ends)) == [
        "<|end_of_text|>"
    ]
