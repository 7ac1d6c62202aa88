"""The first Qwen-VL against the original code's own numbers."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from harness_qwen_vl.original import OriginalQwenVL
from harness_qwen_vl.vocabulary import Vocabulary
from hypothesis import strategies
from PIL import Image
from torch.nn import functional

from harness.engine.answerer import EngineAnswerer
from harness.engine.checkpoints import open_checkpoint
from harness.engine.contract import IMAGE, Inputs
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Generate, Request, Scores, Text, Turn
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch

FOLDER = Path(__file__).parents[2] / "conformance" / "checkpoints" / "qwen_vl_v1_tiny"
HELD = json.loads((FOLDER / "cases.json").read_text())
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in HELD["cases"]}
WORDS = Vocabulary(FOLDER)
LIMIT = HELD["tolerance"]["logits_abs"]
SPELLED = ("<|im_start|>", "a<|endoftext|>", "<img>x</img>", "<imgpad>", "cafe\u0301")
SYSTEM = "You are a helpful assistant."


@pytest.fixture(scope="module")
def expected() -> Any:
    return np.load(FOLDER / "expected.npz")


def load(folder: Path = FOLDER, *, chat: bool = False, **changed: Any) -> OriginalQwenVL:
    result = open_checkpoint(str(folder))
    source = dataclasses.replace(result, config={**result.config, **changed})
    loading = {"dtype": torch.float32}
    return OriginalQwenVL(source, chat=chat, space="", score_eos=False, loading=loading)


@pytest.fixture(scope="module")
def base() -> OriginalQwenVL:
    return load()


@pytest.fixture(scope="module")
def chat() -> OriginalQwenVL:
    return load(chat=True)


def picture(name: str) -> LoadedImage:
    pixels = Image.open(FOLDER / name).convert("RGB")
    return LoadedImage(pixels, name, name, pixels.width, pixels.height)


def asked(case: dict[str, Any]) -> tuple[Turn, ...]:
    """The question of a case, as the harness asks it."""
    text = (case["query"] or case["text"]).rpartition("</img>")[2].lstrip("\n")
    images = tuple(picture(name) for name in case["images"])
    return (Turn("user", text.removesuffix(" Answer:"), images),)


def marked(ids: list[int]) -> tuple[int, ...]:
    """A case's ids, what stands between <img> and </img> as one mark."""
    special, collected = HELD["special_ids"], []
    inside = False
    for token in ids:
        inside = inside and token != special["img_end"]
        if not inside:
            collected.append(token)
        if token == special["img"]:
            inside = True
            collected.append(IMAGE)
    return tuple(collected)


def inputs(model: OriginalQwenVL, turns: tuple[Turn, ...], options: Any = ()) -> Inputs:
    images = [image for turn in turns for image in turn.images]
    features = model.connect(model.encode(images)) if images else []
    return model.inputs(model.prompt(turns, options).prefix, features)


@torch.inference_mode()
def logits(model: OriginalQwenVL, rows: list[Inputs]) -> torch.Tensor:
    """Logits of rows in one batch, padded on the left."""
    longest = max(row.length for row in rows)
    embeds = rows[0].embeds.new_zeros(len(rows), longest, rows[0].embeds.shape[1])
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    positions = torch.zeros(1, len(rows), longest, dtype=torch.long)
    for at, row in enumerate(rows):
        embeds[at, longest - row.length :] = row.embeds
        mask[at, longest - row.length :] = 1
        positions[:, at, longest - row.length :] = row.positions
    return model.forward(embeds, mask=mask, positions=positions, cache=None, extras={})


@pytest.mark.parametrize("case", HELD["text_encodings"], ids=lambda case: case["text"][:12])
def test_texts_have_the_originals_ids(case: dict[str, Any]) -> None:
    assert list(Vocabulary(FOLDER).encode(case["text"], control=True)) == case["ids"]


@hypothesis.given(strategies.text(max_size=40) | strategies.sampled_from(SPELLED))
@hypothesis.settings(max_examples=80, deadline=None)
def test_any_text_comes_back_and_holds_no_control_token(text: str) -> None:
    words = WORDS
    tags = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>")
    hypothesis.assume(not any(tag in text for tag in tags))
    ids = words.encode(text)
    assert max(ids, default=0) < words.end
    assert words.decode(ids) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("name", CASES)
