"""LLaVA on the engine: a tower's patch tokens through a projector into a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from harness.descriptors import Json
from harness.engine.chats import Render, tokenize_pieces, tokenize_whole
from harness.engine.contract import PromptError, VisionLanguageModel
from harness.engine.tokens import Ids, Joint
from harness.requests import Turn
from harness.samples.images import LoadedImage
from PIL import Image
from torch import Tensor

Preprocess = Callable[[Image.Image], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Asking:
    """How a checkpoint is asked.

    Attributes:
        tokenizer: The checkpoint's.
        render: A chat to text.
        preprocess: A picture to the tensors that the tower takes.
        image: Id of the tokenizer's image token; ``None`` where the text is cut at images.
        score_eos: Whether an option ends with end-of-sequence.
    """

    tokenizer: Any
    render: Render
    preprocess: Preprocess
    image: int | None
    score_eos: bool


class LlavaModel(VisionLanguageModel):
    """LLaVA-1.5: one square picture, a fixed number of positions.

    Args:
        model: A transformers ``LlavaForConditionalGeneration``.
        asking: How it is asked.
        context: Positions it can take.
        features_key: What an image's features depend on.
    """

    def __init__(
        self, model: Any, asking: Asking, context: int, features_key: Mapping[str, Json]
    ) -> None:
        self.language_model = model
        self.context = context
        self.features_key = features_key
        self.asking = asking
        given = getattr(model.generation_config, "eos_token_id", None)
        several = given if isinstance(given, list) else [given]
        named = (*several, asking.tokenizer.eos_token_id)
        self.ends = frozenset(int(one) for one in named if one is not None)

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids and its options'; see the contract."""
        asking = self.asking
        text = asking.render(turns)
        end = asking.tokenizer.eos_token_id if asking.score_eos else None
        if asking.image is None:
            return tokenize_pieces(asking.tokenizer, text, options, end)
        return tokenize_whole(asking.tokenizer, text, options, end, asking.image)

    def decode(self, ids: Ids) -> str:
        """Return ids as text, without special tokens."""
        text: str = self.asking.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def encode(self, images: Sequence[LoadedImage]) -> list[Tensor]:
        """Return the tower's patch tokens of each image ``(N, D)``, before the projector."""
        shown = [self.pixels(image)["pixel_values"] for image in images]
        config = self.language_model.config
        layers = config.vision_feature_layer
        with torch.inference_mode():
            tower = self.language_model.model.vision_tower
            states = tower(self.placed(torch.cat(shown)), output_hidden_states=True).hidden_states
        wanted = [layers] if isinstance(layers, int) else layers
        found = torch.cat([states[layer] for layer in wanted], dim=-1)
        if config.vision_feature_select_strategy == "default":
            found = found[:, 1:]
        return list(found)

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions ``(N, W)``."""
        projector = self.language_model.model.multi_modal_projector
        with torch.inference_mode():
            return [projector(self.placed(found)) for found in features]

    def pixels(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return a picture as the tower takes it.

        Raises:
            PromptError: when the preprocessing rejects it.
        """
        try:
            return self.asking.preprocess(image.pixels)
        except (ValueError, ZeroDivisionError, OSError) as error:
            size = f"{image.pixels.width} x {image.pixels.height}"
            raise PromptError(
                "image_rejected", f"the preprocessing rejects a picture of {size}: {error}"
            ) from None

    def placed(self, values: Tensor) -> Tensor:
        """Return values where, and in the number type in which, the tower computes."""
        weight = self.language_model.model.multi_modal_projector.linear_1.weight
        return values.to(weight.device, weight.dtype)


class TiledLlavaModel(LlavaModel):
    """LLaVA-NeXT and LLaVA-OneVision: tiles at any resolution, and a token at each line's end.

    Args:
        model: A transformers ``LlavaNextForConditionalGeneration`` or
            ``LlavaOnevisionForConditionalGeneration``.
        asking: How it is asked.
        context: Positions it can take.
        features_key: What an image's features depend on.
    """

    def encode(self, images: Sequence[LoadedImage]) -> list[Tensor]:
        """Return each image's positions ``(T, W)``: transformers' own, packed and projected.

        One picture at a time: their tiles differ in number.
        """
        found = []
        with torch.inference_mode():
            for image in images:
                shown = self.pixels(image)
                features = self.language_model.model.get_image_features(
                    self.placed(shown["pixel_values"]), image_sizes=shown["image_sizes"]
                )
                found.append(features.pooler_output[0])
        return found

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the features: they are projected already."""
        return [self.placed(found) for found in features]
