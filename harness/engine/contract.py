"""What a vision-language model plugin supplies; the engine does batching, sharing and scoring.

A plugin subclasses :class:`VisionLanguageModel`. The engine turns every request into a sequence of
symbols, finds what requests share, encodes each distinct image once, reads each distinct prefix
once, and calls :meth:`VisionLanguageModel.forward`; a plugin never sees a batch of requests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache

from harness.descriptors import Json
from harness.engine.tokenize import IMAGE, Ids, Joint, PromptError
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage

__all__ = ["IMAGE", "Inputs", "PromptError", "VisionLanguageModel"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """A prompt as the language model takes it.

    Attributes:
        embeds: ``(L, W)`` embeddings.
        positions: ``(P, L)`` position ids; P is 1, or 3 for multimodal rotary positions.
        following: Position id of whatever comes next.
        extras: More tensors by name, each ``(L, ...)``, sliced along with ``embeds`` and handed
            to :meth:`VisionLanguageModel.forward` (features added in deeper layers); zero for
            tokens of an answer.
    """

    embeds: Tensor
    positions: Tensor
    following: int
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Positions of the prompt."""
        return int(self.embeds.shape[0])


class VisionLanguageModel(ABC):
    """A loaded vision-language model, in evaluation mode on its device.

    Attributes:
        language_model: A transformers causal language model, or one that peft wraps.
        context: Positions the language model can take.
        ends: Ids that end an answer.
        features_key: What an image's features depend on beside its bytes (encoder and weights,
            layer, preprocessing, dtype); ``None`` when they must not be kept on disk.
        tokenizer: The transformers tokenizer, where there is one, and ``template``, the text of the
            chat template in use: their markers say what in an answer is reasoning.
        trains: Parts that train when nobody says which: of those in :meth:`parts`, and ``lora``.
        one_shape: Whether the encoder sees every image in one shape, so that it may be given
            several at once on a CPU (where each has the bytes that it has alone, which is checked).
    """

    language_model: Any
    context: int
    ends: frozenset[int]
    features_key: Mapping[str, Json] | None = None
    tokenizer: Any = None
    template: str | None = None
    trains: tuple[str, ...] = ("connector", "lora")
    one_shape: bool = False

    @abstractmethod
    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids and, tokenised together with it, those of its options.

        Depends on roles, texts and the number of images of each turn alone, so the engine asks
        once for equal chats. ``Joint.prefix`` holds :data:`IMAGE` once for each image, in order; it
        ends where the first option leaves the prompt's own tokenisation
        (:func:`.tokenize.tokenize_jointly`).

        Raises:
            PromptError: when this model cannot be asked so.
        """

    @abstractmethod
    def decode(self, ids: Ids) -> str:
        """Return ids as text, without special tokens."""

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return what the encoder takes of an image: resized, padded, normalised, on the CPU.

        Optional: a model has this and :meth:`encode_prepared`, or :meth:`encode` alone. Depends on
        the image alone. Runs ahead of the encoder, in other threads, on several images at once.

        Raises:
            PromptError: for an image the preprocessing rejects.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither prepare nor encode")

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return what :meth:`encode` does, of what :meth:`prepare` gave for each image."""
        raise NotImplementedError(f"{type(self).__name__} has prepare, but no encode_prepared")

    def encode(self, images: Sequence[LoadedImage]) -> list[Tensor]:
        """Return what the vision encoder says of each image ``(N, ...)``; shapes may differ.

        What is frozen and worth keeping on disk. The engine asks for each distinct image once. An
        image's result must not depend on the others beyond rounding. Whether gradients are kept is
        the caller's choice.

        Raises:
            PromptError: for an image the preprocessing rejects.
        """
        return self.encode_prepared([self.prepare(image) for image in images])

    @abstractmethod
    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions in the language model ``(T, W)``."""

    def inputs(self, ids: Ids, images: Sequence[Tensor]) -> Inputs:
        """Return a prompt's embeddings, its images ``(T, W)`` put where :data:`IMAGE` stands.

        Each id takes one position and each image T. What is returned for a position depends on
        what stands before it alone: the engine cuts prompts and joins them.
        """
        words = self.embed(torch.tensor(ids, dtype=torch.long, device=self.device).clamp(min=0))
        parts, start = [], 0
        remaining = iter(images)
        for at, token in enumerate(ids):
            if token == IMAGE:
                parts += [words[start:at], next(remaining).to(words.dtype)]
                start = at + 1
        embeds = torch.cat([*parts, words[start:]])
        length = int(embeds.shape[0])
        return Inputs(embeds, torch.arange(length, device=embeds.device)[None], length)

    def embed(self, ids: Tensor) -> Tensor:
        """Return the embeddings ``(..., W)`` of token ids ``(...)``, none of them an image."""
        words: Tensor = self.language_model.get_input_embeddings()(ids)
        return words

    def forward(  # noqa: PLR0913  what a decoder step is made of
        self,
        embeds: Tensor,
        *,
        mask: Tensor,
        positions: Tensor,
        cache: Cache | None,
        extras: Mapping[str, Tensor],
        keep: int = 0,
    ) -> Tensor:
        """Run the language model and return logits ``(B, K, V)``.

        What comes out must depend on ``positions`` and ``mask``, never on where in the row (padding
        and other branches stand there too) or in which batch a position is.

        Args:
            embeds: ``(B, T, W)``.
            mask: ``(B, S)`` 1 where a position of cache and input holds something, or an additive
                ``(B, 1, T, S)`` mask.
            positions: ``(P, B, T)``.
            cache: Keys and values before these positions, extended in place; ``None`` when nothing
                stands before and nothing comes after.
            extras: As in :class:`Inputs`, each ``(B, T, ...)``.
            keep: The last K positions' logits are wanted; 0 for all.
        """
        if extras:
            raise ValueError(f"this model takes no extra inputs, was given {sorted(extras)}")
        logits: Tensor = self.language_model(
            inputs_embeds=embeds,
            attention_mask=mask,
            position_ids=positions[0] if len(positions) == 1 else positions,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=keep,
        ).logits
        return logits

    def parts(self) -> Mapping[str, nn.Module]:
        """Return ``vision_tower``, ``connector`` and ``language_model``, as far as there are such.

        What trains, and what a probe looks into. No two share a weight.
        """
        return {"language_model": self.language_model}

    def vision_tower(self) -> tuple[nn.Module, Callable[[Sequence[LoadedImage]], object]]:
        """Return the vision tower, and what runs it on images; see ``HasTower`` of the models.

        Raises:
            UserError: :meth:`parts` names none.
        """
        parts = self.parts()
        if "vision_tower" not in parts:
            raise UserError(
                "the model has no separate vision tower",
                fix=f"its parts: {', '.join(sorted(parts))}",
            )
        return parts["vision_tower"], self.encode

    @property
    def end(self) -> int:
        """The id that ends an answer in training: the least of :attr:`ends`, unless overridden."""
        return min(self.ends)

    def shares_prefix(self, length: int) -> bool:
        """Whether a prompt of this many positions may be read apart from what follows it.

        False where what follows a position changes it (rotary scaling by row length); such a
        prompt is computed again with each of its options, in rows of one length without padding.
        """
        del length
        return True

    @property
    def device(self) -> torch.device:
        """Where the language model's embeddings are."""
        device: torch.device = self.language_model.get_input_embeddings().weight.device
        return device

    def close(self) -> None:
        """Free the weights."""
        self.language_model = None