def test_ids_features_and_logits_are_the_originals(
    name: str, base: OriginalQwenVL, chat: OriginalQwenVL, expected: Any
) -> None:
    case = CASES[name]
    is_chat = case["prompt_kind"] == "chatml"
    model = chat if is_chat else base
    if case["config_overrides"]:
        model = load(chat=is_chat, **case["config_overrides"])
    turns = asked(case)
    assert model.prompt(turns, ()).prefix == marked(case["input_ids"])
    for at, image in enumerate(turns[0].images):
        rows = model.encode([image])[0][::16]
        wanted = expected[case["image_features_key"]][at]
        assert np.abs(rows.numpy() - wanted).max() < HELD["tolerance"]["image_features_abs"]
    result = logits(model, [inputs(model, turns)])[0, -case["tail"] :]
    assert np.abs(result.numpy() - expected[case["logits_key"]]).max() < LIMIT


@pytest.mark.parametrize("name", CASES)
def test_scores_and_texts_through_the_engine_are_the_originals(
    name: str, base: OriginalQwenVL, chat: OriginalQwenVL
) -> None:
    case = CASES[name]
    model = chat if case["prompt_kind"] == "chatml" else base
    if case["config_overrides"]:
        model = load(**case["config_overrides"])
    turns = asked(case)
    # In the chat form an answer follows a line end, so its text is scored as it is.
    cut = 0 if model is chat else 1
    texts = tuple(continuation["text"][cut:] for continuation in case["continuations"])
    requests = [
        Request("scores", "s", "t", turns, Choose(texts)),
        Request("text", "s", "t", turns, Generate(len(case["greedy_ids"]))),
    ]
    answerer = EngineAnswerer(model, Runtime(device="cpu"))
    scores, text = (response.result for response in answerer.answer(requests))
    assert isinstance(scores, Scores)
    wanted = [continuation["logprob"] for continuation in case["continuations"]]
    assert scores.values == pytest.approx(wanted, abs=1e-3)
    assert scores.tokens == tuple(
        len(continuation["ids"]) for continuation in case["continuations"]
    )
    assert isinstance(text, Text)
    assert text.text == model.decode(tuple(case["greedy_ids"]))
    assert answerer.notes() == []


def test_a_left_padded_batch_changes_nothing(base: OriginalQwenVL, expected: Any) -> None:
    names = ("base_image", "base_text_only")
    rows = [inputs(base, asked(CASES[name])) for name in names]
    result = logits(base, rows)[:, -8:]
    for row, name in zip(result, names, strict=True):
        assert np.abs(row.numpy() - expected[f"{name}/logits"]).max() < LIMIT


def test_each_image_stands_at_its_mark(base: OriginalQwenVL) -> None:
    item, two = picture("image_square.png"), picture("image_wide.png")
    made = inputs(base, (Turn("user", "same?", (item, two)),))
    first, second = base.encode([item, two])
    start = base._vocabulary.special["<img>"]
    ids = base.prompt((Turn("user", "same?", (item, two)),), ()).prefix
    assert ids[:6] == (start, IMAGE, start + 1, start, IMAGE, start + 1)
    assert torch.equal(made.embeds[1:257], first)
    assert torch.equal(made.embeds[259:515], second)


def test_a_chat_is_tokenised_piece_by_piece(chat: OriginalQwenVL) -> None:
    image = picture("image_wide.png")
    turns = (
        Turn("user", "who is this?", (image,)),
        Turn("assistant", "a man"),
        Turn("user", "Is he <|im_end|> <img> old?"),
    )
    words = chat._vocabulary
    joint = chat.prompt(turns, ("yes", "no"))

    def said(role: str, content: tuple[int, ...]) -> tuple[int, ...]:
        start, end = words.special["<|im_start|>"], words.special["<|im_end|>"]
        return (start, *words.encode(role), *line, *content, end, *line)

    line = words.encode("\n")
    images = (words.special["<img>"], IMAGE, words.special["</img>"])
    first = (*words.encode("Picture 1:"), *images, *words.encode("\nwho is this?"))
    question = words.encode("Is he <|im_end|> <img> old?")
    assert words.special["<|im_end|>"] not in question
    assert words.special["<img>"] not in question
    assert joint.prefix == (
        *said("system", words.encode(SYSTEM)),
        *said("user", first),
        *said("assistant", words.encode("a man")),
        *said("user", question),
        words.special["<|im_start|>"],
        *words.encode("assistant"),
        *line,
    )
    assert joint.options == (words.encode("yes"), words.encode("no"))
    assert words.special["<|im_end|>"] in chat.ends


