"""Checkpoints in transformers' format against transformers' own processors and whole forward."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_llava.factory import Llava

from harness.engine.contract import IMAGE, PromptError
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Request, Scores, Turn
from harness.samples.images import LoadedImage
from tests.plugins.llava.conftest import TEMPLATE

RUNTIME = Runtime(device="cpu", dtype="float32")
HF = Path(__file__).parents[2] / "conformance" / "checkpoints" / "llava15_hf_tiny"
SIZES = [(40, 30), (16, 16), (90, 20), (21, 64)]
KINDS = ("llava_next", "llava_onevision")


def whole_logits(folder: Path, kind: str, text: str, images: Sequence[LoadedImage]) -> Any:
    """Return the logits of transformers' processor and model, run as their documentation says."""
    import torch
    import transformers as library

    transformers: Any = library

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    if kind == "llava_next":
        processor: Any = transformers.LlavaNextProcessor(
            transformers.LlavaNextImageProcessorPil.from_pretrained(str(folder)),
            tokenizer,
            patch_size=4,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
        )
        model: Any = transformers.LlavaNextForConditionalGeneration.from_pretrained(str(folder))
    else:
        processor = transformers.LlavaOnevisionProcessor(
            transformers.LlavaOnevisionImageProcessorPil.from_pretrained(str(folder)),
            tokenizer,
            transformers.LlavaOnevisionVideoProcessor(),
            num_image_tokens=16,
            vision_feature_select_strategy="full",
            vision_aspect_ratio="anyres_max_2",
        )
        model = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(str(folder))
    pixels = [[image.pixels for image in images]] if images else None
    arguments = processor(text=[text], images=pixels, return_tensors="pt")
    arguments.pop("token_type_ids", None)
    with torch.inference_mode():
        return np.asarray(model.eval()(**arguments).logits[0])


