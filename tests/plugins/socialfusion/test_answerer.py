from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_socialfusion import checkpoint
from harness_socialfusion.factory import SocialFusion
from harness_socialfusion.formats import FORMATS
from harness_socialfusion.prompts import encode_prompt, render

from harness.descriptors import Json
from harness.errors import UserError
from harness.models import Runtime
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
)
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch

OPTIONS = ("yes", "no", "a dog, a fish!", "two people talking")


def requests(pictures: list[LoadedImage], want: Any = None) -> list[Request]:
    texts = ("what is this?", "two people, yes or no?", "a")
    return [
        Request(
            f"r{number}",
            f"s{number}",
            "t",
            (Turn("user", texts[number % 3], (pictures[number % len(pictures)],)),),
            want or Choose(OPTIONS[: 2 + number % 3]),
        )
        for number in range(9)
    ]


def answers(root: Path, arguments: list[Request], **runtime: Any) -> dict[str, Any]:
    answerer = SocialFusion({"path": str(root / "saved")}).load(Runtime(device="cpu", **runtime))
    result: list[Response] = list(answerer.answer(arguments))
    answerer.close()
    return {response.request: response.result for response in result}


def values(results: dict[str, Any]) -> dict[str, Any]:
    return {name: pytest.approx(result.values, abs=1e-4) for name, result in results.items()}


def test_scores_are_those_of_one_pass_per_option(
    built: Path, model: Any, pictures: list[LoadedImage]
) -> None:
    batch = requests(pictures)
    answered = answers(built, batch)
    form = FORMATS["answer_line"]
    for request in batch:
        assert isinstance(request.want, Choose)
        text = render(form, request.turns, model.tokenizer)
        joint = encode_prompt(form, model.tokenizer, text, request.want.options, end=True)
        features = model.encode([request.images[0].pixels])
        with torch.no_grad():
            wanted = [
                float(model.log_likelihood(features, [joint.prefix], [option])[0])
                for option in joint.options
            ]
        result = answered[request.id]
        assert isinstance(result, Scores)
        assert result.kind == "logprob"
        assert result.values == pytest.approx(wanted, abs=1e-4)
        assert result.tokens == tuple(len(option) for option in joint.options)
        assert result.bytes == tuple(len(option.encode()) for option in request.want.options)


@pytest.mark.parametrize("deterministic", [pytest.param(False, marks=pytest.mark.slow), True])
def test_neither_batch_nor_order_changes_answers(
    built: Path, pictures: list[LoadedImage], deterministic: bool
) -> None:
    batch = requests(pictures)
    answered = answers(built, batch, deterministic=deterministic)
    small = answers(built, batch, batch_size=1, deterministic=deterministic)
    assert small == answered if deterministic else values(small) == whole_values(answered)
    assert values(answers(built, batch[::-1])) == whole_values(answered)
    single: dict[str, Any] = {}
    for request in batch[:3]:
        single |= answers(built, [request])
    assert all(values(single)[name] == answered[name].values for name in single)


def whole_values(results: dict[str, Any]) -> dict[str, Any]:
    return {name: result.values for name, result in results.items()}


def test_cached_features_give_the_same_bytes(
    built: Path, tmp_path: Path, pictures: list[LoadedImage]
) -> None:
    batch = requests(pictures)
    miss = answers(built, batch, cache=tmp_path)
    files = list((tmp_path / "features").rglob("*.safetensors"))
    assert len(files) == 1
    hit = answers(built, batch, cache=tmp_path)
    assert hit == miss == answers(built, batch)
    for path in files[:2]:
        path.write_bytes(b"damaged")
    assert answers(built, batch, cache=tmp_path) == miss


