"""Models that put images among a causal decoder's embeddings, on the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.engine.chats import MARK, tokenize_whole
from harness.engine.contract import VisionLanguageModel
from harness.engine.tokenize import Ids, Joint
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import Tensor, nn

from harness_hf_vlm.chats import Chats, to_device


class SharedModel(VisionLanguageModel):
    """Any such model; an image is what its token becomes when it stands alone.

    Whether that holds is for the caller to check: nothing here knows a family.

    Args:
        model: A transformers model for image-text-to-text.
        chats: Its processor.
        context: Positions it can take.
        score_eos: Whether an option ends with end-of-sequence.
        features_key: What an image's embeddings depend on.

    Raises:
        ValueError: when texts have no image token.
    """

    trains = ("lora",)

    def __init__(
        self,
        model: Any,
        chats: Chats,
        *,
        context: int,
        score_eos: bool,
        features_key: Mapping[str, Json],
    ) -> None:
        self.language_model = model
        self.context = context
        self.features_key = features_key
        self._chats = chats
        self.tokenizer, self.template = chats.tokenizer, chats.template
        if chats.token_id is None:
            raise ValueError("images do not stand in the text")
        self._image = chats.token_id
        self._end = chats.tokenizer.eos_token_id if score_eos else None
        named = model.generation_config.eos_token_id
        end_ids = named if isinstance(named, list) else [named]
        ends = (*end_ids, chats.tokenizer.eos_token_id)
        self.ends = frozenset(int(end) for end in ends if end is not None)

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids and its options'; see the contract."""
        text = self._chats.render(turns)
        with self._chats.lock:
            return tokenize_whole(self._chats.tokenizer, text, options, self._end, self._image)

    def decode(self, ids: Ids) -> str:
        """Return ids as text, without special tokens."""
        return self._chats.decode(ids)

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return what the processor makes of an image's token and the image; see the contract."""
        return self._chats.inputs(MARK, [image], special=False)

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the embeddings ``(T, W)`` that the model itself hands to its decoder."""
        return [self._embeddings(image) for image in inputs]

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the same, where the decoder is."""
        return [feature.to(self.device) for feature in features]

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the decoder without its head; tower and connector are the model's own affair."""
        return {"language_model": self.language_model.get_decoder()}

    def _embeddings(self, image: Mapping[str, Tensor]) -> Tensor:
        inputs = to_device(image, self.language_model)
        captured: list[Tensor] = []

        def take(_module: Any, _arguments: object, named: Mapping[str, Any]) -> None:
            captured.append(named["inputs_embeds"])
            raise _EnoughError

        handle = self.language_model.get_decoder().register_forward_pre_hook(take, with_kwargs=True)
        try:
            self.language_model(**inputs, use_cache=False)
        except _EnoughError:
            pass
        finally:
            handle.remove()
        return captured[0][0].clone()


class _EnoughError(Exception):
    """The decoder is about to run and its input is known."""
