"""Bunny beyond the shared cases: Phi-2, S2, towers, shots, long tables, and wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_bunny.factory import Bunny
from harness_bunny.towers import KNOWN
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Generate, Request, Scores, Turn
from harness.samples.images import LoadedImage

RUNTIME = Runtime(device="cpu", dtype="float32")
OWN = "model.vision_tower.vision_tower.vision_model."
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)


def load(folder: Path, **options: Any) -> Any:
    return Bunny({"path": str(folder), **options}).load_model(RUNTIME)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def features_by_hand(folder: Path, image: LoadedImage, scales: tuple[int, ...]) -> Any:
    """Return a square picture's features before the projector, tile after tile, cell after cell."""
    import transformers as library

    transformers: Any = library
    config = transformers.SiglipVisionConfig.from_pretrained(folder / "siglip-tiny")
    tower = transformers.SiglipVisionModel(config).eval()
    weights = load_file(folder / "model.safetensors")
    expected = {
        name.removeprefix(OWN): content for name, content in weights.items() if name.startswith(OWN)
    }
    tower.load_state_dict(expected)
    tile, side = scales[0], scales[0] // 14
    large = image.pixels.resize(
        (scales[-1], scales[-1]), library.image_utils.PILImageResampling.BICUBIC
    )
    pixels = torch.tensor(np.array(large)).permute(2, 0, 1)[None] / 255 * 2 - 1
    columns = []
    for scale in scales:
        displayed = torch.nn.functional.interpolate(pixels, (scale, scale), mode="bicubic")
        across = scale // tile
        grid = np.zeros((across * side, across * side, config.hidden_size), np.float32)
        for row in range(across):
            for column in range(across):
                cut = displayed[:, :, row * tile :, column * tile :][:, :, :tile, :tile]
                seen = tower(cut, output_hidden_states=True).hidden_states[-2][0].detach()
                position = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
                grid[position] = seen.reshape(side, side, -1).numpy()
        mean = grid.reshape(side, across, side, across, -1).mean((1, 3))
        columns.append(mean.reshape(side * side, -1))
    return np.concatenate(columns, axis=1)


def logits_by_hand(folder: Path, base: str, pieces: list[str], features: list[Any]) -> Any:
    """Return logits by the parts themselves; the output layer is a product without a bias."""
    import transformers as library

    transformers: Any = library
    weights = load_file(folder / "model.safetensors")
    content = json.loads((folder / "config.json").read_text())
    content = {
        name: value for name, value in content.items() if name not in {"model_type", "rope_scaling"}
    }
    kind = {"llama": "Llama", "phi": "Phi"}[base]
    config = getattr(transformers, f"{kind}Config").from_dict(content)
    body = getattr(transformers, f"{kind}Model")(config).eval()
    names = body.state_dict()
    body.load_state_dict({name: weights[f"model.{name}"] for name in names})
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    parts = []
    for number, piece in enumerate(pieces):
        if number:
            seen = torch.tensor(features[number - 1])
            for layer in (0, 2):
                name = f"model.mm_projector.{layer}"
                seen = seen @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
                seen = torch.nn.functional.gelu(seen) if layer == 0 else seen
            parts.append(seen)
        ids = tokenizer(piece).input_ids[1 if number and base == "llama" else 0 :]
        parts.append(weights["model.embed_tokens.weight"][torch.tensor(ids, dtype=torch.long)])
    hidden = body(inputs_embeds=torch.cat(parts)[None]).last_hidden_state[0].detach()
    return (hidden @ weights["lm_head.weight"].T).numpy()


@pytest.mark.parametrize("base", ["llama", "phi"])
@pytest.mark.parametrize("s2", [False, True])
def test_shots_with_several_pictures_give_the_logits_of_the_parts(
    tiny: Callable[..., Path],
    picture: Callable[..., LoadedImage],
    logits: Callable[..., Any],
    base: str,
    s2: bool,
) -> None:
    folder = tiny(base, s2=s2)
    images = [picture(40, 40), picture(84, 84, 1), picture(90, 90, 2)]
    turns = [
        Turn("user", "Who?", (images[0], images[1])),
        Turn("assistant", "two men"),
        Turn("user", "And here?", (images[2],)),
    ]
    end = "<|end_of_text|>" if base == "llama" else "<|endoftext|>"
    pieces = [
        f"{SYSTEM} USER: ",
        "\n",
        f"\nWho? ASSISTANT: two men{end}USER: ",
        "\nAnd here? ASSISTANT:",
    ]
    scales = (28, 56, 84) if s2 else (28,)
    seen = [features_by_hand(folder, image, scales) for image in images]
    model = load(folder)
    for result, wanted in zip(model.encode(images), seen, strict=True):
        np.testing.assert_allclose(result.numpy(), wanted, atol=2e-5)
    wanted = logits_by_hand(folder, base, pieces, seen)
    np.testing.assert_allclose(logits(model, turns), wanted, atol=2e-4)


def test_a_padded_batch_scores_each_request_as_if_alone(
    tiny: Callable[..., Path], picture: Callable[..., LoadedImage]
) -> None:
    folder = tiny("phi", s2=True)
    want = Choose(("a man", "two women", "no"))
    questions = [
        Request(str(n), "s", "t", (Turn("user", "so " * (9 * n) + "who?", images),), want)
        for n, images in enumerate([(), (picture(30, 30),), (picture(30, 30), picture(9, 9))])
    ]
    answerer = Bunny({"path": str(folder)}).load(RUNTIME)
    together = [response.result for response in answerer.answer(questions)]
    alone = [answerer.answer([request])[0].result for request in questions]
    for first, other in zip(together, alone, strict=True):
        assert isinstance(first, Scores)
        assert isinstance(other, Scores)
        np.testing.assert_allclose(first.values, other.values, atol=1e-4)


