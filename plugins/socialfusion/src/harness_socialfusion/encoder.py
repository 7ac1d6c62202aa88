"""A frozen open_clip visual encoder: images to patch tokens."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from harness.descriptors import Json
from harness.errors import UserError
from PIL import Image
from torch import Tensor, nn

from harness_socialfusion.light.encoder import open_encoder
from harness_socialfusion.sources import Source

Prepare = Callable[[Image.Image], Tensor]


class VisualEncoder(nn.Module):
    """Patch tokens of one block of an open_clip encoder, without a class token.

    Args:
        source: Where the weights lie.
        layer: Block; -1 is the last.
        norm: Whether the encoder's final norm is applied.
        light: Open an encoder of plain shape without open_clip; see :mod:`.light`.
    """

    def __init__(
        self, source: Source, *, layer: int = -1, norm: bool = True, light: bool = False
    ) -> None:
        super().__init__()
        opened = open_encoder(source.folder) if light and source.folder is not None else None
        self.visual: Any
        self.preprocessing: dict[str, Json]
        self._prepare: Prepare
        self.visual, self.preprocessing, self._prepare = opened or _load(source)
        self.visual.requires_grad_(requires_grad=False).eval()
        if not hasattr(self.visual, "forward_intermediates"):
            raise UserError(f"the encoder {source.name!r} does not return its patch tokens")
        self.layer, self.norm = layer, norm
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


def _load(source: Source) -> tuple[Any, dict[str, Json], Prepare]:
    """Return the visual tower alone, its preprocessing as data and as a function."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

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
    config = PreprocessCfg(**model.visual.preprocess_cfg)
    return model.visual, asdict(config), image_transform_v2(config, is_train=False)
