"""The original format of LLaVA-1.5: renamed tensors, a tower beside them, squares, vicuna_v1.

Source: haotian-liu/LLaVA at c121f04, ``llava/model``, ``llava/mm_utils.py``,
``llava/conversation.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from harness.descriptors import Json
from harness.engine.chats import Conversation
from harness.engine.checkpoints import (
    Checkpoint,
    iterate_tensors,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
    part_config,
)
from harness.engine.images import pad_to_square
from harness.errors import UserError
from PIL import Image
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from harness_llava.model import LlavaModel, Preprocessing

VICUNA = Conversation(
    end="</s>",
    system="A chat between a curious user and an artificial intelligence assistant. The assistant "
    "gives helpful, detailed, and polite answers to the user's questions.",
)
_TOWER = "model.vision_tower.vision_tower."
_NAMES = {
    "model.mm_projector.0.": "multi_modal_projector.linear_1.",
    "model.mm_projector.2.": "multi_modal_projector.linear_2.",
    "model.": "language_model.model.",
    "lm_head.": "language_model.lm_head.",
}
_STRATEGIES = {"patch": "default", "cls_patch": "full"}


def load(
    source: Checkpoint,
    tower: Checkpoint,
    options: Mapping[str, Any],
    features_key: Mapping[str, Json],
    loading: Mapping[str, Any],
) -> LlavaModel:
    """Return a checkpoint of the original format, not yet moved to a device.

    Args:
        source: The checkpoint.
        tower: Its vision tower.
        options: Parsed options of the descriptor.
        features_key: What an image's features depend on.
        loading: Arguments of ``from_pretrained``.

    Raises:
        UserError: when the config asks for what LLaVA-1.5 has not, or weights do not fit.
    """
    config = _config(source, tower)
    tokenizer = load_tokenizer(source.folder)
    processor = load_image_processor(tower.folder)
    weights = _weights(source, tower)
    model = load_pretrained(
        LlavaForConditionalGeneration, source, config=config, weights=weights, **loading
    )
    aspect = options["image_aspect"]
    pad = aspect == "pad" or (aspect == "auto" and source.config.get("image_aspect_ratio") == "pad")
    form = options.get("conversation")
    preprocessing = Preprocessing(
        tokenizer=tokenizer,
        render=(Conversation(end="</s>") if form == "plain" else VICUNA).render,
        preprocess=partial(square if pad else whole, processor),
        image=None,
        score_eos=bool(options["score_eos"]),
    )
    context_sizes = [model.config.text_config.max_position_embeddings]
    if trained := source.config.get("tokenizer_model_max_length"):
        context_sizes.append(trained)
    return LlavaModel(
        model, preprocessing, options.get("context") or min(context_sizes), features_key
    )


def square(processor: Any, image: Image.Image) -> Mapping[str, Tensor]:
    """Return an image on a square canvas of the mean colour, as the tower takes it."""
    colour = tuple(int(255 * mean) for mean in processor.image_mean)
    return whole(processor, pad_to_square(image, colour))


def whole(processor: Any, image: Image.Image) -> Mapping[str, Tensor]:
    """Return an image as the tower's own processor gives it."""
    inputs: Mapping[str, Tensor] = processor(images=image, return_tensors="pt")
    return inputs


def _config(source: Checkpoint, tower: Checkpoint) -> LlavaConfig:
    """Return the config of transformers' LLaVA that an original one stands for."""
    config = dict(source.config)
    where = source.folder / "config.json"
    for key, allowed in (
        ("model_type", ("llava_llama", "llava")),
        ("mm_projector_type", ("mlp2x_gelu",)),
        ("mm_vision_select_feature", (None, *_STRATEGIES)),
        ("image_aspect_ratio", (None, "pad", "square")),
        ("mm_use_im_start_end", (None, False)),
        ("mm_use_im_patch_token", (None, False)),
    ):
        if config.get(key) not in allowed:
            raise UserError(
                f"{key} is {config.get(key)!r}: only LLaVA-1.5 is supported in the original format",
                where=where,
                fix="give later models in transformers' format (llava-hf on the hub)",
            )
    vision = dict(tower.config.get("vision_config") or tower.config)
    strategy: Any = _STRATEGIES[config.get("mm_vision_select_feature") or "patch"]
    try:
        return LlavaConfig(
            vision_config=part_config(CLIPVisionConfig, vision, tower.folder / "config.json"),
            text_config=part_config(LlamaConfig, config, where),
            vision_feature_layer=int(config.get("mm_vision_select_layer", -2)),
            vision_feature_select_strategy=strategy,
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"the config cannot be read: {error}", where=where) from None


def _weights(source: Checkpoint, tower: Checkpoint) -> dict[str, Tensor]:
    """Return tensors under transformers' names; the tower's from its own checkpoint when frozen."""
    tuned = bool(source.config.get("unfreeze_mm_vision_tower"))
    renamed = {}
    for name, tensor in iterate_tensors(source):
        if name.startswith(_TOWER):
            if tuned:
                renamed[f"vision_tower.{name.removeprefix(_TOWER)}"] = tensor
            continue
        old = next((old for old in _NAMES if name.startswith(old)), "")
        renamed[_NAMES.get(old, "") + name.removeprefix(old)] = tensor
    if not tuned:
        for name, tensor in iterate_tensors(tower):
            if name.startswith("vision_model."):
                renamed[f"vision_tower.{name}"] = tensor
    return renamed
