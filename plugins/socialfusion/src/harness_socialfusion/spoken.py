"""The model as the engine asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from harness.descriptors import Json
from harness.engine.contract import VisionLanguageModel
from harness.engine.tokenize import Ids, Joint
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import Tensor, nn

from harness_socialfusion.formats import FORMATS
from harness_socialfusion.model import SocialFusionModel
from harness_socialfusion.prompts import check_format, encode_prompt, render
from harness_socialfusion.sources import Source


class SpokenModel(VisionLanguageModel):
    """A SocialFusion model as the engine's contract wants it.

    Args:
        model: The model, on its device, in evaluation mode.
        encoder: Where the encoder came from; part of the features' name on disk.
        score_eos: Whether an option's score includes end-of-sequence.
        adapter: Hash of an adapter, which may be for the encoder too.

    Raises:
        UserError: when the language model's chat template, if it is wanted, cannot be used.
    """

    one_shape = True

    def __init__(
        self,
        model: SocialFusionModel,
        *,
        encoder: Source,
        score_eos: bool,
        adapter: Json = None,
    ) -> None:
        self._model = model
        self._form = FORMATS[model.settings.prompt_format]
        check_format(self._form, model.tokenizer)
        self._score_eos = score_eos
        self.tokenizer = model.tokenizer
        self.language_model = model.language_model
        config = model.language_model.config
        self.context = int(getattr(config, "max_position_embeddings", 0) or 1 << 62)
        self.ends = _end_ids(model)
        self.features_key = {
            "encoder": encoder.sha256 or f"{encoder.name} {encoder.revision}",
            "layer": model.settings.encoder_layer,
            "norm": model.settings.encoder_norm,
            "preprocessing": model.encoder.preprocessing,
            "dtype": str(model.dtype),
            **({} if adapter is None else {"adapter": adapter}),
        }

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return ids in the model's prompt format.

        Raises:
            PromptError: for an option without text or tokens.
        """
        tokenizer = self._model.tokenizer
        text = render(self._form, turns, tokenizer)
        return encode_prompt(self._form, tokenizer, text, options, end=self._score_eos)

    def decode(self, ids: Ids) -> str:
        """Return the answer's text, without what the format puts before an answer."""
        text: str = self._model.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text.removeprefix(self._form.answer[0])

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return ``pixel_values`` (1, 3, H, W); see the contract."""
        return {"pixel_values": self._model.encoder.prepare([image.pixels])}

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the frozen encoder's patch tokens of each image."""
        pixels = torch.cat([image["pixel_values"] for image in inputs])
        return list(self._model.encode_pixels(pixels).cpu())

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the connector's positions of each image."""
        return list(self._model.connect(torch.stack(list(features))))

    def parts(self) -> Mapping[str, nn.Module]:
        """Return encoder, connector and language model."""
        return {
            "vision_tower": self._model.encoder,
            "connector": self._model.connector,
            "language_model": self.language_model,
        }

    def close(self) -> None:
        """Free the weights."""
        self._model.to("meta")
        super().close()


def _end_ids(model: SocialFusionModel) -> frozenset[int]:
    """Return the ids that end an answer: the tokenizer's, and the generation config's."""
    config = getattr(model.language_model, "generation_config", None)
    end_ids = getattr(config, "eos_token_id", None)
    end_list = end_ids if isinstance(end_ids, list) else [end_ids]
    return frozenset(
        int(one) for one in (*end_list, model.tokenizer.eos_token_id) if one is not None
    )
