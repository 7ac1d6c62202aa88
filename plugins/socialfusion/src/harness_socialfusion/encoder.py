"""A frozen open_clip visual encoder: images to patch tokens."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import open_clip
import torch
from harness.descriptors import Json
from harness.errors import UserError
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor, nn

from harness_socialfusion.sources import Source


class VisualEncoder(nn.Module):
    """Patch tokens of one block of an open_clip encoder, without a class token.

    Args:
        source: Where the weights lie.
        layer: Block; -1 is the last.
        norm: Whether the encoder's final norm is applied.
    """

    def __init__(self, source: Source, *, layer: int = -1, norm: bool = True) -> None:
        super().__init__()
        self.visual = _load(source)
        self.visual.requires_grad_(requires_grad=False).eval()
        if not hasattr(self.visual, "forward_intermediates"):
            raise UserError(f"the encoder {source.name!r} does not return its patch tokens")
        self.layer, self.norm = layer, norm
        config = PreprocessCfg(**self.visual.preprocess_cfg)
        self.preprocessing: dict[str, Json] = asdict(config)
        self._prepare: Callable[[Image.Image], Tensor] = image_transform_v2(config, is_train=False)
        with torch.no_grad():
            shape = self._tokens(torch.zeros(1, *self.prepare([Image.new("RGB", (8, 8))])[0].shape))
        self.width = int(shape.shape[1])
        self.grid = (int(shape.shape[2]), int(shape.shape[3]))

    def prepare(self, images: Sequence[Image.Image]) -> Tensor:
        """Return pixels (B, 3, H, W), float32, resized and normalised as the encoder expects."""
        return torch.stack([self._prepare(image) for image in images])

    def forward(self, pixels: Tensor) -> Tensor:
        """Return patch tokens (B, N, D), row by row of the image, of pixels (B, 3, H, W)."""
        return self._tokens(pixels).flatten(2).transpose(1, 2).contiguous()

    def _tokens(self, pixels: Tensor) -> Tensor:
        tokens: Tensor = self.visual.forward_intermediates(
            pixels,
            indices=[self._block()],
            stop_early=True,
            normalize_intermediates=self.norm,
            intermediates_only=True,
            output_fmt="NCHW",
        )["image_intermediates"][0]
        return tokens

    def _block(self) -> int:
        trunk = getattr(self.visual, "trunk", None)
        blocks: Any = getattr(trunk, "blocks", None) or getattr(trunk, "stages", None)
        if trunk is None:
            blocks = self.visual.transformer.resblocks
        count = len(blocks) if blocks is not None else 0
        index = self.layer + count if self.layer < 0 else self.layer
        if count and not 0 <= index < count:
            raise UserError(f"encoder_layer is {self.layer}, and the encoder has {count} blocks")
        return index if count else self.layer

    def train(self, mode: bool = True) -> VisualEncoder:  # noqa: ARG002
        """Stay in evaluation mode: the encoder is frozen."""
        return super().train(mode=False)


def _load(source: Source) -> Any:
    """Return the visual tower alone; the text tower is let go."""
    try:
        with warnings.catch_warnings():
            # open_clip warns of activation choices that the encoder's own configuration makes.
            warnings.simplefilter("ignore", UserWarning)
            if source.folder is not None:
                model = open_clip.create_model(
                    f"local-dir:{source.folder}", require_pretrained=True
                )
            else:
                name, _, tag = source.name.partition(":")
                model = open_clip.create_model(name, pretrained=tag, require_pretrained=True)
    except (RuntimeError, ValueError, OSError, KeyError, TypeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"open_clip cannot load the encoder: {first}", where=source.name) from None
    return model.visual
