"""Checkpoints in transformers' format: LLaVA-1.5, LLaVA-NeXT, LLaVA-OneVision."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from harness.descriptors import Json
from harness.engine.chats import ChatTemplate, Conversation, Render, find_template, require_images
from harness.engine.checkpoints import (
    Checkpoint,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
)
from harness.errors import UserError
from transformers import (
    LlavaForConditionalGeneration,
    LlavaNextForConditionalGeneration,
    LlavaOnevisionForConditionalGeneration,
)

from harness_llava.model import LlavaModel, OneVisionModel, Preprocessing, TiledLlavaModel
from harness_llava.original import VICUNA, square, whole

_KINDS = {
    "llava": LlavaForConditionalGeneration,
    "llava_next": LlavaNextForConditionalGeneration,
    "llava_onevision": LlavaOnevisionForConditionalGeneration,
}
_MODELS = {"llava": LlavaModel, "llava_next": TiledLlavaModel, "llava_onevision": OneVisionModel}
_PLAIN = Conversation(end="</s>")


def load(
    source: Checkpoint,
    options: Mapping[str, Any],
    features_key: Mapping[str, Json],
    loading: Mapping[str, Any],
) -> LlavaModel:
    """Return a checkpoint in transformers' format, not yet moved to a device.

    Args:
        source: The checkpoint.
        options: Parsed options of the descriptor.
        features_key: What an image's features depend on.
        loading: Arguments of ``from_pretrained``.

    Raises:
        UserError: when the weights do not fit, the tokenizer has no image token, or the chat
            template does not write it.
    """
    kind = source.config.get("model_type")
    if kind not in _KINDS:
        raise UserError(
            f"the original format of {kind!r} is not read",
            where=source.folder / "config.json",
            fix="give the checkpoint in transformers' format (llava-hf on the hub)",
        )
    tiled = kind != "llava"
    pad = options.get("image_aspect") == "pad"
    if tiled and options.get("image_aspect") not in {None, "auto"}:
        raise UserError(f"image_aspect only applies to LLaVA-1.5; {kind} cuts images into tiles")
    tokenizer = load_tokenizer(source.folder)
    processor = load_image_processor(source.folder)
    model = load_pretrained(_KINDS[kind], source, **loading)
    longest = model.config.text_config.max_position_embeddings
    image = _image_token(model, tokenizer, source)
    preprocessing = Preprocessing(
        tokenizer=tokenizer,
        render=_render(options["conversation"], source, tokenizer, image),
        preprocess=partial(square if pad else whole, processor),
        image=image,
        score_eos=bool(options["score_eos"]),
    )
    return _MODELS[kind](model, preprocessing, int(options.get("context") or longest), features_key)


def _image_token(model: Any, tokenizer: Any, source: Checkpoint) -> int:
    """Return the id of the image token, which the tokenizer must know as one token."""
    image = int(model.config.image_token_id)
    token = tokenizer.convert_ids_to_tokens(image) if image < len(tokenizer) else None
    # Where it lacks, the next added token may have taken its id.
    special_ids = {tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id}
    if token is None or image in special_ids or token not in tokenizer.get_added_vocab():
        raise UserError(
            f"the tokenizer has no image token: the config says id {image}, which is "
            f"{token!r} there",
            where=source.folder,
            fix="give the tokenizer files that belong to the checkpoint",
        )
    return image


def _render(name: str, source: Checkpoint, tokenizer: Any, image: int) -> Render:
    template = find_template(source.folder, tokenizer)
    if name == "vicuna_v1":
        return VICUNA.render
    if name == "plain" or (name == "auto" and template is None):
        return _PLAIN.render
    if template is None:
        raise UserError(
            "the checkpoint has no chat template",
            where=source.folder,
            fix="-o conversation=plain or vicuna_v1",
        )
    chat_template = ChatTemplate(tokenizer, template, tokenizer.convert_ids_to_tokens(image))
    fix = "give the template and the tokenizer of this checkpoint, or -o conversation=plain"
    return require_images(chat_template, source.folder, fix).render
