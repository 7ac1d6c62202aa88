"""Stable Diffusion's safety checker: images near its concepts are not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.packages import versions

from harness_counterfactuals.contract import Score
from harness_counterfactuals.filters.encoder import checkpoint_of

if TYPE_CHECKING:
    from PIL import Image

    from harness_counterfactuals.manifest import About, Row

_ADJUSTED = 0.01  # what the checker adds to every concept near one that needs special care


class Safety:
    """The margin of the checker's nearest concept: over 0 the checker calls an image unsafe."""

    name, version = "safety", "1"

    def __init__(self, options: Mapping[str, Json], about: About) -> None:  # noqa: ARG002
        checkpoint = checkpoint_of(options, self.name, "the folder of the checker")
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from harness.engine.checkpoints import (
            load_image_processor,
            load_pretrained,
            open_checkpoint,
        )
        from harness.engine.weights import user_cache
        from harness.models.devices import resolve_device

        source = open_checkpoint(checkpoint)
        self._processor = load_image_processor(source.folder)
        self._device = resolve_device(str(options["device"]))
        model = load_pretrained(StableDiffusionSafetyChecker, source)
        self._model = model.to(self._device).eval()
        self._most = float(str(options["most"]))
        facts = source.identity(user_cache())
        self.needs = {
            "checkpoint": checkpoint, "device type": self._device.type,
            **{key: str(value) for key, value in sorted(facts.items())},
            **versions("torch", "transformers", "diffusers"),
        }  # fmt: skip

    def score(self, images: Sequence[Image.Image], rows: Sequence[Row]) -> Sequence[Score]:  # noqa: ARG002
        """Return ``margin`` for each image."""
        return [self._score(image) for image in images]

    def _score(self, image: Image.Image) -> Score:
        import torch
        from torch.nn.functional import normalize

        model = self._model
        pixels = self._processor(images=[image], return_tensors="pt").pixel_values
        with torch.inference_mode():
            seen = model.visual_projection(model.vision_model(pixels.to(self._device))[1])
            seen = normalize(seen)
            care = seen @ normalize(model.special_care_embeds).T - model.special_care_embeds_weights
            near = seen @ normalize(model.concept_embeds).T - model.concept_embeds_weights
        # The checker rounds to thousandths before it compares, and so does this.
        adjusted = _ADJUSTED if any(round(float(value), 3) > 0 for value in care[0]) else 0.0
        margin = max(round(float(value) + adjusted, 3) for value in near[0])
        return Score({"margin": margin}, "the safety checker" if margin > self._most else "")