def long_logits(model: OriginalQwenVL, row: Inputs, trained: int) -> torch.Tensor:
    """The original's attention beyond the trained length, written out by its formulas."""
    config: Any = model.language_model.config
    decoder: Any = model.language_model.model
    heads, width, length = config.num_attention_heads, config.head_dim, row.length
    alpha = max(2 ** math.ceil(math.log2(length / trained) + 1) - 1, 1)
    base = 10000.0 * alpha ** (width / (width - 2))
    turns = torch.arange(length)[:, None] / base ** (torch.arange(0, width, 2) / width)
    cos, sin = turns.cos().repeat(1, 2), turns.sin().repeat(1, 2)

    def turned(states: torch.Tensor) -> torch.Tensor:
        first, other = states.chunk(2, -1)
        moved: torch.Tensor = states * cos + torch.cat([-other, first], -1) * sin
        return moved

    grow = [max(1.0, math.log(at) / math.log(trained)) for at in range(1, length + 1)]
    hidden = row.embeds
    for layer in decoder.layers:
        normed, self_attn = layer.input_layernorm(hidden), layer.self_attn
        query, key, value = (
            functional.linear(normed, made.weight, made.bias)  # without what hangs on the module
            .view(length, heads, width)
            .transpose(0, 1)
            for made in (self_attn.q_proj, self_attn.k_proj, self_attn.v_proj)
        )
        query = turned(query) * torch.tensor(grow)[:, None]
        weights = query @ turned(key).transpose(1, 2) / width**0.5
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        seen = weights.masked_fill(later, -torch.inf).softmax(-1) @ value
        hidden = hidden + self_attn.o_proj(seen.transpose(0, 1).reshape(length, -1))
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    result: torch.Tensor = model.language_model.lm_head(decoder.norm(hidden))
    return result


@torch.inference_mode()
@pytest.mark.parametrize("trained", [128, 200])
def test_beyond_the_trained_length_both_rules_act(trained: int) -> None:
    model = load(seq_length=trained, use_dynamic_ntk=True, use_logn_attn=True)
    turns = asked(CASES["base_image"])
    row = inputs(model, turns)
    wanted = long_logits(model, row, trained)
    assert (logits(model, [row])[0] - wanted).abs().max() < LIMIT
    plain = load(seq_length=trained, use_dynamic_ntk=False, use_logn_attn=False)
    assert (logits(plain, [row])[0] - wanted).abs().max() > 0.1
    assert not model.shares_prefix(trained + 1)
    assert model.shares_prefix(trained)
    assert plain.shares_prefix(trained + 1)
    # Through the engine a row is as long as prompt and option together.
    request = Request("r", "s", "t", turns, Choose(("yes", "standing up")))
    (response,) = EngineAnswerer(model, Runtime(device="cpu")).answer([request])
    scores = response.result
    assert isinstance(scores, Scores)
    joint = model.prompt(turns, ("yes", "standing up"))
    features = model.connect(model.encode(turns[0].images))
    for value, option in zip(scores.values, joint.options, strict=True):
        full = model.inputs((*joint.prefix, *option), features)
        each = long_logits(model, full, trained).log_softmax(-1)
        start = full.length - len(option) - 1
        total = sum(float(each[start + at, token]) for at, token in enumerate(option))
        assert value == pytest.approx(total, abs=1e-3)


@torch.inference_mode()
def test_an_answer_keeps_the_rotary_base_of_its_prompt() -> None:
    model = load(seq_length=272, use_dynamic_ntk=True, use_logn_attn=True)
    turns = asked(CASES["base_image"])  # 274 positions
    write = Request("w", "s", "t", turns, Generate(4))
    (response,) = EngineAnswerer(model, Runtime(device="cpu")).answer([write])
    row = inputs(model, turns)
    first = int(long_logits(model, row, 272)[-1].argmax())
    assert isinstance(response.result, Text)
    assert response.result.text.startswith(model.decode((first,)))


