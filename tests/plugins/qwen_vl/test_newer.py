"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL against transformers' own whole forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from harness_qwen_vl.factory import QwenVL

from harness.engine.checkpoints import load_image_processor
from harness.engine.contract import VisionLanguageModel
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Scores, Text, Turn
from tests.plugins.hf_vlm.tiny import picture, qwen

pytestmark = pytest.mark.torch

KINDS = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")
OPTIONS = ("yes", "no maybe", "two people talking")
CHATS: dict[str, tuple[Turn, ...]] = {
    "one": (Turn("user", "what is this?", (picture(1),)),),
    "several": (
        Turn("system", "You are a helpful assistant."),
        Turn("user", "which face?", (picture(1), picture(2, 30, 60))),
        Turn("assistant", "yes"),
        Turn("user", "two people?", (picture(3, 64, 20),)),
    ),
    "text": (Turn("user", "what is the person on the left doing? yes no"),),
}


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def whole(folder: Path) -> Any:
    """Transformers' own model and processor."""
    hf: Any = transformers
    model = hf.AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = hf.AutoProcessor.from_pretrained(folder)
    processor.image_processor = load_image_processor(folder)
    return model, processor


def load(folder: Path, **options: Any) -> VisionLanguageModel:
    arguments = {"path": str(folder), **options}
    return QwenVL(arguments).load_model(Runtime(device="cpu", cache=folder / "cache"))


def given(whole: Any, turns: tuple[Turn, ...], answer: str = "") -> Any:
    """What transformers' own processor makes of a chat."""
    _, processor = whole
    messages = [
        {
            "role": turn.role,
            "content": [
                *[{"type": "image"}] * len(turn.images),
                {"type": "text", "text": turn.text},
            ],
        }
        for turn in turns
    ]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    images = [image.pixels for turn in turns for image in turn.images]
    return processor(text=[text + answer], images=images or None, return_tensors="pt")


@torch.inference_mode()
@pytest.mark.parametrize("name", CHATS)
def test_logits_are_those_of_transformers(folder: Path, whole: Any, name: str) -> None:
    model = load(folder)
    turns = CHATS[name]
    images = [image for turn in turns for image in turn.images]
    features = model.connect(model.encode(images)) if images else []
    made = model.inputs(model.prompt(turns, OPTIONS).prefix, features)
    outputs = model.forward(
        made.embeds[None],
        mask=torch.ones(1, made.length, dtype=torch.long),
        positions=made.positions[:, None],
        cache=None,
        extras={name: extra[None] for name, extra in made.extras.items()},
    )
    wanted = whole[0](**given(whole, turns)).logits
    assert outputs.shape == wanted.shape
    assert (outputs - wanted).abs().max() < 1e-5


@torch.inference_mode()
def test_shared_scores_are_those_of_whole_forward_passes(folder: Path, whole: Any) -> None:
    answerer = QwenVL({"path": str(folder)}).load(Runtime(device="cpu"))
    requests = [Request(name, "s", "t", turns, Choose(OPTIONS)) for name, turns in CHATS.items()]
    results = {response.request: response.result for response in answerer.answer(requests)}
    model, processor = whole
    end = "<|im_end|>"
    for name, turns in CHATS.items():
        scores = results[name]
        assert isinstance(scores, Scores)
        start = given(whole, turns)["input_ids"].shape[1]
        for value, count, option in zip(scores.values, scores.tokens, OPTIONS, strict=True):
            requested = given(whole, turns, option + end)
            ids = requested["input_ids"][0]
            each = model(**requested).logits[0].log_softmax(-1)
            wanted = sum(float(each[at - 1, ids[at]]) for at in range(start, len(ids)))
            assert value == pytest.approx(wanted, abs=1e-4)
            assert count == len(ids) - start
    assert answerer.notes() == []
    assert processor.tokenizer.eos_token == end


