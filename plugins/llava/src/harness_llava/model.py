"""LLaVA on the engine: a tower's patch tokens through a projector into a language model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from harness.descriptors import Json
from harness.engine.answerer import EngineAnswerer
from harness.engine.chats import Render, spoken, tokenize_pieces, tokenize_whole
from harness.engine.contract import VisionLanguageModel
from harness.engine.images import shown
from harness.engine.prepared import to_weights
from harness.engine.tokenize import Ids, Joint
from harness.requests import Request, Response, Turn
from harness.samples.images import LoadedImage
from PIL import Image
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

Preprocess = Callable[[Any], Mapping[str, Tensor]]
_AMONG_OTHERS = "+others"
PROJECTOR = {
    "mm_projector.0": ("multi_modal_projector.linear_1",),
    "mm_projector.2": ("multi_modal_projector.linear_2",),
}
"""What the original format calls the projector's layers."""
_DIGIT = 256  # whole numbers up to it are exact in every dtype


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a checkpoint is asked.

    Attributes:
        tokenizer: The checkpoint's.
        render: A chat to text.
        preprocess: An image, or nested lists of them, to the tensors that the tower takes.
        image: Id of the tokenizer's image token; ``None`` where the text is cut at images.
        score_eos: Whether an option ends with end-of-sequence.
    """

    tokenizer: Any
    render: Render
    preprocess: Preprocess
    image: int | None
    score_eos: bool


def language_part(model: Any) -> Any:
    """Take the language model out of a transformers LLaVA, as the causal model it is by itself."""
    body = model.model.language_model
    with torch.device("meta"):  # an empty frame: body and head come from the model
        auto: Any = AutoModelForCausalLM
        alone = auto.from_config(body.config)
    setattr(alone, alone.base_model_prefix, body)
    alone.set_output_embeddings(model.lm_head)
    alone.config, alone.generation_config = body.config, model.generation_config
    del model.model.language_model, model.lm_head
    return alone.eval()


class LlavaModel(VisionLanguageModel):
    """LLaVA-1.5: one square image, a fixed number of positions.

    Args:
        model: A transformers ``LlavaForConditionalGeneration``; it is taken apart.
        preprocessing: How it is asked.
        context: Positions it can take.
        features_key: What an image's features depend on.
    """

    one_shape = True
    _takes: tuple[str, ...] = ("pixel_values",)

    def __init__(
        self,
        model: Any,
        preprocessing: Preprocessing,
        context: int,
        features_key: Mapping[str, Json],
    ) -> None:
        self.language_model = language_part(model)
        self.vision = model.model
        self.connector = self.vision.multi_modal_projector
        self.context = context
        self.features_key = features_key
        self.preprocessing = preprocessing
        self.tokenizer = preprocessing.tokenizer
        self.template = getattr(getattr(preprocessing.render, "__self__", None), "source", None)
        end_ids = getattr(model.generation_config, "eos_token_id", None)
        end_list = end_ids if isinstance(end_ids, list) else [end_ids]
        named = (*end_list, preprocessing.tokenizer.eos_token_id)
        self.ends = frozenset(int(one) for one in named if one is not None)

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids and its options'; see the contract."""
        preprocessing = self.preprocessing
        text = preprocessing.render(turns)
        end = preprocessing.tokenizer.eos_token_id if preprocessing.score_eos else None
        if preprocessing.image is None:
            return tokenize_pieces(preprocessing.tokenizer, text, options, end)
        return tokenize_whole(preprocessing.tokenizer, text, options, end, preprocessing.image)

    def decode(self, ids: Ids) -> str:
        """Return ids as text; see the contract."""
        return spoken(self.preprocessing.tokenizer, ids)

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return an image as the tower takes it; see the contract."""
        with shown(image) as pixels:
            inputs = self._preprocess(pixels, among_others=image.key.endswith(_AMONG_OTHERS))
            return {name: inputs[name] for name in self._takes}

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the tower's patch tokens of each image ``(N, D)``, before the projector."""
        return list(self.look(torch.cat([image["pixel_values"] for image in inputs])))

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions ``(N, W)``."""
        projector = self.vision.multi_modal_projector
        return [projector(self.placed(found)) for found in features]

    def look(self, pixels: Tensor) -> Tensor:
        """Return what the tower's chosen layers say ``(B, N, D)`` of pixels ``(B, 3, S, S)``."""
        config = self.vision.config
        layers = config.vision_feature_layer
        tower = self.vision.vision_tower
        states = tower(self.placed(pixels), output_hidden_states=True).hidden_states
        layer_list = [layers] if isinstance(layers, int) else layers
        features = torch.cat([states[layer] for layer in layer_list], dim=-1)
        return features[:, 1:] if config.vision_feature_select_strategy == "default" else features

    def close(self) -> None:
        """Free the weights."""
        super().close()
        self.vision = self.connector = None

    def to(self, device: torch.device) -> None:
        """Move all parts to a device."""
        for part in (self.vision, self.connector, self.language_model):
            part.to(device)

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the tower, what is between, and the language model."""
        return {
            "vision_tower": self.vision.vision_tower,
            "connector": self.connector,
            "language_model": self.language_model,
        }

    def named_parts(self) -> Mapping[str, nn.Module]:
        """Return the parts under the names that transformers' LLaVA has for them."""
        return {
            "language_model": self.language_model,
            "vision_tower": self.vision.vision_tower,
            "multi_modal_projector": self.connector,
        }

    def _preprocess(self, pixels: Image.Image, *, among_others: bool) -> Mapping[str, Tensor]:
        del among_others
        return self.preprocessing.preprocess(pixels)

    def placed(self, values: Tensor) -> Tensor:
        """Return values where, and in the dtype in which, the tower computes."""
        return to_weights(values, self.vision.multi_modal_projector.linear_1.weight)


