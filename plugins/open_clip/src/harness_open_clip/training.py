"""A dual encoder as ``harness train`` takes it: pairs in, unit vectors with gradients out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from harness.descriptors import Json
from harness.engine.batching import free_memory
from harness.errors import UserError, unknown
from harness.models import Answerer, Runtime
from harness.samples.images import LoadedImage
from harness.training import Pairs
from torch import Tensor, nn
from torch.nn.functional import normalize

from harness_open_clip.answerer import DualEncoderAnswerer
from harness_open_clip.encoders import LoadedEncoder
from harness_open_clip.prompt_array import PromptArray

_MOST_SCALE = 100.0  # as CLIP clips it
_MOST_QUERIES, _MOST_VALUES, _MOST_WIDTH = 4096, 256, 4096


class Adversary(nn.Module):
    """Guesses an image's attribute from its cosines with the queries; its gradient is turned.

    Args:
        settings: ``queries`` (texts), ``attribute``, ``values``, ``hidden`` (width of the two
            hidden layers) and ``strength`` (what the turned gradient is multiplied by).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.queries = tuple(map(str, settings["queries"]))
        self.attribute, self.strength = str(settings["attribute"]), float(settings["strength"])
        self.places = {str(value): at for at, value in enumerate(settings["values"])}
        width = int(settings["hidden"])
        if not (
            0 < len(self.queries) <= _MOST_QUERIES
            and 1 < len(self.places) <= _MOST_VALUES
            and 0 < width <= _MOST_WIDTH
        ):
            raise UserError(
                f"an adversary of {len(self.queries)} queries, {len(self.places)} values and width "
                f"{width} cannot be made",
                fix=f"at most {_MOST_QUERIES} queries, 2 to {_MOST_VALUES} values, width 1 to "
                f"{_MOST_WIDTH}",
            )
        self.layers = nn.Sequential(
            nn.Linear(len(self.queries), width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, len(self.places)),
        )  # fmt: skip

    def forward(self, cosines: Tensor) -> Tensor:
        """Return logits (B, V) of cosines (B, Q)."""
        guesses: Tensor = self.layers(_turned(cosines, self.strength))
        return guesses


def _turned(values: Tensor, strength: float) -> Tensor:
    """Return the same values, whose gradient is turned round and multiplied."""
    return (1 + strength) * values.detach() - strength * values


class TrainableEncoder:
    """A loaded dual encoder that trains; see ``harness_training.pairs.PairEncoder``.

    Args:
        encoder: The encoder.
        templates: Sentences with one ``{}``; an answer is read in the first.
        facts: What vectors depend on beside the image.
    """

    trains = ("lora",)
    features_key = None

    def __init__(
        self, encoder: LoadedEncoder, templates: Sequence[str], facts: Mapping[str, Json]
    ) -> None:
        self._encoder, self._templates, self._facts = encoder, tuple(templates), facts
        self._added: dict[str, nn.Module] = {}

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._encoder.device

    def parts(self) -> Mapping[str, nn.Module]:
        """Return ``encoder`` (both towers), and of ``prompt`` and ``adversary`` what was added."""
        return {"encoder": self._encoder.model, **self._added}

    def add(self, added: Mapping[str, Mapping[str, Json]]) -> None:
        """Make a ``prompt`` (``tokens``: how many) and an ``adversary`` (see :class:`Adversary`).

        Raises:
            UserError: another part, or settings that make none.
        """
        for name, settings in added.items():
            if name in self._added:
                continue
            try:
                if name == "prompt":
                    array = PromptArray(
                        self._encoder.model, int(str(settings["tokens"])), self._encoder.context
                    )
                    self._encoder.prompt = array
                    self._encoder.context -= array.count
                    module: nn.Module = array
                elif name == "adversary":
                    module = Adversary(settings)
                else:
                    raise unknown("part of a dual encoder", name, ("prompt", "adversary"))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"no {name} can be made of its settings: {error!r:.200}") from None
            self._added[name] = module.to(self.device)

    def sentence(self, answer: str) -> str:
        """Return the first template around an answer."""
        return self._templates[0].replace("{}", answer)

    def excess(self, text: str) -> int:
        """Return by how many tokens a text is too long; 0 when it fits."""
        return self._encoder.excess(text)

    def pairs(self, pairs: Sequence[Any]) -> Pairs:
        """Return vectors of images and texts, and what the adversary guesses of each image."""
        opened = [pair.open()[0] for pair in pairs]
        pixels = [self._encoder.prepare(image.pixels) for image in opened]
        images = normalize(self._encoder.images(pixels).float(), dim=-1)
        texts = [pair.text for pair in pairs]
        distinct = list(dict.fromkeys(texts))
        read = normalize(self._encoder.texts(distinct).float(), dim=-1)
        rows = torch.tensor([distinct.index(text) for text in texts], device=self.device)
        guesses, values = self._guesses(images, pairs)
        return Pairs(
            weights=torch.tensor([pair.weight for pair in pairs], device=self.device),
            images=images,
            texts=read[rows],
            same=rows[:, None] == rows[None],
            scale=self._encoder.scale().float().clamp(max=_MOST_SCALE),
            guesses=guesses,
            values=values,
        )

    def _guesses(
        self, images: Tensor, pairs: Sequence[Any]
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        adversary = self._added.get("adversary")
        if not isinstance(adversary, Adversary):
            return None, None
        queries = self._encoder.texts([self.sentence(text) for text in adversary.queries])
        cosines = images @ normalize(queries.float(), dim=-1).T
        values = [adversary.places.get(p.groups.get(adversary.attribute, ""), -1) for p in pairs]
        return adversary(cosines), torch.tensor(values, device=self.device)

    def vision_tower(self) -> tuple[nn.Module, Callable[[Sequence[LoadedImage]], object]]:
        """Return the image side, and what runs it on images; see ``HasTower`` of the models."""
        return self._encoder.vision_tower()

    def answerer(self, runtime: Runtime) -> Answerer:
        """Return what answers by the weights as they are; no vector is kept on disk."""
        return DualEncoderAnswerer(
            self._encoder, self._templates, replace(runtime, cache=None), self._facts
        )

    def close(self) -> None:
        """Free what was loaded."""
        self._encoder.close()
        self._added.clear()
        free_memory()