def test_the_output_layer_has_no_bias_even_when_a_file_brings_one(
    tiny: Callable[..., Path], logits: Callable[..., Any]
) -> None:
    folder = tiny("phi")
    turns = [Turn("user", "Who?")]
    first = logits(load(folder), turns)
    rewrite(
        folder,
        lambda content: content.update(
            {"lm_head.bias": torch.ones(len(content["lm_head.weight"]))}
        ),
    )
    assert np.array_equal(logits(load(folder), turns), first)


@pytest.mark.parametrize("kind", ["bin", "safetensors"])
def test_shards_give_the_same_logits(
    tiny: Callable[..., Path],
    picture: Callable[..., LoadedImage],
    logits: Callable[..., Any],
    shard: Callable[[Path, str], list[Path]],
    kind: str,
) -> None:
    folder = tiny("phi", s2=True)
    turns = [Turn("user", "Who?", (picture(40, 30),))]
    computed = logits(load(folder), turns)
    files = shard(folder, kind)
    assert np.array_equal(logits(load(folder), turns), computed)
    files[1].unlink()
    with pytest.raises(UserError, match="1 of 2 weight files are missing"):
        load(folder)


def test_words_beyond_the_tokenizer_are_cut_off(
    tiny: Callable[..., Path], logits: Callable[..., Any]
) -> None:
    folder = tiny("phi", extra_words=7)
    model = load(folder)
    assert logits(model, [Turn("user", "Who?")]).shape[1] == len(model.preprocessing.tokenizer)


def test_a_picture_is_padded_only_where_the_config_says_so(
    tiny: Callable[..., Path], picture: Callable[..., LoadedImage]
) -> None:
    folder, wide = tiny("llama"), picture(80, 20)
    padded, resized = load(folder), load(folder, image_aspect="resize")
    assert abs(float(padded.prepare(wide)["pixel_values"][0, :, 0].abs().max())) < 0.01
    assert not torch.equal(
        padded.prepare(wide)["pixel_values"], resized.prepare(wide)["pixel_values"]
    )
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"image_aspect_ratio": None}))
    assert torch.equal(
        load(folder).prepare(wide)["pixel_values"], resized.prepare(wide)["pixel_values"]
    )


def test_a_frozen_tower_with_weights_of_its_own_is_used(
    tiny: Callable[..., Path], picture: Callable[..., LoadedImage]
) -> None:
    folder = tiny("llama", unfreeze_vision_tower=False)
    image = picture(40, 40)
    inside = load(folder).encode([image])[0]
    first = Bunny({"path": str(folder)}).identity(RUNTIME)
    weights = load_file(folder / "model.safetensors")
    expected = {
        f"vision_model.{name.removeprefix(OWN)}": tensor * 1.2
        for name, tensor in weights.items()
        if name.startswith(OWN)
    }
    save_file(expected, folder / "siglip-tiny" / "model.safetensors")
    assert not torch.allclose(load(folder).encode([image])[0], inside, atol=1e-3)
    assert Bunny({"path": str(folder)}).identity(RUNTIME) != first


def test_the_stock_tower_is_known_by_name(tiny: Callable[..., Path]) -> None:
    folder = tiny("llama", mm_vision_tower="google/siglip-so400m-patch14-384")
    about: Any = Bunny({"path": str(folder)}).identity(RUNTIME)
    assert about["tower"] == {"config": dict(KNOWN["siglip-so400m-patch14-384"])}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bunny-qwen2"}, "bunny-qwen2"),
        ({"mm_vision_tower": "absent"}, "vision_tower=FOLDER"),
        ({"mm_vision_tower": None}, "names no vision tower"),
        ({"mm_projector_type": "minigpt"}, "mm_projector_type"),
        ({"use_s2": True, "s2_scales": "28,50"}, "s2_scales must be multiples"),
        ({"use_s2": True, "s2_scales": "many"}, "s2_scales must be multiples"),
        ({"hidden_size": "wide"}, "config"),
    ],
)
def test_a_config_that_is_not_bunnys_is_refused(
    tiny: Callable[..., Path], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load(tiny("llama", **config))


@pytest.mark.parametrize(
    "name", ["model.mm_projector.2.bias", f"{OWN}embeddings.patch_embedding.bias", "lm_head.weight"]
)
def test_missing_and_extra_tensors_are_listed(tiny: Callable[..., Path], name: str) -> None:
    folder = tiny("llama")
    rewrite(folder, lambda content: content.update({f"{name}.extra": content.pop(name)}))
    with pytest.raises(UserError, match=r"is missing:(.|\n)*is not this model's"):
        load(folder)


def test_a_prompt_longer_than_the_context_is_recorded(tiny: Callable[..., Path]) -> None:
    folder = tiny("llama", tokenizer_model_max_length=200)
    request = Request("1", "s", "t", (Turn("user", "so " * 300),), Generate(5))
    (response,) = Bunny({"path": str(folder)}).load(RUNTIME).answer([request])
    assert isinstance(response.result, Failed)
    assert response.result.kind == "prompt_too_long"