def test_written_answers_are_transformers_own(folder: Path, whole: Any) -> None:
    answerer = QwenVL({"path": str(folder)}).load(Runtime(device="cpu"))
    requests = [Request(name, "s", "t", turns, Generate(5)) for name, turns in CHATS.items()]
    results = {response.request: response.result for response in answerer.answer(requests)}
    model, processor = whole
    for name, turns in CHATS.items():
        requested = given(whole, turns)
        ids = model.generate(**requested, max_new_tokens=5, do_sample=False)[0]
        message = processor.tokenizer.decode(
            ids[requested["input_ids"].shape[1] :], skip_special_tokens=True
        )
        text = results[name]
        assert isinstance(text, Text)
        assert text.text == message


def test_pixels_decide_how_many_positions_an_image_takes(folder: Path) -> None:
    sizes = [len(load(folder, max_pixels=most).encode([picture(1)])[0]) for most in (256, 1024)]
    assert sizes[0] < sizes[1]
    with pytest.raises(UserError, match="min_pixels is 4096 and max_pixels is 64"):
        load(folder, min_pixels=4096, max_pixels=64)


def test_what_cannot_be_answered_fails_alone(folder: Path) -> None:
    answerer = QwenVL({"path": str(folder), "context": 60}).load(Runtime(device="cpu"))
    requests = [
        Request("good", "s", "t", CHATS["one"], Choose(OPTIONS)),
        Request("narrow", "s", "t", (Turn("user", "a", (picture(1, 900, 2),)),), Choose(OPTIONS)),
        Request("long", "s", "t", (Turn("user", "yes no " * 40),), Choose(OPTIONS)),
    ]
    good, narrow, long = (response.result for response in answerer.answer(requests))
    assert isinstance(good, Scores)
    assert isinstance(narrow, Failed)
    assert narrow.kind == "image_rejected"
    assert isinstance(long, Failed)
    assert long.kind == "prompt_too_long"


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
@torch.inference_mode()
def test_an_adapter_acts_and_is_part_of_the_identity(
    folder: Path, whole: Any, tmp_path: Path
) -> None:
    import peft

    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    settings = peft.LoraConfig(
        r=2, target_modules="model.language_model.*(q_proj|v_proj)", init_lora_weights=False
    )
    torch.manual_seed(0)
    adapted: Any = peft.get_peft_model(model, settings)
    adapted.save_pretrained(tmp_path)
    turns = CHATS["one"]
    requested = given(whole, turns, "yes<|im_end|>")
    each = adapted.eval()(**requested).logits[0].log_softmax(-1)
    ids = requested["input_ids"][0]
    start = given(whole, turns)["input_ids"].shape[1]
    wanted = sum(float(each[at - 1, ids[at]]) for at in range(start, len(ids)))
    options = {"path": str(folder), "adapter": str(tmp_path)}
    plugin = QwenVL(dict(options))
    request = Request("r", "s", "t", turns, Choose(("yes", "no")))
    (response,) = plugin.load(Runtime(device="cpu")).answer([request])
    assert isinstance(response.result, Scores)
    assert response.result.values[0] == pytest.approx(wanted, abs=1e-4)
    assert plugin.identity(Runtime()) != QwenVL({"path": str(folder)}).identity(Runtime())


def test_a_tokenizer_without_the_image_token_is_refused(tmp_path: Path) -> None:
    from tests.plugins.hf_vlm.tiny import tokenizer

    made = qwen(tmp_path / "made", "qwen2_vl")
    tokenizer("<|im_start|>", "<|im_end|>").save_pretrained(made)
    with pytest.raises(UserError, match="the tokenizer has no image token"):
        load(made)


def test_a_template_without_the_image_token_is_refused_at_loading(tmp_path: Path) -> None:
    made = qwen(tmp_path, "qwen2_vl")
    file = made / "chat_template.jinja"
    file.write_text(file.read_text().replace("<|image_pad|>", "<picture>"))
    with pytest.raises(UserError, match=r"'<\|vision_start\|><picture>.*wanted is .*image_pad"):
        load(made)
