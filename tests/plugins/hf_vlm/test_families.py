"""Every tested family: whatever way is chosen gives what whole forward passes give."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from harness_hf_vlm.answerer import ProcessorAnswerer
from harness_hf_vlm.factory import HfVlm
from harness_hf_vlm.loading import Loaded, choose

from harness.engine.answerer import EngineAnswerer
from harness.engine.chats import MARK
from harness.models import Runtime
from harness.requests import Choose, Embed, Failed, Generate, Request, Scores, Text, Turn
from tests.plugins.hf_vlm.families import FAMILIES
from tests.plugins.hf_vlm.tiny import picture

pytestmark = pytest.mark.torch

CPU = Runtime(device="cpu")
OPTIONS = ("yes", "no maybe", "two people talking")
WAYS = {
    "llava": "engine",
    "llava_next": "engine",
    "idefics3": "engine",
    "internvl": "engine",
    "deepseek_vl": "engine",
    "aya_vision": "engine",
    "llava_onevision": "cached",  # cuts a picture into tiles only when it comes alone
    "paligemma": "cached",
    "gemma3": "cached",
    "idefics2": "cached",
    "mllama": "cached",
    "glm4v": "cached",
    "qwen2_vl": "cached",
    "blip2": "whole",
    "blip2_t5": "whole",
    "instructblip": "whole",
}


@dataclass(frozen=True)
class Made:
    """A family's checkpoint, asked in the way that was chosen and in the slowest."""

    name: str
    loaded: Loaded
    chosen: Any
    whole: ProcessorAnswerer


