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


def answers(root: Path, given: list[Request], **runtime: Any) -> dict[str, Any]:
    answerer = SocialFusion({"path": str(root / "saved")}).load(Runtime(device="cpu", **runtime))
    found: list[Response] = list(answerer.answer(given))
    answerer.close()
    return {response.request: response.result for response in found}


def values(found: dict[str, Any]) -> dict[str, Any]:
    return {name: pytest.approx(result.values, abs=1e-4) for name, result in found.items()}


def test_scores_are_those_of_one_pass_per_option(
    built: Path, model: Any, pictures: list[LoadedImage]
) -> None:
    given = requests(pictures)
    found = answers(built, given)
    form = FORMATS["answer_line"]
    for request in given:
        assert isinstance(request.want, Choose)
        text = render(form, request.turns, model.tokenizer)
        joint = encode_prompt(form, model.tokenizer, text, request.want.options, end=True)
        features = model.encode([request.images[0].pixels])
        with torch.no_grad():
            wanted = [
                float(model.log_likelihood(features, [joint.prefix], [option])[0])
                for option in joint.options
            ]
        result = found[request.id]
        assert isinstance(result, Scores)
        assert result.kind == "logprob"
        assert result.values == pytest.approx(wanted, abs=1e-4)
        assert result.tokens == tuple(len(option) for option in joint.options)
        assert result.bytes == tuple(len(option.encode()) for option in request.want.options)


@pytest.mark.parametrize("deterministic", [pytest.param(False, marks=pytest.mark.slow), True])
def test_neither_batch_nor_order_changes_answers(
    built: Path, pictures: list[LoadedImage], deterministic: bool
) -> None:
    given = requests(pictures)
    whole = answers(built, given, deterministic=deterministic)
    small = answers(built, given, batch_size=1, deterministic=deterministic)
    assert small == whole if deterministic else values(small) == whole_values(whole)
    assert values(answers(built, given[::-1])) == whole_values(whole)
    single: dict[str, Any] = {}
    for request in given[:3]:
        single |= answers(built, [request])
    assert all(values(single)[name] == whole[name].values for name in single)


def whole_values(found: dict[str, Any]) -> dict[str, Any]:
    return {name: result.values for name, result in found.items()}


def test_cached_features_give_the_same_bytes(
    built: Path, tmp_path: Path, pictures: list[LoadedImage]
) -> None:
    given = requests(pictures)
    miss = answers(built, given, cache=tmp_path)
    files = list((tmp_path / "features").rglob("*.safetensors"))
    assert len(files) == 1
    hit = answers(built, given, cache=tmp_path)
    assert hit == miss == answers(built, given)
    for path in files[:2]:
        path.write_bytes(b"damaged")
    assert answers(built, given, cache=tmp_path) == miss


def test_written_answers_are_transformers_own(
    built: Path, model: Any, pictures: list[LoadedImage]
) -> None:
    given = requests(pictures, Generate(10))
    found = answers(built, given, batch_size=4)
    form = FORMATS["answer_line"]
    for request in given:
        text = render(form, request.turns, model.tokenizer)
        ids = encode_prompt(form, model.tokenizer, text, (), end=False).prefix
        shown = list(model.connect(model.encode([request.images[0].pixels])))
        with torch.no_grad():
            whole = model.embed(ids, shown)[None]
            wanted = model.language_model.generate(
                inputs_embeds=whole,
                attention_mask=torch.ones(whole.shape[:2], dtype=torch.long),
                max_new_tokens=10,
                do_sample=False,
            )[0]
        said = model.tokenizer.decode(wanted, skip_special_tokens=True).removeprefix(" ")
        assert isinstance(found[request.id], Text)
        assert found[request.id].text == said


def test_what_cannot_be_answered_fails_alone(built: Path, pictures: list[LoadedImage]) -> None:
    good = requests(pictures)[0]
    given = [
        good,
        replace(good, id="long", turns=(Turn("user", "a cat! " * 200),)),
        replace(good, id="vectors", want=Embed()),
    ]
    found = answers(built, given)
    assert isinstance(found[good.id], Scores)
    assert isinstance(found["long"], Failed)
    assert found["long"].kind == "prompt_too_long"
    assert found["vectors"].kind == "unsupported"


def test_an_empty_option_without_end_fails(built: Path, pictures: list[LoadedImage]) -> None:
    options: dict[str, Json] = {
        "path": str(built / "saved"),
        "score_eos": False,
        "prompt_format": "plain",
    }
    answerer = SocialFusion(options).load(Runtime(device="cpu"))
    given = [replace(requests(pictures)[0], want=Choose(("", "a")))]
    (response,) = answerer.answer(given)
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
    given = [
        Request("shots", "s", "t", shots, Choose(OPTIONS)),
        Request("text", "s", "t", (Turn("user", "yes or no?"),), Choose(OPTIONS)),
    ]
    found = answers(built, given)
    assert all(isinstance(result, Scores) for result in found.values())


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

    def changed(*given: Any, **named: Any) -> Any:
        made = load(*given, **named)
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
