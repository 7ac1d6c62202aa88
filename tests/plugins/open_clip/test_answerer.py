"""Similarities and vectors against the libraries' own forward passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_open_clip.answerer import DualEncoderAnswerer
from harness_open_clip.factory import DualEncoder

from harness.models import Runtime
from harness.requests import Choose, Embed, Failed, Generate, Request, Scores, Turn, Vectors
from harness.samples.images import LoadedImage
from tests.plugins.open_clip.conftest import FAMILIES

CPU = Runtime(device="cpu", dtype="float32")
OPTIONS = ("happy person", "angry child", "two people talking")


def loaded(path: Path, runtime: Runtime = CPU, **options: Any) -> DualEncoderAnswerer:
    arguments = {"path": str(path), "templates": "a photo of {}", **options}
    return DualEncoder(arguments).load(runtime)


def asked(number: int, images: Sequence[LoadedImage], want: Any) -> Request:
    return Request(str(number), str(number), "task", (Turn("user", "who?", tuple(images)),), want)


def choices(pictures: Sequence[LoadedImage]) -> list[Request]:
    return [asked(number, [picture], Choose(OPTIONS)) for number, picture in enumerate(pictures)]


def scores(answerer: Any, requests: Sequence[Request]) -> np.ndarray:
    results = [response.result for response in answerer.answer(requests)]
    assert all(isinstance(item, Scores) and item.kind == "similarity" for item in results)
    return np.array([item.values for item in results])


@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2"])
def test_transformers_checkpoints_score_as_their_own_model(
    kind: str, converted: Callable[[str], Path], pictures: list[LoadedImage]
) -> None:
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder = converted(kind)
    model = AutoModel.from_pretrained(folder).eval()
    processor: Any = AutoImageProcessor
    texts = [f"a photo of {option}" for option in OPTIONS]
    padding: Any = {"padding": "max_length", "max_length": 48}
    if kind == "clip":
        padding = {"padding": True}
    ids = AutoTokenizer.from_pretrained(folder)(texts, return_tensors="pt", **padding)
    keys = ("input_ids", "attention_mask") if kind == "clip" else ("input_ids",)
    displayed = processor.from_pretrained(folder, backend="pil")(
        images=[picture.pixels for picture in pictures], return_tensors="pt"
    )
    with torch.inference_mode():
        logits = model(**{key: ids[key] for key in keys}, **displayed).logits_per_image
        bias = getattr(model, "logit_bias", torch.zeros(1))
        wanted = (logits - bias) / model.logit_scale.exp()
    scored = scores(loaded(folder), choices(pictures))
    assert np.abs(scored - wanted.numpy()).max() < 1e-5
    assert scored.std() > 0.001


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "flava" else pytest.mark.slow)
             for kind in FAMILIES]
)  # fmt: skip
def test_other_families_score_as_their_own_model(
    kind: str, converted: Callable[[str], Path], pictures: list[LoadedImage]
) -> None:
    import torch
    import transformers
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer

    folder = converted(kind)
    name = AutoConfig.from_pretrained(folder).architectures[0]
    model = getattr(transformers, name).from_pretrained(folder).eval()
    model = getattr(model, {"flava": "flava", "clipseg": "clip"}.get(kind, ""), model)
    processor: Any = AutoImageProcessor
    tokens = AutoTokenizer.from_pretrained(folder)(
        [f"a photo of {option}" for option in OPTIONS], return_tensors="pt", padding=True
    )
    text = {key: tokens[key] for key in ("input_ids", "attention_mask")}
    displayed = processor.from_pretrained(folder, backend="pil")(
        images=[picture.pixels for picture in pictures], return_tensors="pt"
    )
    with torch.inference_mode():
        if kind == "flava":
            # As FlavaForPreTraining's contrastive loss: the first token of each side, projected.
            output = model(
                **text, pixel_values=displayed["pixel_values"], skip_multimodal_encoder=True
            )
            image = model.image_projection(output.image_embeddings[:, 0])
            words = model.text_projection(output.text_embeddings[:, 0])
            image, words = (
                torch.nn.functional.normalize(picture, dim=-1) for picture in (image, words)
            )
            wanted = image @ words.T
        else:
            output = model(**text, pixel_values=displayed["pixel_values"])
            wanted = torch.nn.functional.normalize(output.image_embeds, dim=-1) @ (
                torch.nn.functional.normalize(output.text_embeds, dim=-1).T
            )
    scored = scores(loaded(folder), choices(pictures))
    assert np.abs(scored - wanted.numpy()).max() < 1e-5
    assert scored.std() > 0.001


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "context"), [("altclip", 47), ("flava", 48)])
def test_a_text_may_take_the_positions_that_there_are(
    kind: str, context: int, converted: Callable[[str], Path], pictures: list[LoadedImage]
) -> None:
    answerer = loaded(converted(kind), templates="{}")
    for extra, fits in ((0, True), (1, False)):
        text = "a" * (context - 2 + extra)
        (response,) = answerer.answer([asked(0, pictures[:1], Choose((text, "b")))])
        assert isinstance(response.result, Scores) == fits, (kind, extra)


def test_open_clip_encoders_score_as_the_library(
    original: Path, pictures: list[LoadedImage]
) -> None:
    import open_clip
    import torch

    name = f"local-dir:{original}"
    model, _, prepare = open_clip.create_model_and_transforms(name)
    with torch.inference_mode():
        image = model.eval().encode_image(
            torch.stack([prepare(item.pixels) for item in pictures]), normalize=True
        )
        tokens = open_clip.get_tokenizer(name)([f"a photo of {item}" for item in OPTIONS])
        wanted = image @ model.encode_text(tokens, normalize=True).T
    scored = scores(loaded(original), choices(pictures))
    assert np.abs(scored - wanted.numpy()).max() < 1e-5


def test_an_ensemble_is_the_unit_mean_of_unit_vectors(
    original: Path, pictures: list[LoadedImage]
) -> None:
    texts = ("a photo of joy", "the joy here")
    answerer = loaded(original, templates="a photo of {}| the {} here ")
    (response,) = answerer.answer([asked(0, pictures[:1], Embed(texts))])
    assert isinstance(response.result, Vectors)
    mean = np.mean(response.result.texts, axis=0)
    wanted = np.dot(response.result.images[0], mean / np.linalg.norm(mean))
    scored = scores(answerer, [asked(0, pictures[:1], Choose(("joy", "fear")))])
    assert abs(scored[0, 0] - wanted) < 1e-6


def test_vectors_have_length_one_and_stand_in_order(
    original: Path, pictures: list[LoadedImage]
) -> None:
    answerer = loaded(original)
    (both,) = answerer.answer([asked(0, pictures[:2], Embed(("joy", "fear")))])
    (first,) = answerer.answer([asked(0, pictures[:1], Embed(("fear",)))])
    assert isinstance(both.result, Vectors)
    assert isinstance(first.result, Vectors)
    assert np.allclose(np.linalg.norm(both.result.images + both.result.texts, axis=1), 1, atol=1e-6)
    assert np.allclose(both.result.images[0], first.result.images[0], atol=1e-6)
    assert both.result.texts[1] == first.result.texts[0]


def test_texts_to_match_are_taken_without_templates(
    original: Path, pictures: list[LoadedImage]
) -> None:
    texts = ("a red square", "a green circle")
    matched = [
        asked(at, [picture], Choose(texts, match=True)) for at, picture in enumerate(pictures)
    ]
    plain = [asked(at, [picture], Choose(texts)) for at, picture in enumerate(pictures)]
    without = loaded(original, templates="{}")
    with_template = loaded(original)
    assert scores(with_template, matched).tolist() == scores(without, plain).tolist()
    assert scores(with_template, plain).tolist() != scores(without, plain).tolist()


def test_the_question_is_not_read(original: Path, pictures: list[LoadedImage]) -> None:
    item = asked(0, pictures[:1], Choose(OPTIONS))
    other = replace(item, turns=(Turn("user", "something else", tuple(pictures[:1])),))
    answerer = loaded(original)
    assert (scores(answerer, [item]) == scores(answerer, [other])).all()


def test_deterministic_answers_are_equal_at_any_batch_size(
    original: Path, pictures: list[LoadedImage]
) -> None:
    results = [
        scores(
            loaded(original, replace(CPU, deterministic=True, batch_size=size)), choices(pictures)
        )
        for size in (None, 1, 3)
    ]
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


def test_vectors_of_images_are_kept_on_disk(
    original: Path, pictures: list[LoadedImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = replace(CPU, cache=tmp_path)
    first = scores(loaded(original, runtime), choices(pictures))
    assert list((tmp_path / "features").rglob("*.safetensors"))
    again = loaded(original, runtime)
    monkeypatch.setattr(again._encoder, "images", None)  # would raise if asked
    assert (scores(again, choices(pictures)) == first).all()


def test_what_cannot_be_answered_is_failed_and_costs_nothing_else(
    original: Path, pictures: list[LoadedImage]
) -> None:
    thin = replace(pictures[0], pixels=pictures[0].pixels.resize((2000, 1)), key="thin")
    requests = [
        asked(0, pictures[:1], Choose(OPTIONS)),
        asked(1, (), Choose(OPTIONS)),
        asked(2, pictures[:2], Choose(OPTIONS)),
        asked(3, pictures[:1], Choose(("joy", " "))),
        asked(4, pictures[:1], Choose(("joy", "very " * 60))),
        asked(5, pictures[:1], Generate(4)),
        asked(6, [thin], Choose(OPTIONS)),
        asked(7, pictures[:1], Embed(("very " * 60,))),
    ]
    answerer = loaded(original)
    first, *remainder = [response.result for response in answerer.answer(requests)]
    assert isinstance(first, Scores)
    assert first.values == tuple(scores(answerer, requests[:1])[0])
    kinds = [item.kind for item in remainder if isinstance(item, Failed)]
    assert kinds == [
        "one_image",
        "one_image",
        "empty_option",
        "prompt_too_long",
        "unsupported",
        "image_rejected",
        "prompt_too_long",
    ]


def test_an_option_that_the_tokenizer_drops_is_named(
    original: Path, pictures: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    answerer = loaded(original)
    assert not answerer._encoder.drops("joy")
    assert answerer._encoder.drops(" ")
    monkeypatch.setattr(answerer._encoder, "drops", lambda text: text == "?!")
    actual = answerer.answer([asked(0, pictures[:1], Choose(("joy", "?!")))])
    (result,) = (response.result for response in actual)
    assert isinstance(result, Failed)
    assert result.kind == "empty_option"
    assert "option 2 of 2, '?!', has no tokens" in result.message


@pytest.mark.parametrize("kind", ["open_clip", "clip", "siglip"])
def test_a_text_is_refused_from_the_first_token_too_many(
    kind: str, original: Path, converted: Callable[[str], Path]
) -> None:
    encoder = loaded(original if kind == "open_clip" else converted(kind))._encoder
    excess = [encoder.excess(" ".join("a" * count)) for count in range(1, 64)]
    fits = excess.index(1)
    assert fits >= 20
    assert excess == [0] * fits + list(range(1, 64 - fits))
