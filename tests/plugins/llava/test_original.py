"""The original format beyond the shared cases: shards, tuned towers, shots, and wrong input."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_llava.factory import Llava
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Scores, Turn
from harness.samples.images import LoadedImage

RUNTIME = Runtime(device="cpu", dtype="float32")
TINY = Path(__file__).parents[2] / "conformance" / "checkpoints" / "llava15_original_tiny"
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "copy"))


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def whole_logits(folder: Path, pieces: list[str], images: list[LoadedImage]) -> np.ndarray:
    """Return logits by the parts themselves: tower, projector, language model."""
    import transformers as library

    transformers: Any = library

    weights = {
        name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()
    }
    content = json.loads((folder / "config.json").read_text())
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    config = transformers.LlamaConfig(
        **{key: content[key] for key in keys}, vocab_size=384, rms_norm_eps=1e-5
    )
    language: Any = transformers.LlamaForCausalLM(config)
    language.load_state_dict(
        {name: tensor for name, tensor in weights.items() if "mm_projector" not in name}
    )
    tower: Any = transformers.CLIPVisionModel.from_pretrained(folder / "clip-tiny").float()
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder / "clip-tiny")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    parts = []
    with torch.inference_mode():
        for number, piece in enumerate(pieces):
            if number:
                pixels = processor(images=images[number - 1].pixels, return_tensors="pt")
                seen = tower(**pixels, output_hidden_states=True).hidden_states[-2][0, 1:]
                for layer in (0, 2):
                    name = f"model.mm_projector.{layer}"
                    seen = seen @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
                    seen = torch.nn.functional.gelu(seen) if layer == 0 else seen
                parts.append(seen)
            ids = tokenizer(piece).input_ids[1 if number else 0 :]
            parts.append(language.get_input_embeddings()(torch.tensor(ids, dtype=torch.long)))
        return np.asarray(language.eval()(inputs_embeds=torch.cat(parts)[None]).logits[0])


def test_shots_with_several_pictures_are_spliced_as_the_original_splices_them(
    picture: Callable[..., LoadedImage], logits: Callable[..., Any]
) -> None:
    images = [picture(40, 40), picture(56, 56, 1), picture(70, 70, 2)]
    turns = [
        Turn("user", "Who are they?", (images[0], images[1])),
        Turn("assistant", "two men"),
        Turn("user", "And here?", (images[2],)),
    ]
    pieces = [
        f"{SYSTEM} USER: ",
        "\n",
        "\nWho are they? ASSISTANT: two men</s>USER: ",
        "\nAnd here? ASSISTANT:",
    ]
    model = Llava({"path": str(TINY)}).load_model(RUNTIME)
    wanted = whole_logits(TINY, pieces, images)
    np.testing.assert_allclose(logits(model, turns), wanted, atol=2e-4)


def test_a_padded_batch_of_requests_scores_each_as_if_alone(
    picture: Callable[..., LoadedImage],
) -> None:
    questions = [
        Request(str(n), "s", "t", (Turn("user", "so " * (9 * n) + "who?", images),), want)
        for n, images in enumerate([(), (picture(30, 30),), (picture(30, 30), picture(9, 9))])
        for want in (Choose(("a man", "two women", "no")),)
    ]
    answerer = Llava({"path": str(TINY), "score_eos": False}).load(RUNTIME)
    together = {item.request: item.result for item in answerer.answer(questions)}
    for request in questions:
        images = list(request.images)
        head, tail = f"{SYSTEM} USER: ", f"{request.turns[0].text} ASSISTANT: a man"
        pieces = [head, *["\n"] * len(images)] if images else [head]
        pieces[-1] += tail
        result = torch.tensor(whole_logits(TINY, pieces, images)).log_softmax(-1)
        scores = together[request.id]
        assert isinstance(scores, Scores)
        count = scores.tokens[0]
        tokenizer = Llava({"path": str(TINY)}).load_model(RUNTIME).preprocessing.tokenizer
        last = tokenizer(tail).input_ids[-count:]
        wanted = sum(float(result[at - count - 1, token]) for at, token in enumerate(last))
        assert scores.values[0] == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize("kind", ["bin", "safetensors"])
def test_shards_give_the_same_logits(
    copy: Path,
    picture: Callable[..., LoadedImage],
    logits: Callable[..., Any],
    shard: Callable[[Path, str], list[Path]],
    kind: str,
) -> None:
    shard(copy, kind)
    turns = [Turn("user", "Who?", (picture(40, 30),))]
    result, wanted = (
        logits(Llava({"path": str(path)}).load_model(RUNTIME), turns) for path in (copy, TINY)
    )
    assert np.array_equal(result, wanted)


def test_the_checkpoints_own_tower_counts_only_when_it_was_tuned(
    copy: Path, picture: Callable[..., LoadedImage]
) -> None:
    tower = load_file(copy / "clip-tiny" / "model.safetensors")

    def tune(weights: dict[str, Any]) -> None:
        for name, tensor in tower.items():
            weights[f"model.vision_tower.vision_tower.{name}"] = tensor * 1.25

    rewrite(copy, tune)
    image = picture(40, 30)
    stock = Llava({"path": str(TINY)}).load_model(RUNTIME).encode([image])[0]
    assert torch.equal(Llava({"path": str(copy)}).load_model(RUNTIME).encode([image])[0], stock)
    configure(copy, unfreeze_mm_vision_tower=True)
    (copy / "clip-tiny" / "model.safetensors").unlink()
    tuned = Llava({"path": str(copy)}).load_model(RUNTIME).encode([image])[0]
    assert not torch.allclose(tuned, stock, atol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content.pop("model.mm_projector.0.bias"),
            r"multi_modal_projector.*linear_1",
        ),
        (lambda content: content.update({"model.extra.weight": torch.ones(2)}), "not this model's"),
        (
            lambda content: content.update({"model.norm.weight": torch.ones(3)}),
            r"has the shape \[3\], the config says \[64\]",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    copy: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    rewrite(copy, change)
    with pytest.raises(UserError, match=message):
        Llava({"path": str(copy)}).load_model(RUNTIME)


@pytest.mark.parametrize(
    "change",
    [
        {"mm_projector_type": "linear"},
        {"model_type": "llava_mistral"},
        {"image_aspect_ratio": "anyres"},
        {"mm_use_im_start_end": True},
    ],
)
def test_an_original_that_is_not_llava_1_5_is_refused(copy: Path, change: dict[str, Any]) -> None:
    configure(copy, **change)
    with pytest.raises(UserError, match=r"only LLaVA-1\.5 is supported"):
        Llava({"path": str(copy)}).load_model(RUNTIME)


def test_a_missing_tower_names_the_option_that_gives_one(copy: Path) -> None:
    (copy / "clip-tiny").rename(copy.parent / "elsewhere")
    with pytest.raises(UserError, match="vision_tower=FOLDER"):
        Llava({"path": str(copy)}).identity(RUNTIME)
    arguments = Llava({"path": str(copy), "vision_tower": str(copy.parent / "elsewhere")})
    assert arguments.load_model(RUNTIME).context == 2048


def test_a_prompt_longer_than_the_context_is_recorded(copy: Path) -> None:
    configure(copy, tokenizer_model_max_length=100)
    request = Request("1", "s", "t", (Turn("user", "so " * 60),), Generate(5))
    (response,) = Llava({"path": str(copy)}).load(RUNTIME).answer([request])
    assert isinstance(response.result, Failed)
    assert response.result.kind == "prompt_too_long"
    assert "100" in response.result.message
    (longer,) = Llava({"path": str(copy), "context": 400}).load(RUNTIME).answer([request])
    assert not isinstance(longer.result, Failed)


def test_a_sentencepiece_vocabulary_alone_is_enough(copy: Path) -> None:
    """The released originals bring ``tokenizer.model`` and no ``tokenizer.json``."""
    import sentencepiece

    text = copy / "text.txt"
    text.write_text("\n".join(["USER: how many people are there? ASSISTANT: two men"] * 9))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(copy / "tokenizer"),
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=3,
    )
    for name in ("tokenizer.json", "special_tokens_map.json"):
        (copy / name).unlink()
    entries = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True}
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (copy / "tokenizer_config.json").write_text(json.dumps(entries | names))
    model = Llava({"path": str(copy)}).load_model(RUNTIME)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(copy / "tokenizer.model"))
    for piece in ("\nhow many people? ASSISTANT: two men", "USER: how"):
        ids = model.preprocessing.tokenizer(piece).input_ids
        assert ids == [1, *pieces.encode(piece)]


def test_an_adapter_on_the_language_model_changes_logits_and_identity(
    tmp_path: Path, picture: Callable[..., LoadedImage], logits: Callable[..., Any]
) -> None:
    import peft

    turns = [Turn("user", "Who?", (picture(40, 30),))]
    model = Llava({"path": str(TINY)}).load_model(RUNTIME)
    plain, features = logits(model, turns), model.encode(turns[0].images)[0]
    config = peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    with warnings.catch_warnings():  # peft asks newer transformers by a name that they retired
        warnings.simplefilter("ignore", FutureWarning)
        adapted = peft.get_peft_model(model.language_model, config)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    options = {"path": str(TINY), "adapter": str(tmp_path / "adapter")}
    result = Llava(options).load_model(RUNTIME)
    assert np.abs(logits(result, turns) - plain).max() > 1e-3
    assert torch.equal(result.encode(turns[0].images)[0], features)
    assert Llava(options).identity(RUNTIME) != Llava({"path": str(TINY)}).identity(RUNTIME)