def test_written_answers_are_transformers_own(
    built: Path, model: Any, pictures: list[LoadedImage]
) -> None:
    batch = requests(pictures, Generate(10))
    answered = answers(built, batch, batch_size=4)
    form = FORMATS["answer_line"]
    for request in batch:
        text = render(form, request.turns, model.tokenizer)
        ids = encode_prompt(form, model.tokenizer, text, (), end=False).prefix
        displayed = list(model.connect(model.encode([request.images[0].pixels])))
        with torch.no_grad():
            full = model.embed(ids, displayed)[None]
            wanted = model.language_model.generate(
                inputs_embeds=full,
                attention_mask=torch.ones(full.shape[:2], dtype=torch.long),
                max_new_tokens=10,
                do_sample=False,
            )[0]
        message = model.tokenizer.decode(wanted, skip_special_tokens=True).removeprefix(" ")
        assert isinstance(answered[request.id], Text)
        assert answered[request.id].text == message


def test_what_cannot_be_answered_fails_alone(built: Path, pictures: list[LoadedImage]) -> None:
    good = requests(pictures)[0]
    arguments = [
        good,
        replace(good, id="long", turns=(Turn("user", "a cat! " * 200),)),
        replace(good, id="vectors", want=Embed()),
    ]
    answered = answers(built, arguments)
    assert isinstance(answered[good.id], Scores)
    assert isinstance(answered["long"], Failed)
    assert answered["long"].kind == "prompt_too_long"
    assert answered["vectors"].kind == "unsupported"


def test_an_empty_option_without_end_fails(built: Path, pictures: list[LoadedImage]) -> None:
    options: dict[str, Json] = {
        "path": str(built / "saved"),
        "score_eos": False,
        "prompt_format": "plain",
    }
    answerer = SocialFusion(options).load(Runtime(device="cpu"))
    arguments = [replace(requests(pictures)[0], want=Choose(("", "a")))]
    (response,) = answerer.answer(arguments)
    assert isinstance(response.result, Failed)
    assert response.result.kind == "empty_option"


def test_chats_with_examples_and_no_image_are_answered(
    built: Path, pictures: list[LoadedImage]
) -> None:
    shots = (
        Turn("system", "be brief {text}"),
        Turn("user", "what is this?", (pictures[0],)),
        Turn("assistant", "a cat"),
        Turn("user", "two {image}", (pictures[1], pictures[2])),
    )
    arguments = [
        Request("shots", "s", "t", shots, Choose(OPTIONS)),
        Request("text", "s", "t", (Turn("user", "yes or no?"),), Choose(OPTIONS)),
    ]
    answered = answers(built, arguments)
    assert all(isinstance(result, Scores) for result in answered.values())


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "has no chat template"),
        ("{{ raise_exception('no users') }}", "refuses: no users"),
        ("{{ messages[0]['role'] }}", "leaves out a turn's text"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_refused_at_loading(
    built: Path, monkeypatch: pytest.MonkeyPatch, template: str | None, message: str
) -> None:
    load = checkpoint.load

    def changed(*positional: Any, **named: Any) -> Any:
        made = load(*positional, **named)
        made.tokenizer.chat_template = template
        return made

    monkeypatch.setattr(checkpoint, "load", changed)
    chosen: dict[str, Json] = {"path": str(built / "saved"), "prompt_format": "chat"}
    with pytest.raises(UserError, match=message):
        SocialFusion(chosen).load(Runtime(device="cpu"))


def test_prompt_formats(model: Any, pictures: list[LoadedImage]) -> None:
    turns = (Turn("system", "be brief"), Turn("user", "who?", (pictures[0],)))
    mark = "\ufffc"
    assert render(FORMATS["plain"], turns, None) == f"{mark}be brief\nwho?\n"
    assert render(FORMATS["answer_line"], turns, None) == f"{mark}\nbe brief\nwho?\nAnswer:"
    model.tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
    )
    chat = render(FORMATS["chat"], turns, model.tokenizer)
    assert chat == f"<system>be brief\n<user>{mark}who?\n<assistant>"
    ids = encode_prompt(FORMATS["chat"], model.tokenizer, chat, ("a",), end=True)
    assert ids.prefix.count(-1) == 1
    assert ids.prefix[0] != model.tokenizer.bos_token_id