@pytest.fixture(scope="module")
def models(tiled: Callable[[str], Path]) -> dict[str, Any]:
    return {kind: Llava({"path": str(tiled(kind))}).load_model(RUNTIME) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_tiled_picture_gives_transformers_own_logits(  # noqa: PLR0917
    models: dict[str, Any],
    tiled: Callable[[str], Path],
    picture: Callable[..., LoadedImage],
    logits: Callable[..., Any],
    kind: str,
    size: tuple[int, int],
) -> None:
    image = picture(*size)
    computed = logits(models[kind], [Turn("user", "How many people?", (image,))])
    text = "USER: <image>\nHow many people? ASSISTANT:"
    np.testing.assert_allclose(computed, whole_logits(tiled(kind), kind, text, [image]), atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_chats_with_shots_system_and_several_pictures_are_asked_as_transformers_asks_them(
    tiled: Callable[[str], Path], picture: Callable[..., LoadedImage], kind: str
) -> None:
    images = [picture(40, 30), picture(20, 50, 1), picture(33, 33, 2)]
    turns = (
        Turn("system", "Be short."),
        Turn("user", "Who?", (images[0], images[1])),
        Turn("assistant", "two men"),
        Turn("user", "And here?", (images[2],)),
    )
    alone = (Turn("user", "And here, in this longer question?", (images[2],)),)
    options = (" a", " the", " is")
    answerer = Llava({"path": str(tiled(kind)), "score_eos": False}).load(RUNTIME)
    want = Choose(tuple(option[1:] for option in options))
    questions = [Request("many", "s", "t", turns, want), Request("one", "s", "t", alone, want)]
    results = {response.request: response.result for response in answerer.answer(questions)}
    texts = {
        "many": "SYSTEM: Be short. USER: <image>\n<image>\nWho? ASSISTANT: two men "
        "USER: <image>\nAnd here? ASSISTANT:",
        "one": "USER: <image>\nAnd here, in this longer question? ASSISTANT:",
    }
    for name, displayed in (("many", images), ("one", images[2:])):
        last = whole_logits(tiled(kind), kind, texts[name], displayed)[-1].astype(np.float64)
        logp = last - last.max() - np.log(np.exp(last - last.max()).sum())
        scores = results[name]
        assert isinstance(scores, Scores)
        np.testing.assert_allclose(scores.values, logp[[265, 261, 289]], atol=2e-4)


def test_text_that_names_the_image_token_is_text(models: dict[str, Any]) -> None:
    turns = [Turn("user", "what does <image> mean?")]
    assert IMAGE not in models["llava_next"].prompt(turns, ["an <image>"]).prefix
    with pytest.raises(PromptError, match="has no text"):
        models["llava_next"].prompt(turns, ["<image>"])


def test_the_plain_form_is_used_where_there_is_no_template(picture: Any) -> None:
    model: Any = Llava({"path": str(HF)}).load_model(RUNTIME)
    turns = [
        Turn("user", "Who?", (picture(9, 9),)),
        Turn("assistant", "a man"),
        Turn("user", "Why?"),
    ]
    messages = model.preprocessing.render(turns)
    assert messages == "USER: \ufffc\nWho? ASSISTANT: a man</s>USER: Why? ASSISTANT:"
    joint = model.prompt(turns, ["yes", "no"])
    assert joint.prefix.count(IMAGE) == 1
    assert all(option[-1] == 2 for option in joint.options)
    with pytest.raises(PromptError, match="must stand first"):
        model.preprocessing.render([turns[0], Turn("system", "late")])


def test_a_conversation_can_be_named(tiled: Callable[[str], Path]) -> None:
    made = {
        name: Llava({"path": str(tiled("llava_next")), "conversation": name}).load_model(RUNTIME)
        for name in ("vicuna_v1", "plain")
    }
    turns = [Turn("user", "Who?")]
    messages = {name: model.preprocessing.render(turns) for name, model in made.items()}
    assert messages["vicuna_v1"].startswith("A chat between")
    assert messages["plain"] == "USER: Who? ASSISTANT:"
    with pytest.raises(UserError, match="no chat template"):
        Llava({"path": str(HF), "conversation": "template"}).load_model(RUNTIME)


def test_a_template_that_refuses_a_chat_is_recorded(tiled: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(tiled("llava_next"), tmp_path / "copy")
    refuses = "{% if messages | length > 1 %}{{ raise_exception('one turn only') }}{% endif %}"
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": refuses + TEMPLATE}))
    answerer = Llava({"path": str(folder)}).load(RUNTIME)
    turns = (Turn("system", "Be short."), Turn("user", "Who?"))
    requested = Request("1", "s", "t", turns, Choose(("a",)))
    (response,) = answerer.answer([requested])
    assert isinstance(response.result, Failed)
    assert response.result.kind == "prompt_format"
    assert "one turn only" in response.result.message


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            "<picture>",
            "writes '<picture>' for an image; wanted is the model's image token, '<image>'",
        ),
        ("", "writes nothing for an image"),
        ("<image><image>", "writes '<image><image>' for an image; wanted"),
        ("{{ raise_exception('no pictures') }}", "refuses: no pictures"),
        ("{% if %}", "the chat template refuses"),
    ],
)
def test_a_template_without_the_image_token_is_refused_at_loading(
    tiled: Any, tmp_path: Path, image: str, message: str
) -> None:
    folder = shutil.copytree(tiled("llava_next"), tmp_path / "copy")
    entries = {"chat_template": TEMPLATE.replace("<image>\n", image)}
    (folder / "chat_template.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match=re.escape(message)) as raised:
        Llava({"path": str(folder)}).load_model(RUNTIME)
    assert str(raised.value.where).endswith("chat_template.json")
    assert "conversation=plain" in raised.value.fix
    Llava({"path": str(folder), "conversation": "plain"}).load_model(RUNTIME)


def test_an_option_that_the_tokenizer_drops_is_named_and_costs_its_own_request(
    tmp_path: Path, picture: Callable[..., LoadedImage]
) -> None:
    folder = shutil.copytree(HF, tmp_path / "copy")
    words = folder / "tokenizer.json"
    drop = {"type": "Replace", "pattern": {"String": "?"}, "content": ""}
    words.write_text(json.dumps({**json.loads(words.read_text()), "normalizer": drop}))
    answerer = Llava({"path": str(folder)}).load(RUNTIME)
    turns = (Turn("user", "Who", (picture(9, 9),)),)
    result = answerer.answer(
        [
            Request(str(at), "s", "t", turns, Choose(options))
            for at, options in enumerate((("a", "?"), ("a", "b")))
        ]
    )
    bad, good = (response.result for response in result)
    assert isinstance(bad, Failed)
    assert bad.kind == "empty_option"
    assert "option 2 of 2, '?', has no tokens: the model's tokenizer drops" in bad.message
    assert isinstance(good, Scores)


def test_pictures_are_padded_when_asked(picture: Callable[..., LoadedImage]) -> None:
    wide = picture(60, 20)
    cropped: Any = Llava({"path": str(HF)}).load_model(RUNTIME)
    padded: Any = Llava({"path": str(HF), "image_aspect": "pad"}).load_model(RUNTIME)
    edge = padded.prepare(wide)["pixel_values"][0, :, 0, 0]
    assert abs(float(edge.abs().max())) < 0.02  # the mean colour, up to rounding
    assert not np.array_equal(
        cropped.prepare(wide)["pixel_values"], padded.prepare(wide)["pixel_values"]
    )
    square = replace(wide, pixels=wide.pixels.resize((30, 30)))
    assert np.array_equal(
        cropped.prepare(square)["pixel_values"], padded.prepare(square)["pixel_values"]
    )


def test_a_tokenizer_without_the_image_token_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(HF, tmp_path / "copy")
    original = HF.with_name("llava15_original_tiny")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(original / name, folder / name)
    with pytest.raises(UserError, match="no image token"):
        Llava({"path": str(folder)}).load_model(RUNTIME)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(HF / name, folder / name)
    config = folder / "config.json"  # as where the padding has taken the missing token's id
    content = json.loads(config.read_text())
    config.write_text(json.dumps(content | {"image_token_index": content["image_token_index"] + 1}))
    with pytest.raises(UserError, match="which is '<pad>' there"):
        Llava({"path": str(folder)}).load_model(RUNTIME)


def test_a_picture_the_processor_rejects_costs_its_own_sample(
    tiled: Callable[[str], Path], picture: Callable[..., LoadedImage]
) -> None:
    answerer = Llava({"path": str(tiled("llava_next"))}).load(RUNTIME)
    questions = [
        Request(str(size), "s", "t", (Turn("user", "Who?", (picture(*size),)),), Choose(("a", "b")))
        for size in ((1, 4000), (30, 30))
    ]
    bad, good = (response.result for response in answerer.answer(questions))
    assert isinstance(bad, Failed)
    assert bad.kind == "image_rejected"
    assert isinstance(good, Scores)


@pytest.mark.parametrize("kind", KINDS)
def test_projector_and_line_ends_of_a_tiled_model_train(
    tiled: Callable[[str], Path], picture: Callable[..., LoadedImage], tmp_path: Path, kind: str
) -> None:
    import torch
    from harness_training import weights as trained_weights

    image = picture(90, 20)
    model = Llava({"path": str(tiled(kind))}).load_model(RUNTIME)
    assert trained_weights.chosen_parts(model, "auto") == ("connector", "lora")
    trained = trained_weights.Trained(("connector",))
    trained_weights.prepare(model, trained)
    seen = model.encode([image])
    before = model.connect(seen)[0]
    with torch.enable_grad():
        torch.autograd.backward(model.connect(seen)[0].square().sum())
    learnt = {name: weight for _, name, weight in trained_weights.weights(model, trained)}
    assert {"image_newline", "multi_modal_projector.linear_1.weight"} <= set(learnt)
    assert all(float(weight.grad.abs().max()) > 0 for weight in learnt.values())  # type: ignore[union-attr]
    for weight in learnt.values():
        weight.add_(0.5)
    after = model.connect(seen)[0]
    assert float((after - before).abs().max()) > 0.1
    trained_weights.save(model, trained, tmp_path)
    again = Llava({"path": str(tiled(kind))}).load_model(RUNTIME)
    trained_weights.load(again, tmp_path)
    assert torch.equal(again.connect(again.encode([image]))[0], after)
