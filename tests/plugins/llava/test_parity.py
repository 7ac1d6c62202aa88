"""The original code's numbers on the tiny checkpoints, for the plugin and for the whole engine.

Their weights are exact in float16 and are kept so; expected values were computed in float32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_llava.factory import Llava
from PIL import Image

from harness.engine.contract import IMAGE
from harness.models import Runtime
from harness.requests import Choose, Generate, Request, Scores, Text, Turn
from harness.samples.images import LoadedImage

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"
RUNTIME = Runtime(device="cpu", dtype="float32")
FOLDERS = {name: SHARED / name for name in ("llava15_original_tiny", "llava15_hf_tiny")}
WORDS = [261, 265, 288, 289]  # " the", " a", " an", " is"


def cases() -> Iterator[Any]:
    for folder in FOLDERS.values():
        for case in json.loads((folder / "cases.json").read_text())["cases"]:
            yield pytest.param(folder, case, id=f"{folder.name}-{case['id']}")


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: Llava({"path": str(path)}).load_model(RUNTIME) for name, path in FOLDERS.items()}


def turns_of(folder: Path, case: dict[str, Any]) -> list[Turn]:
    images = []
    for name in case["images"]:
        pixels = Image.open(folder / name).convert("RGB")
        images.append(LoadedImage(pixels, name, name, *pixels.size))
    return [Turn("user", case["question"], tuple(images))]


@pytest.mark.parametrize(("folder", "case"), list(cases()))
def test_ids_pixels_features_and_logits_are_the_originals(
    models: dict[str, Any], logits: Callable[..., Any], folder: Path, case: dict[str, Any]
) -> None:
    model, expected = models[folder.name], np.load(folder / "expected.npz")
    turns = turns_of(folder, case)
    ids = model.prompt(turns, ()).prefix
    stands = {-200, case.get("image_token_id")}
    assert ids == tuple(IMAGE if input_id in stands else input_id for input_id in case["input_ids"])
    for image in turns[0].images:
        pixels = model.prepare(image)["pixel_values"]
        assert np.array_equal(pixels, expected[case["pixel_key"]])
        if "image_features_key" in case:
            (computed,) = model.connect(model.encode([image]))
            wanted = expected[case["image_features_key"]][0]
            np.testing.assert_allclose(computed.numpy(), wanted, atol=1e-4)
    computed = logits(model, turns)
    assert len(computed) == case["expanded_length"]
    wanted = expected[case["logits_key"]]
    np.testing.assert_allclose(computed[-len(wanted) :], wanted, atol=2e-4)


@pytest.mark.parametrize("folder", list(FOLDERS.values()), ids=list(FOLDERS))
def test_the_engine_scores_and_writes_what_the_originals_logits_say(folder: Path) -> None:
    model = Llava({"path": str(folder), "score_eos": False})
    answerer = model.load(RUNTIME)
    tokenizer = model.load_model(RUNTIME).preprocessing.tokenizer
    content, expected = json.loads((folder / "cases.json").read_text()), folder / "expected.npz"
    requested = []
    for case in content["cases"]:
        turns = tuple(turns_of(folder, case))
        one_token = tuple(tokenizer.decode([token])[1:] for token in WORDS)
        requested.append(Request(case["id"], case["id"], "t", turns, Choose(one_token)))
        requested.append(Request(case["id"] + " text", case["id"], "t", turns, Generate(1)))
    results = {response.request: response.result for response in answerer.answer(requested)}
    for case in content["cases"]:
        last = np.load(expected)[case["logits_key"]][-1].astype(np.float64)
        logp = last - np.log(np.exp(last - last.max()).sum()) - last.max()
        scores, text = results[case["id"]], results[case["id"] + " text"]
        assert isinstance(scores, Scores)
        assert isinstance(text, Text)
        assert scores.tokens == (1, 1, 1, 1)
        np.testing.assert_allclose(scores.values, logp[WORDS], atol=2e-4)
        message = tokenizer.decode([int(last.argmax())], skip_special_tokens=True)
        assert text.text == message.removeprefix(" ")