@torch.inference_mode()
def test_prompts_of_every_length_in_one_batch_are_answered_as_if_alone() -> None:
    """No picture, one, two and three: within the trained length and in both brackets beyond."""
    trained = 272
    model = load(seq_length=trained, use_dynamic_ntk=True, use_logn_attn=True)
    images = (picture("image_square.png"), picture("image_wide.png"), picture("image_square.png"))
    want, texts = Choose(("yes", "standing up", "no")), Generate(4)
    earlier = (Turn("user", "Who?"), Turn("assistant", "a man"))
    chats = [(*earlier, Turn("user", "And here?", images[:count])) for count in range(4)]
    asked_for = [
        Request(f"{kind}{count}", "s", "t", turns, item)
        for count, turns in enumerate(chats)
        for kind, item in (("c", want), ("w", texts))
    ]

    def answers(requests: list[Request], rows: int | None = None) -> dict[str, Any]:
        answerer = EngineAnswerer(model, Runtime(device="cpu", batch_size=rows))
        return {item.request: item.result for item in answerer.answer(requests)}

    together, others = answers(asked_for), answers(asked_for[::-1], 2)
    for count, turns in enumerate(chats):
        alone = answers([asked_for[2 * count]]) | answers([asked_for[2 * count + 1]])
        joint = model.prompt(turns, want.options)
        features = model.connect(model.encode(images[:count])) if count else []
        for value, option in zip(together[f"c{count}"].values, joint.options, strict=True):
            inputs = model.inputs((*joint.prefix, *option), features)
            each = long_logits(model, inputs, trained).log_softmax(-1)
            start = inputs.length - len(option) - 1
            total = sum(float(each[start + at, token]) for at, token in enumerate(option))
            assert value == pytest.approx(total, abs=1e-3)
        for content in (others, alone):
            assert content[f"c{count}"].values == pytest.approx(
                together[f"c{count}"].values, abs=1e-4
            )
            assert content[f"w{count}"] == together[f"w{count}"]


@pytest.mark.parametrize("kind", ["bin", "safetensors"])
def test_sharded_files_are_read_and_pickles_are_not(
    base: OriginalQwenVL, shard: Callable[[Path, str], list[Path]], tmp_path: Path, kind: str
) -> None:
    folder = Path(shutil.copytree(FOLDER, tmp_path / "sharded"))
    files = shard(folder, kind)
    turns = asked(CASES["base_image"])
    split = load(folder)
    assert torch.equal(logits(split, [inputs(split, turns)]), logits(base, [inputs(base, turns)]))
    if kind == "bin":
        torch.save({"x": Path}, files[1])
        with pytest.raises(UserError, match="only plain tensors are read"):
            load(folder)
    files[1].unlink()
    with pytest.raises(UserError, match="1 of 2 weight files are missing"):
        load(folder)


def test_missing_and_foreign_tensors_are_listed_by_module(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(FOLDER, tmp_path / "cut"))
    weights = load_file(folder / "model.safetensors")
    lost = {name: value for name, value in weights.items() if "ln_post" not in name}
    save_file(lost, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"missing:\s+transformer.visual.ln_post \(2\)"):
        load(folder)
    save_file({**weights, "transformer.more.weight": torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(UserError, match=r"not this model's:\s+transformer.more"):
        load(folder)


def test_a_damaged_vocabulary_is_said(tmp_path: Path) -> None:
    lines = (FOLDER / "qwen.tiktoken").read_text().splitlines()
    path = tmp_path / "qwen.tiktoken"
    with pytest.raises(UserError, match="vocabulary file is missing"):
        Vocabulary(tmp_path)
    path.write_text("\n".join([*lines[:5], "?? x", *lines[6:]]))
    with pytest.raises(UserError, match="not a token and its rank") as caught:
        Vocabulary(tmp_path)
    assert str(caught.value.where).endswith("qwen.tiktoken:6")
    path.write_text("\n".join(lines[5:]))
    with pytest.raises(UserError, match="damaged"):
        Vocabulary(tmp_path)