class TiledLlavaModel(LlavaModel):
    """LLaVA-NeXT and LLaVA-OneVision: tiles at any resolution, and a token at each line's end.

    An image's features are its tiles' patch tokens, and a last row that says how many tiles there
    are and how large the image was.

    Args:
        model: A transformers ``LlavaNextForConditionalGeneration`` or
            ``LlavaOnevisionForConditionalGeneration``.
        preprocessing: How it is asked.
        context: Positions it can take.
        features_key: What an image's features depend on.
    """

    one_shape = False
    _takes = ("pixel_values", "image_sizes")

    def __init__(
        self,
        model: Any,
        preprocessing: Preprocessing,
        context: int,
        features_key: Mapping[str, Json],
    ) -> None:
        super().__init__(model, preprocessing, context, {**features_key, "form": "tiles"})
        self.connector = _Connector(self.vision)

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the patch tokens of each image's tiles ``(tiles x N + 1, D)``.

        One image at a time: their tiles differ in number.
        """
        encoded = []
        for image in inputs:
            tiles = self.look(image["pixel_values"][0])
            numbers = (len(tiles), *image["image_sizes"][0].tolist())
            digits = [digit for number in numbers for digit in divmod(int(number), _DIGIT)]
            last = tiles.new_zeros(1, tiles.shape[-1])
            last[0, : len(digits)] = last.new_tensor(digits)
            encoded.append(torch.cat([tiles.flatten(0, 1), last]))
        return encoded

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions ``(T, W)``: projected, laid together, lines ended."""
        connected = []
        for packed_image in features:
            digits = packed_image[-1, :6].tolist()
            tiles, high, wide = (
                int(high_digit) * _DIGIT + int(low_digit)
                for high_digit, low_digit in zip(digits[::2], digits[1::2], strict=True)
            )
            tile_features = self.placed(packed_image[:-1]).view(tiles, -1, packed_image.shape[-1])
            packed, _ = self.vision.pack_image_features(
                [self.vision.multi_modal_projector(tile_features)],
                torch.tensor([[high, wide]]),
                image_newline=self.connector.image_newline,
                **self._packing,
            )
            connected += packed
        return connected

    @property
    def _packing(self) -> Mapping[str, Any]:
        return {"vision_feature_select_strategy": self.vision.config.vision_feature_select_strategy}


class _Connector(nn.Module):
    """What of a tiled LLaVA is between tower and language model; the model's newline moves here."""

    def __init__(self, vision: Any) -> None:
        super().__init__()
        self.multi_modal_projector = vision.multi_modal_projector
        self.image_newline = vision.image_newline
        del vision.image_newline


class OneVisionModel(TiledLlavaModel):
    """LLaVA-OneVision: an image alone is cut into tiles, one of several is a padded square."""

    @property
    def _packing(self) -> Mapping[str, Any]:
        return {"vision_aspect_ratio": self.vision.config.vision_aspect_ratio}

    def _preprocess(self, pixels: Image.Image, *, among_others: bool) -> Mapping[str, Tensor]:
        if not among_others:
            return super()._preprocess(pixels, among_others=False)
        inputs = self.preprocessing.preprocess([[pixels, pixels]])
        return {
            "pixel_values": inputs["pixel_values"][:1, :1],
            "image_sizes": inputs["image_sizes"][:1],
        }


class OneVisionAnswerer(EngineAnswerer):
    """Tells images that come alone from those that come with others: their features differ."""

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """Answer one block of requests; see the model contract."""
        return super().answer([marked(request) for request in requests])

    def prepare(self, requests: Sequence[Request]) -> None:
        """Begin with images of a block that is asked soon; see the model contract."""
        super().prepare([marked(request) for request in requests])


def marked(request: Request) -> Request:
    """Return a request whose images, when they are several, have keys of their own."""
    if len(request.images) < 2:
        return request
    turns = tuple(
        replace(
            turn,
            images=tuple(replace(image, key=image.key + _AMONG_OTHERS) for image in turn.images),
        )
        for turn in request.turns
    )
    return replace(request, turns=turns)
