"""A tiny LLaVA of the world's encoder and language model, in transformers' own format.

The tower is the encoder without its last block (LLaVA reads the block before the last), the
language model lacks its last block to stay small; projector and language model are trained.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from harness.engine.chats import Conversation, tokenize_whole
from harness.engine.tokenize import IMAGE
from harness.requests import Turn
from harness.samples.images import LoadedImage
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    CLIPVisionConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from harness_demo_world.training import tokens
from harness_demo_world.training.encoder import MEAN, STD, EncoderSettings, prepare
from harness_demo_world.training.exercises import Exercises, collect
from harness_demo_world.training.fusion import SHARES
from harness_demo_world.training.schedule import Optimiser, portion
from harness_demo_world.training.validation import validate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_A_CHUNK = 200
_IGNORED = -100
_LOG = logging.getLogger(__name__)
_CHAT = Conversation(end="</s>")


@dataclass(frozen=True, slots=True)
class LlavaSettings:
    """Blocks that are kept, and length of the training."""

    tower_layers: int = 3
    text_layers: int = 3
    batch: int = 64
    steps: int = 220
    rate: float = 8e-4


def tower_weights(weights: Mapping[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """Return open_clip's visual weights under the names of transformers' CLIPVisionModel."""
    names = {
        "visual.class_embedding": "embeddings.class_embedding",
        "visual.conv1.weight": "embeddings.patch_embedding.weight",
        "visual.positional_embedding": "embeddings.position_embedding.weight",
    }
    for part, name in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        for kind in ("weight", "bias"):
            names[f"visual.{part}.{kind}"] = f"{name}.{kind}"
    parts = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
             "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}  # fmt: skip
    for layer in range(layers):
        old, new = f"visual.transformer.resblocks.{layer}", f"encoder.layers.{layer}"
        for part, name in parts.items():
            for kind in ("weight", "bias"):
                names[f"{old}.{part}.{kind}"] = f"{new}.{name}.{kind}"
    made = {new: weights[old].float() for old, new in names.items()}
    for layer in range(layers):
        for kind in ("weight", "bias"):
            joined = weights[f"visual.transformer.resblocks.{layer}.attn.in_proj_{kind}"].float()
            for name, piece in zip("qkv", joined.chunk(3), strict=True):
                made[f"encoder.layers.{layer}.self_attn.{name}_proj.{kind}"] = piece
    return made


def build(settings: LlavaSettings, out: Path, seed: int) -> LlavaForConditionalGeneration:
    """Return the model made of the trained parts in `out`, its projector untrained."""
    size = EncoderSettings()
    text = LlamaForCausalLM.from_pretrained(out / "language_model", dtype=torch.float32)
    small = text.config.to_dict() | {"num_hidden_layers": settings.text_layers}
    vision = CLIPVisionConfig(
        hidden_size=size.width,
        intermediate_size=round(size.width * size.mlp_ratio),
        num_hidden_layers=settings.tower_layers,
        num_attention_heads=size.width // size.head_width,
        image_size=96,
        patch_size=size.patch,
        hidden_act="gelu",
        projection_dim=size.embed,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=small,
        image_token_index=tokens.IMAGE_ID,
        projector_hidden_act="gelu",
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(96 // size.patch) ** 2,
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    weights = load_file(out / "encoder" / "open_clip_model.safetensors")
    tower: Any = model.model.vision_tower
    inner = getattr(tower, "vision_model", tower)
    inner.load_state_dict(tower_weights(weights, settings.tower_layers), strict=True)
    text_weights = {name: weight for name, weight in text.model.state_dict().items()
            if not name.startswith(f"layers.{settings.text_layers}.")}  # fmt: skip
    model.model.language_model.load_state_dict(text_weights, strict=True)
    model.tie_weights()
    tower.requires_grad_(requires_grad=False)
    return model


@torch.no_grad()
def features(
    model: LlavaForConditionalGeneration, pixels: Sequence[NDArray[np.uint8]]
) -> torch.Tensor:
    """Return the frozen tower's patch tokens (B, N, D) in half precision."""
    chunks = []
    for low in range(0, len(pixels), _A_CHUNK):
        prepared = prepare(torch.from_numpy(np.stack(pixels[low : low + _A_CHUNK])))
        states = model.model.vision_tower(prepared, output_hidden_states=True).hidden_states
        chunks.append(states[-1][:, 1:].half())
    return torch.cat(chunks)


