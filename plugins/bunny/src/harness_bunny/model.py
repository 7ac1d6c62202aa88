"""Bunny on the engine: SigLIP's patch tokens, at one or several scales, through a projector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from harness.descriptors import Json
from harness.engine.chats import Conversation, spoken, tokenize_pieces
from harness.engine.contract import VisionLanguageModel
from harness.engine.images import pad_to_square, shown
from harness.engine.prepared import to_weights
from harness.engine.tokenize import Ids, Joint
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import Tensor, nn
from torch.nn.functional import interpolate

_LAYER = -2  # the tower's layer, ``siglip_encoder.py``


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a checkpoint is asked.

    Attributes:
        tokenizer: The checkpoint's.
        conversation: How turns become text.
        end: Id after an answer.
        score_eos: Whether an option ends with it.
        processor: SigLIP's image processor.
        pad: Whether images are padded to squares.
        scales: Sizes in pixels at which an image is looked at, smallest first.
    """

    tokenizer: Any
    conversation: Conversation
    end: int
    score_eos: bool
    processor: Any
    pad: bool
    scales: tuple[int, ...]


class BunnyModel(VisionLanguageModel):
    """A loaded Bunny.

    Args:
        language_model: A transformers causal language model.
        tower: A transformers ``SiglipVisionModel``.
        projector: From the tower's width to the language model's.
        preprocessing: How it is asked.
        context: Positions it can take.
        features_key: What an image's features depend on.
    """

    one_shape = True

    def __init__(  # noqa: PLR0913  the parts that a Bunny has
        self,
        language_model: Any,
        tower: Any,
        projector: nn.Module,
        *,
        preprocessing: Preprocessing,
        context: int,
        features_key: Mapping[str, Json],
    ) -> None:
        self.language_model = language_model
        self.tower = tower
        self.projector = projector
        self.preprocessing = preprocessing
        self.tokenizer = preprocessing.tokenizer
        self.context = context
        self.features_key = features_key
        self.ends = frozenset({preprocessing.end})

    def to(self, device: torch.device, *, language_model: bool) -> None:
        """Move the tower and the projector to a device, and the language model if it is wanted."""
        for name, part in self.parts().items():
            if language_model or name != "language_model":
                part.to(device)

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids and its options'; see the contract."""
        text = self.preprocessing.conversation.render(turns)
        end = self.preprocessing.end if self.preprocessing.score_eos else None
        return tokenize_pieces(self.preprocessing.tokenizer, text, options, end)

    def decode(self, ids: Ids) -> str:
        """Return ids as text; see the contract."""
        return spoken(self.preprocessing.tokenizer, ids)

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return ``pixel_values`` (1, 3, S, S), S the largest scale; see the contract."""
        processor, side = self.preprocessing.processor, self.preprocessing.scales[-1]
        with shown(image) as pixels:
            colour = tuple(int(255 * one) for one in processor.image_mean)
            padded = pad_to_square(pixels, colour) if self.preprocessing.pad else pixels
            size = {"height": side, "width": side}
            inputs = processor(images=padded, size=size, return_tensors="pt")
            return {"pixel_values": inputs["pixel_values"]}

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return each image's patch tokens ``(N, scales x D)``, before the projector."""
        return list(self.look(self._placed(torch.cat([image["pixel_values"] for image in inputs]))))

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions ``(N, W)``."""
        return [self.projector(self._placed(found)) for found in features]

    def look(self, pixels: Tensor) -> Tensor:
        """Return patch tokens ``(B, N, scales x D)`` of images ``(B, 3, S, S)``.

        One scale is the tower's own size. With several (S2, ``bunny/util/s2wrapper``), the image
        is resized to each, cut into tiles of the tower's size, the tiles' tokens are laid together,
        averaged to the first scale's grid, and the scales' channels stand side by side.
        """
        tile = self.preprocessing.scales[0]
        per_image = []
        for scale in self.preprocessing.scales:
            sized = pixels
            if scale != pixels.shape[-1]:
                sized = interpolate(pixels.float(), size=(scale, scale), mode="bicubic").to(pixels)
            across = scale // tile
            tiles = [
                sized[..., y * tile : (y + 1) * tile, x * tile : (x + 1) * tile]
                for y in range(across)
                for x in range(across)
            ]
            rows = self._tokens(torch.cat(tiles))  # (across^2 * B, N, D), tile by tile
            side = int(rows.shape[1] ** 0.5)
            grid = rows.transpose(1, 2).reshape(len(rows), -1, side, side)
            parts = grid.chunk(across * across)
            lines = [torch.cat(parts[y * across : (y + 1) * across], dim=-1) for y in range(across)]
            joined = torch.cat(lines, dim=-2)
            if across > 1:
                joined = interpolate(joined.float(), size=(side, side), mode="area").to(joined)
            per_image.append(joined.flatten(2).transpose(1, 2))
        return torch.cat(per_image, dim=-1)

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the tower, the projector and the language model."""
        return {
            "vision_tower": self.tower,
            "connector": self.projector,
            "language_model": self.language_model,
        }

    def named_parts(self) -> Mapping[str, nn.Module]:
        """Return the parts under the names that Bunny's files have for them."""
        return {
            "": self.language_model,
            "model.vision_tower.vision_tower.vision_model": self.tower,
            "model.mm_projector": self.projector,
        }

    def close(self) -> None:
        """Free the weights."""
        super().close()
        self.tower = None
        self.projector = nn.Identity()

    def _tokens(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.tower(pixels, output_hidden_states=True).hidden_states[_LAYER]
        return tokens

    def _placed(self, values: Tensor) -> Tensor:
        return to_weights(values, next(self.projector.parameters()))