@pytest.fixture(scope="module", params=FAMILIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = FAMILIES[request.param](tmp_path_factory.mktemp(request.param))
    loaded = HfVlm({"path": str(folder)}).load_parts(CPU)
    chosen = choose(loaded, CPU, "auto")
    return Made(request.param, loaded, chosen, ProcessorAnswerer(loaded, CPU, cached=False))


def requests(want: Any) -> list[Request]:
    texts = ("what is this?", "which expression does this face show?")
    chats = [
        (Turn("user", text, (picture(number, *size),)),)
        for number, (text, size) in enumerate(
            zip((*texts, texts[0]), ((40, 30), (30, 50), (40, 30)), strict=True)
        )
    ]
    chats.append(chats[0])
    return [Request(str(at), "s", "t", turns, want) for at, turns in enumerate(chats)]


def results(answerer: Any, asked: list[Request]) -> list[Any]:
    return [response.result for response in answerer.answer(asked)]


def test_the_fastest_exact_way_is_taken(made: Made) -> None:
    way = WAYS[made.name]
    assert isinstance(made.chosen, EngineAnswerer if way == "engine" else ProcessorAnswerer)
    if isinstance(made.chosen, ProcessorAnswerer):
        assert made.chosen._cached == (way == "cached")
        messages = " ".join(made.chosen.notes())
        assert ("sharing of prompts is off" in messages) == (made.name != "blip2_t5")
    batch = requests(Choose(OPTIONS))
    answers, wanted = results(made.chosen, batch), results(made.whole, batch)
    for first, other in zip(answers, wanted, strict=True):
        assert isinstance(first, Scores)
        assert first.values == pytest.approx(other.values, abs=1e-4)
        assert (first.tokens, first.bytes) == (other.tokens, other.bytes)
        assert first.bytes == tuple(len(option.encode()) for option in OPTIONS)
    # The same question twice: in another row of a batch it may be rounded otherwise.
    assert isinstance(answers[0], Scores)
    assert isinstance(answers[3], Scores)
    assert answers[0].values == pytest.approx(answers[3].values, abs=1e-5)
    writes = requests(Generate(4))
    assert results(made.chosen, writes) == results(made.whole, writes)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_several_pictures_belong_to_one_chat(made: Made) -> None:
    if made.loaded.chats.token is None:
        pytest.skip("takes one picture")
    chats = made.loaded.chats
    pictures = (picture(1), picture(2, 30, 50))
    turns = (Turn("user", "which?", pictures),)
    request = Request("r", "s", "t", turns, Choose(OPTIONS))
    (scores,) = results(made.chosen, [request])
    assert isinstance(scores, Scores)
    (wanted,) = results(made.whole, [request])
    assert scores.values == pytest.approx(wanted.values, abs=1e-4)
    text = chats.render(turns)
    inputs = chats.inputs(text, pictures)
    nested = chats.processor(
        text=[text.replace(MARK, chats.token or "")],
        images=[[image.pixels for image in pictures]],
        return_tensors="pt",
        add_special_tokens=not text.startswith("<s>"),
    )
    assert all(torch.equal(nested[name], value) for name, value in inputs.items())


def test_neither_batch_nor_order_changes_scores(made: Made) -> None:
    batch = requests(Choose(OPTIONS))
    answers = results(made.chosen, batch)
    one_row = replace(CPU, batch_size=1)
    small: Any = ProcessorAnswerer(made.loaded, one_row, cached=WAYS[made.name] == "cached")
    if isinstance(made.chosen, EngineAnswerer):
        small = EngineAnswerer(made.chosen._model, one_row)
    turned = results(small, batch[::-1])[::-1]
    for first, other in zip(answers, turned, strict=True):
        assert first.values == pytest.approx(other.values, abs=1e-4)
    if isinstance(small, ProcessorAnswerer):  # the engine's own tests hold it to the same
        fixed = [
            results(
                ProcessorAnswerer(
                    made.loaded,
                    replace(CPU, batch_size=rows, deterministic=True),
                    cached=WAYS[made.name] == "cached",
                ),
                batch,
            )
            for rows in (1, 2, None)
        ]
        assert fixed[0] == fixed[1] == fixed[2]


@torch.inference_mode()
def test_whole_scores_follow_from_transformers_logits(made: Made) -> None:
    """One option's sum, from the model's own call on the processor's inputs, written out."""
    if made.name in {"blip2_t5", "paligemma"}:
        pytest.skip("their answers do not stand behind the prompt as text")
    chats, model = made.loaded.chats, made.loaded.model
    request = requests(Choose(OPTIONS))[0]
    (scores,) = results(made.chosen, [request])
    text = chats.render(request.turns)
    gap = "" if text[-1:].isspace() else " "
    for option, value, count in zip(OPTIONS, scores.values, scores.tokens, strict=True):
        end = chats.tokenizer.eos_token
        arguments = chats.inputs(text + gap + option + end, request.images)
        # InstructBLIP's queries read the question, not the answer.
        inputs = chats.inputs(text, request.images)
        arguments |= {name: inputs[name] for name in inputs if name.startswith("qformer")}
        ids = arguments["input_ids"][0]
        each = model(**arguments).logits[0].log_softmax(-1)
        wanted = sum(float(each[at - 1, ids[at]]) for at in range(len(ids) - count, len(ids)))
        assert value == pytest.approx(wanted, abs=1e-4)


def test_sampling_depends_on_the_request_alone(made: Made) -> None:
    questions = [
        replace(request, seed=at) for at, request in enumerate(requests(Generate(6, (), 1.5)))
    ]
    answers = results(made.chosen, questions)
    assert answers == results(made.chosen, questions[::-1])[::-1]
    assert answers[3] == results(made.chosen, questions[3:])[0]
    others = [replace(request, seed=request.seed + 9) for request in questions]
    assert answers != results(made.chosen, others)


def test_stops_and_wants_that_are_not_met(made: Made) -> None:
    answerer = made.chosen
    (answers,) = results(answerer, requests(Generate(6))[:1])
    assert isinstance(answers, Text)
    if answers.text.strip():
        stop = answers.text.strip()[-1]
        (cut,) = results(answerer, requests(Generate(6, (stop,)))[:1])
        assert cut == Text(answers.text[: answers.text.index(stop)], "stop")
    (vectors,) = results(answerer, requests(Embed())[:1])
    assert isinstance(vectors, Failed)
    assert vectors.kind == "unsupported"
