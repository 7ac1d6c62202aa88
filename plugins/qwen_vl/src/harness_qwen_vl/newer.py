"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL through transformers' own classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from harness.descriptors import Json
from harness.engine.chats import ChatTemplate, find_template, require_images, tokenize_whole
from harness.engine.checkpoints import (
    Checkpoint,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
)
from harness.engine.contract import IMAGE, Inputs, PromptError, VisionLanguageModel
from harness.engine.loading import after_load
from harness.engine.tokenize import Ids, Joint
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import Tensor
from transformers import Cache

_CLASSES = {
    "qwen2_vl": "Qwen2VLForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen3_vl_moe": "Qwen3VLMoeForConditionalGeneration",
}
_DEEP = "deepstack"
_DIGIT = 256  # whole numbers up to it are exact in every dtype


class NewerQwenVL(VisionLanguageModel):
    """The model that answers through :class:`harness.engine.answerer.EngineAnswerer`.

    An image's features are a grid (H, W, D); D holds its position in the language model and, for
    Qwen3-VL, what is added to the first layers' outputs.

    Args:
        checkpoint: A checkpoint in transformers' format.
        pixels: Least and most pixels of an image; ``None`` as the checkpoint says.
        score_eos: Whether an option ends with end-of-sequence.
        device: Where to compute; ``None`` where the weights are loaded to.
        loading: Passed to ``from_pretrained``.
        options: What :func:`harness.engine.loading.after_load` takes.
        features_key: What images' features depend on.
    """

    def __init__(  # noqa: PLR0913  named choices
        self,
        checkpoint: Checkpoint,
        *,
        pixels: tuple[int | None, int | None] = (None, None),
        score_eos: bool = True,
        device: torch.device | None = None,
        loading: Mapping[str, Any],
        options: Mapping[str, Json] | None = None,
        features_key: Mapping[str, Json] | None = None,
    ) -> None:
        kind = _CLASSES[str(checkpoint.config["model_type"])]
        self.features_key = features_key
        self._score_eos = score_eos
        self._tokenizer = load_tokenizer(checkpoint.folder)
        self._processor = load_image_processor(checkpoint.folder)
        _limit(self._processor, *pixels)
        model = load_pretrained(getattr(transformers, kind), checkpoint, **loading)
        if device is not None:
            model.to(device)
        settings = options or {}
        # An adapter changes the layers in place, so the model itself still leads to its parts.
        self.language_model = after_load(model, {"adapter": settings.get("adapter")})
        after_load(model.model.language_model, {"compile": settings.get("compile")})
        self._model = model
        config = model.config
        self._image = int(config.image_token_id)
        token = self._tokenizer.convert_ids_to_tokens(self._image)
        if token not in self._tokenizer.get_added_vocab():
            raise UserError(
                f"the tokenizer has no image token: id {self._image} is {token!r}",
                where=checkpoint.folder,
                fix="give the tokenizer files that belong to the checkpoint",
            )
        template = find_template(checkpoint.folder, self._tokenizer)
        if template is None:
            raise UserError(
                "the checkpoint has no chat template",
                where=checkpoint.folder,
                fix="copy or download chat_template.json or .jinja too",
            )
        self._template = require_images(
            ChatTemplate(self._tokenizer, template, token),
            checkpoint.folder,
            "give the template and the tokenizer of this checkpoint",
        )
        self.tokenizer, self.template = self._tokenizer, template
        self._width = int(config.text_config.hidden_size)
        self._layers = len(getattr(config.vision_config, "deepstack_visual_indexes", ()))
        self.context = int(config.text_config.max_position_embeddings)
        named = getattr(self.language_model.generation_config, "eos_token_id", None)
        end_ids = named if isinstance(named, list) else [named]
        ends = (*end_ids, self._tokenizer.eos_token_id)
        self.ends = frozenset(int(end) for end in ends if end is not None)

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids; see the contract."""
        text = self._template.render(turns)
        end = self._tokenizer.eos_token_id if self._score_eos else None
        return tokenize_whole(self._tokenizer, text, options, end, self._image)

    def decode(self, ids: Ids) -> str:
        """Return ids as text, without special tokens."""
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return patches ``pixel_values`` and ``image_grid_thw`` (1, 3); see the contract."""
        try:
            inputs = self._processor([image.pixels], return_tensors="pt")
        except (ValueError, TypeError, ZeroDivisionError, RuntimeError) as error:
            raise PromptError("image_rejected", f"the image processor refuses: {error}") from None
        return {name: inputs[name] for name in ("pixel_values", "image_grid_thw")}

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return a grid (H, W, D) of each image."""
        grids = torch.cat([image["image_grid_thw"] for image in inputs])
        pixels = torch.cat([image["pixel_values"] for image in inputs])
        features = self._model.model.get_image_features(
            pixels.to(self.device, non_blocking=self.device.type == "cuda"),
            grids.to(self.device),
            return_dict=True,
        )
        parts = [features.pooler_output, *(getattr(features, "deepstack_features", None) or ())]
        merge = int(self._model.model.visual.spatial_merge_size)
        return [
            torch.cat(layers, dim=-1).view(int(grid[1]) // merge, int(grid[2]) // merge, -1)
            for grid, *layers in zip(grids, *parts, strict=True)
        ]

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image as (H W, D + 2): the last two columns hold W, as two digits."""
        connected = []
        for feature in features:
            grid = feature.to(self.device)
            columns = grid.new_tensor(divmod(grid.shape[1], _DIGIT)).expand(*grid.shape[:2], 2)
            connected.append(torch.cat([grid, columns], dim=-1).flatten(0, 1))
        return connected

    def inputs(self, ids: Ids, images: Sequence[Tensor]) -> Inputs:
        """Return embeddings with M-RoPE positions (3, L), and what Qwen3-VL adds in layers."""
        cut_images = [image[:, : self._width] for image in images]
        embeds = super().inputs(ids, cut_images).embeds
        places: list[Tensor] = []
        deep = embeds.new_zeros(len(embeds), self._layers, self._width)
        grids = iter(images)
        at = following = 0
        for token in ids:
            if token != IMAGE:
                places.append(torch.full((3, 1), following))
                at, following = at + 1, following + 1
                continue
            image = next(grids)
            high, wide = _grid(image)
            rows = torch.arange(high).repeat_interleave(wide)
            columns = torch.arange(wide).repeat(high)
            places.append(torch.stack([torch.zeros_like(rows), rows, columns]) + following)
            if self._layers:
                added = image[:, self._width : -2].view(len(image), -1, self._width)
                deep[at : at + len(image)] = added.to(deep.dtype)
            at, following = at + len(image), following + max(high, wide)
        positions = torch.cat(places, dim=1) if places else torch.zeros(3, 0, dtype=torch.long)
        extras = {_DEEP: deep} if self._layers else {}
        return Inputs(embeds, positions.to(embeds.device), following, extras)

    def forward(  # noqa: PLR0913  the contract's
        self,
        embeds: Tensor,
        *,
        mask: Tensor,
        positions: Tensor,
        cache: Cache | None,
        extras: Mapping[str, Tensor],
        keep: int = 0,
    ) -> Tensor:
        """Run the language model; see the contract."""
        more: dict[str, Any] = {}
        if _DEEP in extras:
            deep = extras[_DEEP].flatten(0, 1)  # zero where a position shows no image
            more["visual_pos_masks"] = torch.ones_like(embeds[..., 0], dtype=torch.bool)
            more["deepstack_visual_embeds"] = list(deep.unbind(1))
        model = self._model
        hidden = model.model.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=positions.expand(3, -1, -1),
            past_key_values=cache,
            use_cache=cache is not None,
            **more,
        ).last_hidden_state
        logits: Tensor = model.lm_head(hidden[:, -keep:])  # 0 is all
        return logits

    def close(self) -> None:
        """Free the weights."""
        super().close()
        self._model = None


def _grid(image: Tensor) -> tuple[int, int]:
    """Return rows and columns of an image's positions, as :meth:`NewerQwenVL.connect` wrote."""
    digits = image[0, -2:].tolist()
    wide = int(digits[0]) * _DIGIT + int(digits[1])
    return len(image) // wide, wide


def _limit(processor: Any, least: int | None, most: int | None) -> None:
    """Set the pixels an image may have after resizing."""
    size = dict(processor.size)
    if least is not None:
        size["shortest_edge"] = least
    if most is not None:
        size["longest_edge"] = most
    low, high = int(size["shortest_edge"] or 0), int(size["longest_edge"] or 0)
    if not 0 < low <= high:
        raise UserError(
            f"min_pixels is {low} and max_pixels is {high}",
            fix="give whole numbers above 0, min_pixels the smaller",
        )
    processor.size = type(processor.size)(**size)
