"""Matching heads of BLIP, BLIP-2 and ViLT against the libraries' own forward passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_open_clip.matching import ARCHITECTURES, MatchingModel

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Request, Scores, Turn
from harness.samples.images import LoadedImage

CPU = Runtime(device="cpu", dtype="float32")
TEXTS = ("a happy person", "an angry child at home", "two people")
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}


def tokenizer(folder: Path) -> Any:
    import transformers as library

    transformers: Any = library
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(TEXTS).split(), "photo", "of"]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(words)))
    made = transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=24)
    made.save_pretrained(folder)
    return made


def saved(kind: str, folder: Path) -> tuple[Any, Any, Any]:
    """Write a tiny random checkpoint; return its model, tokenizer and image processor."""
    import torch
    import transformers as library

    transformers: Any = library
    words = tokenizer(folder)
    heads = {"num_attention_heads": 2, **SIZES}
    square = {"height": 32, "width": 32}
    text = {"vocab_size": 40, "max_position_embeddings": 24, **heads}
    vision = {"image_size": 32, "patch_size": 16, **heads}
    torch.manual_seed(0)
    if kind == "vilt":
        config = transformers.ViltConfig(**text, image_size=32, patch_size=16)
        model = transformers.ViltForImageAndTextRetrieval(config)
        processor = transformers.ViltImageProcessorPil(size={"shortest_edge": 64}, size_divisor=16)
    elif kind == "blip":
        config = transformers.BlipConfig(
            text_config={**text, "encoder_hidden_size": 16, "pad_token_id": 0},
            vision_config=vision, projection_dim=12, image_text_hidden_size=12,
        )  # fmt: skip
        model = transformers.BlipForImageTextRetrieval(config)
        processor = transformers.BlipImageProcessorPil(size=square)
    else:
        config = transformers.Blip2Config(
            vision_config=vision, num_query_tokens=4, image_text_hidden_size=12,
            qformer_config={**text, "encoder_hidden_size": 16, "use_qformer_text_input": True},
            text_config={"model_type": "opt", "vocab_size": 40, "hidden_size": 16,
                         "num_hidden_layers": 1, "num_attention_heads": 2, "ffn_dim": 16},
        )  # fmt: skip
        model = transformers.Blip2ForImageTextRetrieval(config)
        processor = transformers.BlipImageProcessorPil(size=square)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model.eval(), words, processor


def own_scores(kind: str, parts: tuple[Any, Any, Any], image: LoadedImage) -> list[float]:
    """Score each text by itself, as the library's page shows it."""
    import torch

    model, words, processor = parts
    collected = []
    for text in TEXTS:
        inputs = {
            **words(text, return_tensors="pt"),
            **processor(image.pixels, return_tensors="pt"),
        }
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            if kind == "vilt":
                collected.append(float(model(**inputs).logits[0, 0]))
            elif kind == "blip":
                collected.append(float(model(**inputs).itm_score.softmax(-1)[0, 1]))
            else:
                logits = model(**inputs, use_image_text_matching_head=True).logits_per_image
                collected.append(float(logits.softmax(-1)[0, 1]))
    return collected


def asked(image: LoadedImage, want: Any, images: int = 1) -> Request:
    return Request("1", "1", "task", (Turn("user", "which?", (image,) * images),), want)


@pytest.mark.parametrize(
    "kind",
    ["blip", pytest.param("blip-2", marks=pytest.mark.slow),
     pytest.param("vilt", marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_head_scores_as_its_own_model_does(
    kind: str, tmp_path: Path, pictures: list[LoadedImage]
) -> None:
    parts = saved(kind, tmp_path)
    answerer = MatchingModel({"path": str(tmp_path)}).load(CPU)
    for image in pictures:
        (answer,) = answerer.answer([asked(image, Choose(TEXTS, match=True))])
        assert isinstance(answer.result, Scores)
        assert answer.result.kind == "similarity"
        assert answer.result.values == pytest.approx(own_scores(kind, parts, image), abs=1e-5)
    assert answerer.notes() == []
    faults = {
        "one_image": asked(pictures[0], Choose(TEXTS), images=2),
        "prompt_too_long": asked(pictures[0], Choose(("person " * 40, "a"))),
        "empty_option": asked(pictures[0], Choose((" ", "person"))),
    }
    for word, request in faults.items():
        (answer,) = answerer.answer([request])
        assert isinstance(answer.result, Failed)
        assert answer.result.kind == word
    answerer.close()


def test_a_head_that_reads_texts_otherwise_together_gets_them_one_by_one(
    tmp_path: Path, pictures: list[LoadedImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness_open_clip.matching_answerer import MatchingHead

    saved("blip", tmp_path)
    plain = MatchingHead.logits

    def blurred(head: Any, pixels: Any, texts: Any) -> Any:
        return plain(head, pixels, texts) + 0.5 * (len(texts) - 1)

    request = asked(pictures[0], Choose(TEXTS, match=True))
    before = MatchingModel({"path": str(tmp_path)}).load(CPU).answer([request])
    monkeypatch.setattr(MatchingHead, "logits", blurred)
    answerer = MatchingModel({"path": str(tmp_path)}).load(CPU)
    assert "one at a time" in answerer.notes()[0]
    (answer,) = answerer.answer([request])
    assert isinstance(answer.result, Scores)
    assert isinstance(before[0].result, Scores)
    assert answer.result.values == pytest.approx(before[0].result.values, abs=1e-6)


def test_what_is_no_matching_head_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="matching needs a checkpoint"):
        MatchingModel({}).identity(CPU)
    with pytest.raises(UserError, match="needs exactly one"):
        MatchingModel({"template": "a photo"})
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "blip", "architectures": ["BlipForConditionalGeneration"]})
    )
    with pytest.raises(UserError, match="BlipForConditionalGeneration") as messages:
        MatchingModel({"path": str(tmp_path)}).identity(CPU)
    assert ARCHITECTURES[0] in str(messages.value.fix)
