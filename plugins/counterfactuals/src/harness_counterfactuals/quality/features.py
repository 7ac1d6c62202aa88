"""Features that FID and KID compare: Inception's as clean-fid computes them, or an encoder's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from harness.errors import UserError
from harness.packages import versions

from harness_counterfactuals.filters.encoder import SharedEncoder

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 299
_FEATURES = 2048


class Network(Protocol):
    """Turns images into features.

    Attributes:
        name: For people.
        settings: Everything that its features depend on, as texts.
    """

    name: str
    settings: dict[str, str]

    def features(self, images: Sequence[Image.Image], hashes: Sequence[str]) -> Any:
        """Return (N, D) float64."""
        ...


class Inception:
    """Inception v3 of the FID authors (TorchScript), resized as Parmar et al. 2022 do.

    Args:
        path: The file ``inception-2015-12-05.pt``.
        device: Such as ``cpu``.

    Raises:
        UserError: no such file, or no such network.
    """

    name = "Inception"

    def __init__(self, path: Path, device: str) -> None:
        import torch
        from harness.engine.weights import hash_file
        from harness.models.devices import resolve_device

        if not path.is_file():
            raise UserError("the file does not exist", where=path,
                            fix="--inception FILE, inception-2015-12-05.pt")  # fmt: skip
        self._device = resolve_device(device)
        try:
            load: Any = torch.jit.load
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the authors' file is TorchScript, which ages
                network = load(str(path), map_location=self._device).eval()
            self._layers = network.layers
        except (RuntimeError, AttributeError, ValueError):
            raise UserError(
                "this is not the TorchScript file of Inception",
                where=path,
                fix="inception-2015-12-05.pt, as clean-fid uses it",
            ) from None
        self.settings = {
            "network": "Inception v3, TorchScript, pool of 2,048",
            "sha256": hash_file(path),
            "resize": "bicubic by Pillow in float32, 299 x 299 (clean-fid, clean)",
            "device type": self._device.type,
            **versions("torch", "pillow"),
        }

    def features(self, images: Sequence[Image.Image], hashes: Sequence[str]) -> Any:  # noqa: ARG002
        """Return the features of the last pool, (N, 2048) float64."""
        import torch

        pixels = np.stack([resized(image) for image in images]).transpose(0, 3, 1, 2)
        with torch.inference_mode():
            batch = (torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device) - 128) / 128
            features = self._layers.forward(batch).view(len(images), _FEATURES)
        return features.double().cpu().numpy()


class EncoderFeatures:
    """A dual encoder's image vectors; distances over them are no published FID."""

    def __init__(self, encoder: SharedEncoder) -> None:
        self._encoder = encoder
        self.name = f"encoder {encoder.identity['encoder']}"
        self.settings = {"network": "unit vectors of a dual encoder", **encoder.identity}

    def features(self, images: Sequence[Image.Image], hashes: Sequence[str]) -> Any:
        """Return unit vectors, times the root of their length: the kernel divides by it."""
        vectors = self._encoder.images(images, hashes)
        return vectors * np.sqrt(vectors.shape[1])


def resized(image: Image.Image) -> Any:
    """Return an image as (299, 299, 3) float32 in [0, 255], channel by channel (clean-fid)."""
    from PIL import Image as Images

    channels = [
        np.asarray(
            Images.fromarray(np.asarray(channel, np.float32)).resize(
                (_SIDE, _SIDE), Images.Resampling.BICUBIC
            )
        )
        for channel in image.split()
    ]
    return np.stack(channels, axis=2).clip(0, 255)
