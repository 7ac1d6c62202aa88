"""A dual encoder that several filters share: loaded once, each set's images encoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError, quoted
from harness.packages import versions

if TYPE_CHECKING:
    from PIL import Image


class SharedEncoder:
    """A loaded dual encoder with what was encoded last.

    Args:
        path: As the model ``open_clip`` takes it.
        device: Such as ``cpu``.

    Attributes:
        identity: What its vectors depend on, as texts.
    """

    def __init__(self, path: str, device: str) -> None:
        from harness.engine.weights import user_cache
        from harness.models.devices import resolve_device, torch_dtype
        from harness_open_clip.encoders import load
        from harness_open_clip.sources import find_encoder

        source = find_encoder(path, None, "auto")
        resolved = resolve_device(device)
        self._encoder = load(source, resolved, torch_dtype("float32"))
        facts = source.identity(user_cache())
        self.identity = {
            "encoder": path,
            **{f"encoder {key}": str(value) for key, value in sorted(facts.items())},
            "device type": resolved.type,
            **versions("torch", "open_clip_torch", "transformers"),
        }
        self._path = path
        self._texts: dict[str, np.ndarray[Any, Any]] = {}
        self._last: tuple[tuple[str, ...], np.ndarray[Any, Any]] = ((), np.empty((0, 0)))

    def images(self, images: Sequence[Image.Image], hashes: Sequence[str]) -> Any:
        """Return unit vectors (N, D) float64 of images; the same images again are not encoded.

        Args:
            images: RGB.
            hashes: A hash of each image.
        """
        import torch

        key = tuple(hashes)
        if key != self._last[0] or not key:
            with torch.inference_mode():
                # One by one: an image gives the same bytes whatever stands beside it.
                vectors = [self._encoder.images([self._encoder.prepare(one)]) for one in images]
                joined = torch.cat(vectors).double().cpu().numpy()
            self._last = key, _unit(joined)
        return self._last[1]

    def texts(self, texts: Sequence[str]) -> Any:
        """Return unit vectors (N, D) float64 of texts.

        Raises:
            UserError: a text is too long for the encoder; nothing is cut.
        """
        import torch

        for text in dict.fromkeys(texts):
            if text in self._texts:
                continue
            if excess := self._encoder.excess(text):
                raise UserError(
                    f"{quoted(text)} has {excess} tokens more than the encoder {self._path} "
                    f"accepts",
                    fix="use another encoder, or shorter prompts",
                )
            with torch.inference_mode():
                vector = self._encoder.texts([text]).double().cpu().numpy()
            self._texts[text] = _unit(vector)[0]
        return np.stack([self._texts[text] for text in texts])

    @property
    def scale(self) -> float:
        """The factor by which the model multiplies cosines before a softmax (its temperature)."""
        scale = getattr(self._encoder._model, "logit_scale", None)  # noqa: SLF001  no public way
        return 100.0 if scale is None else float(scale.detach().exp())


@lru_cache(maxsize=2)
def shared_encoder(path: str, device: str) -> SharedEncoder:
    """Return an encoder; filters that name the same one share it."""
    return SharedEncoder(path, device)


def encoder_of(options: Mapping[str, Json], owner: str) -> SharedEncoder:
    """Return the encoder that options name.

    Raises:
        UserError: they name none, or it cannot be had.
    """
    if not options.get("encoder"):
        raise UserError(
            f"the filter {owner!r} needs a dual encoder",
            fix="options: {encoder: FOLDER, a hub id, or ViT-B-32:openai}",
        )
    return shared_encoder(str(options["encoder"]), str(options["device"]))


def checkpoint_of(options: Mapping[str, Json], owner: str, kind: str) -> str:
    """Return the option ``checkpoint``.

    Raises:
        UserError: it is not given.
    """
    value = options.get("checkpoint")
    if not value:
        raise UserError(f"the filter {owner!r} needs {kind}", fix="options: {checkpoint: PATH}")
    return str(value)


def _unit(vectors: Any) -> Any:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
