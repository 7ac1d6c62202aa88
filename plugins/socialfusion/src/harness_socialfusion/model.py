"""The model: frozen encoder, connector, adapted language model, and the loss it is trained with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from harness.engine.prepared import to_weights
from harness.engine.tokenize import IMAGE, Ids
from harness.requests import Turn
from PIL import Image
from torch import Tensor, nn

from harness_socialfusion.connector import Connector
from harness_socialfusion.encoder import VisualEncoder
from harness_socialfusion.formats import FORMATS
from harness_socialfusion.prompts import encode_prompt, render
from harness_socialfusion.settings import FusionSettings


class SocialFusionModel(nn.Module):
    """A language model that sees an image as projected patch tokens among its own.

    A prompt is a sequence of token ids in which ``IMAGE`` stands once for each image.

    Args:
        settings: What the model is made of.
        encoder: The frozen encoder, (B, 3, H, W) to (B, N, D).
        connector: (B, N, D) to (B, T, W).
        language_model: A causal language model of width W, with or without peft adapters.
        tokenizer: Its tokenizer.
    """

    def __init__(
        self,
        settings: FusionSettings,
        encoder: VisualEncoder,
        connector: Connector,
        language_model: Any,
        tokenizer: Any,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = encoder
        self.connector = connector
        self.language_model = language_model
        self.tokenizer = tokenizer

    @property
    def image_tokens(self) -> int:
        """Positions an image takes."""
        return self.connector.tokens

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.connector.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the connector's weights."""
        return next(self.connector.parameters()).dtype

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the frozen encoder's patch tokens (B, N, D) of images: what is worth caching."""
        return self.encode_pixels(self.encoder.prepare(images))

    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """Return the same of pixels (B, 3, H, W) as :meth:`VisualEncoder.prepare` gives them."""
        encoded: Tensor = self.encoder(to_weights(pixels, next(self.encoder.parameters())))
        return encoded

    def connect(self, features: Tensor) -> Tensor:
        """Return positions (B, T, W) of the language model for patch tokens (B, N, D)."""
        connected: Tensor = self.connector(features.to(self.device, self.dtype))
        return connected

    def embed(self, ids: Sequence[int], images: Sequence[Tensor]) -> Tensor:
        """Return embeddings (L, W) of a prompt, its images (T, W) in the order of their marks."""
        tokens = torch.tensor(ids, dtype=torch.long, device=self.device)
        words = self.language_model.get_input_embeddings()(tokens.clamp(min=0))
        parts, start = [], 0
        remaining = iter(images)
        for position, token in enumerate(ids):
            if token == IMAGE:
                parts += [words[start:position], next(remaining).to(words.dtype)]
                start = position + 1
        return torch.cat([*parts, words[start:]])

    def pair(self, turns: Sequence[Turn], answer: str, *, images: int = 1) -> tuple[Ids, Ids]:
        """Return ids of a prompt and of its answer with end-of-sequence, as the answerer has them.

        Args:
            turns: The chat so far, without images.
            answer: The answer's text.
            images: Images that come before the first user's text.
        """
        form = FORMATS[self.settings.prompt_format]
        text = render(form, turns, self.tokenizer, images)
        joint = encode_prompt(form, self.tokenizer, text, [answer], end=True)
        return joint.prefix, joint.options[0]

    def length(self, ids: Sequence[int]) -> int:
        """Return the positions that a prompt takes."""
        return len(ids) + (self.image_tokens - 1) * sum(token == IMAGE for token in ids)

    def log_likelihood(
        self,
        features: Tensor,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
    ) -> tuple[Tensor, Tensor]:
        """Return each answer's summed log-probability (B,) in float32, and its token count (B,).

        Args:
            features: Cached patch tokens (M, N, D) of all images, in the order of their marks.
            prompts: Token ids of B prompts, with M image marks in all.
            answers: Token ids of the B answers, with end-of-sequence where it is to be learnt.
        """
        remaining = iter(self.connect(features))
        rows = []
        for ids in prompts:
            images = [next(remaining) for token in ids if token == IMAGE]
            rows.append(self.embed(ids, images))
        before, answer_length = max(len(row) for row in rows), max(len(ids) for ids in answers)
        # Prompts end, and answers begin, at the same column: padding is at both outer ends.
        width = rows[0].shape[-1]
        aims = torch.zeros(len(rows), answer_length, dtype=torch.long)
        real = torch.zeros(len(rows), answer_length)
        for number, ids in enumerate(answers):
            aims[number, : len(ids)] = torch.tensor(ids)
            real[number, : len(ids)] = 1
        aims, real = aims.to(self.device), real.to(self.device)
        words = self.language_model.get_input_embeddings()(aims)
        embeddings = torch.stack(
            [
                torch.cat([row.new_zeros(before - len(row), width), row, answer_words])
                for row, answer_words in zip(rows, words, strict=True)
            ]
        )
        mask = torch.ones(embeddings.shape[:2], dtype=torch.long, device=self.device)
        for number, row in enumerate(rows):
            mask[number, : before - len(row)] = 0
        mask[:, before:] = real.long()
        logits = self.language_model(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=answer_length + 1,
        ).logits[:, :-1]
        scores = logits.float()
        each = scores.gather(2, aims[..., None]).squeeze(2) - scores.logsumexp(2)
        return (each * real).sum(1), real.sum(1)

    def loss(
        self,
        features: Tensor,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
    ) -> Tensor:
        """Return the mean cross entropy over the batch's answer tokens (a scalar).

        Args:
            features: Cached patch tokens (M, N, D) of all images, in the order of their marks.
            prompts: Token ids of B prompts, with M image marks in all.
            answers: Token ids of the B answers, with end-of-sequence where it is to be learnt.
        """
        likelihood, count = self.log_likelihood(features, prompts, answers)
        return -likelihood.sum() / count.sum()

    def trainable_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the connector's weights and the adapters'."""
        for name, part in (("connector", self.connector), ("language_model", self.language_model)):
            for key, weight in part.named_parameters():
                if weight.requires_grad and (name == "connector" or "lora_" in key):
                    yield weight

    def train(self, mode: bool = True) -> SocialFusionModel:
        """Set training mode; the encoder stays frozen."""
        super().train(mode)
        self.encoder.train(mode=False)
        return self