def pair(tokenizer: Any, question: str, answer: str) -> tuple[list[int], list[int]]:
    """Return ids of a question, IMAGE where the image stands, and of its answer."""
    blank = LoadedImage(Image.new("RGB", (1, 1)), "", "", 1, 1)
    text = _CHAT.render([Turn("user", question, (blank,))])
    joint = tokenize_whole(tokenizer, text, [answer], tokens.EOS_ID, tokens.IMAGE_ID)
    return list(joint.prefix), list(joint.options[0])


def loss(
    model: LlavaForConditionalGeneration,
    features: torch.Tensor,
    pairs: Sequence[tuple[list[int], list[int]]],
) -> torch.Tensor:
    """Return the mean cross entropy over answer tokens; `seen` is (B, N, D)."""
    projected = model.model.multi_modal_projector(features.float())
    words = model.get_input_embeddings()
    rows, aims = [], []
    for image, (prompt, answer) in zip(projected, pairs, strict=True):
        position = prompt.index(IMAGE)
        before, after = prompt[:position], [*prompt[position + 1 :], *answer]
        rows.append(torch.cat([words(torch.tensor(before, dtype=torch.long)), image.float(),
                               words(torch.tensor(after))]))  # fmt: skip
        silent = len(rows[-1]) - len(answer)
        aims.append(torch.tensor([*[_IGNORED] * silent, *answer]))
    inputs = pad_sequence(rows, batch_first=True)
    targets = pad_sequence(aims, batch_first=True, padding_value=_IGNORED)
    # Padding is on the right, so causal attention needs no mask.
    body = model.model.language_model(inputs_embeds=inputs, use_cache=False).last_hidden_state
    answered = targets[:, 1:] != _IGNORED
    scores = model.lm_head(body[:, :-1][answered]).float()
    return functional.cross_entropy(scores, targets[:, 1:][answered])


def train(seed: int, out: Path, workers: int, cache: Path, share: float) -> dict[str, Any]:
    """Train projector and language model, save all under `out`, return the record."""
    del workers
    settings, folder = LlavaSettings(), out / "llava"
    settings = replace(settings, steps=portion(settings.steps, share))
    made = collect(seed, cache, share)
    model = build(settings, out, seed).train()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(out / "language_model")
    made.seen = features(model, made.pixels)
    named = [(name, w) for name, w in model.named_parameters() if w.requires_grad]
    optimiser = Optimiser(named, settings.rate, settings.steps)
    chance = torch.Generator().manual_seed(seed)
    losses: list[dict[str, float]] = []
    for step in range(settings.steps):
        step_losses = _step(model, tokenizer, settings.batch, made, chance)
        optimiser.step()
        if step % 25 == 0 or step == settings.steps - 1:
            losses.append(step_losses)
            _LOG.info("llava step %d of %d: losses %s", step, settings.steps, step_losses)
    save(model, out, folder)
    return {
        "settings": asdict(settings),
        "shares": SHARES,
        "questions": {task: len(asked) for task, asked in made.questions.items()},
        "data": made.fingerprints,
        "trained_parameters": sum(weight.numel() for _, weight in named),
        "losses_every_25": losses,
        "validation": validate("llava", folder, seed, share),
    }


def _step(
    model: LlavaForConditionalGeneration,
    tokenizer: Any,
    batch: int,
    made: Exercises,
    chance: torch.Generator,
) -> dict[str, float]:
    """Add the gradients of one mixed batch, task by task; return the loss of each task."""
    losses: dict[str, float] = {}
    for task, share in SHARES.items():
        questions = made.questions[task]
        rows = torch.randint(len(questions), (max(1, round(batch * share)),), generator=chance)
        chosen = [questions[row] for row in rows.tolist()]
        image_features = made.seen[torch.tensor([picture for picture, _, _ in chosen])]
        with torch.autocast("cpu", torch.bfloat16):
            task_loss = loss(model, image_features, [pair(tokenizer, q, a) for _, q, a in chosen])
        torch.autograd.backward(task_loss * share)
        losses[task] = round(float(task_loss.detach()), 4)
    return losses


def save(model: LlavaForConditionalGeneration, out: Path, folder: Path) -> None:
    """Write the model in half precision with its tokenizer and image preprocessing."""
    halved: Any = model
    # A machine's own path has no place in a file that is handed on.
    halved.config.text_config._name_or_path = ""  # noqa: SLF001
    halved.half().eval().save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(out / "language_model" / name, folder / name)
    config = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": 96, "width": 96},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    text = json.dumps(config, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")
