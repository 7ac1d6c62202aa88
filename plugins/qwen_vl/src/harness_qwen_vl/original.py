"""The first Qwen-VL and Qwen-VL-Chat, loaded from their original files without their code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from harness.descriptors import Json
from harness.engine.checkpoints import Checkpoint, check_loaded, iterate_tensors, load_pretrained
from harness.engine.contract import IMAGE, VisionLanguageModel
from harness.engine.loading import after_load
from harness.engine.prepared import to_weights
from harness.engine.tokenize import Ids, Joint
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage
from PIL import Image
from torch import Tensor, nn
from transformers import Cache, Qwen2ForCausalLM

from harness_qwen_vl import prompts
from harness_qwen_vl.decoder import LongRows, decoder_config, original_names, rename
from harness_qwen_vl.tower import Tower
from harness_qwen_vl.vocabulary import Vocabulary

assert prompts.IMAGE == IMAGE
_TOWER = "transformer.visual."
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


class OriginalQwenVL(VisionLanguageModel):
    """The model that answers through :class:`harness.engine.answerer.EngineAnswerer`.

    Args:
        checkpoint: The original files.
        chat: Whether chats are written as ChatML (Qwen-VL-Chat).
        space: What stands between ``Picture 1:`` and the image of a ChatML turn.
        score_eos: Whether an option ends with the token that ends an answer.
        device: Where to compute; ``None`` where the weights are loaded to.
        loading: Passed to ``from_pretrained``.
        options: What :func:`harness.engine.loading.after_load` takes.
        features_key: What images' features depend on.
    """

    one_shape = True

    def __init__(  # noqa: PLR0913  named choices
        self,
        checkpoint: Checkpoint,
        *,
        chat: bool,
        space: str = " ",
        score_eos: bool = True,
        device: torch.device | None = None,
        loading: Mapping[str, Any],
        options: Mapping[str, Json] | None = None,
        features_key: Mapping[str, Json] | None = None,
    ) -> None:
        self._chat, self._space = chat, space
        self.features_key = features_key
        self._vocabulary = Vocabulary(checkpoint.folder)
        config = checkpoint.config
        where = str(checkpoint.folder / "config.json")
        small = decoder_config(config, where)
        self.context = int(small.max_position_embeddings)
        if len(self._vocabulary) > small.vocab_size:
            raise UserError(
                f"the vocabulary has {len(self._vocabulary)} tokens, the model "
                f"{small.vocab_size} embeddings",
                where=checkpoint.folder,
            )
        self._tower = _make_tower(config, where)
        words: dict[str, Tensor] = {}
        sight: dict[str, Tensor] = {}
        for name, tensor in iterate_tensors(checkpoint):
            if name.startswith(_TOWER):
                sight[name.removeprefix(_TOWER)] = tensor
            else:
                words[name] = tensor
        self.language_model = load_pretrained(
            Qwen2ForCausalLM,
            checkpoint,
            config=small,
            weights=dict(rename(words.items())),
            **loading,
        )
        if device is not None:
            self.language_model.to(device)
        self._load_tower(sight, checkpoint)
        self.language_model = after_load(
            self.language_model,
            options or {},
            parts={"": self.language_model, _TOWER.removesuffix("."): self._tower},
            also=original_names(int(small.num_hidden_layers)),
        )
        self._long = LongRows(
            self.language_model,
            trained=int(config["seq_length"]),
            logn=bool(config.get("use_logn_attn")),
            ntk=bool(config.get("use_dynamic_ntk")),
        )
        special = self._vocabulary.special
        stops = ("<|im_start|>", "<|im_end|>") if chat else ()
        self.ends = frozenset({self._vocabulary.end, *(special[name] for name in stops)})
        self._end = special["<|im_end|>" if chat else "<|endoftext|>"] if score_eos else None

    def _load_tower(self, weights: Mapping[str, Tensor], checkpoint: Checkpoint) -> None:
        dtype = self.language_model.dtype
        cast = {name: tensor.to(dtype) for name, tensor in weights.items()}
        try:
            report = self._tower.load_state_dict(cast, strict=False, assign=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"the vision tower's weights: {reason}", where=checkpoint.folder
            ) from None
        check_loaded(
            [_TOWER + name for name in report.missing_keys],
            [_TOWER + name for name in report.unexpected_keys],
            checkpoint.folder,
        )
        self._tower.to(self.device).eval().requires_grad_(requires_grad=False)

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        """Return a chat's ids; see the contract."""
        if self._chat:
            joint = prompts.encode_chatml(self._vocabulary, turns, options, self._space)
        else:
            joint = prompts.encode_raw(self._vocabulary, turns, options)
        tail = () if self._end is None else (self._end,)
        return Joint(joint.prefix, tuple((*option, *tail) for option in joint.options))

    def decode(self, ids: Ids) -> str:
        """Return ids as text; tags of boxes are left out, as the original's evaluation does."""
        return self._vocabulary.decode(ids)

    def prepare(self, image: LoadedImage) -> Mapping[str, Tensor]:
        """Return normalised ``pixel_values`` (3, S, S); see the contract."""
        return {"pixel_values": self._pixels(image.pixels)}

    def encode_prepared(self, inputs: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Return the resampler's output (256, W) of each image."""
        pixels = torch.stack([image["pixel_values"] for image in inputs])
        return list(
            self._tower(to_weights(pixels, self.language_model.get_input_embeddings().weight))
        )

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the features: the resampler already speaks the language model's width."""
        return [feature.to(self.device) for feature in features]

    def parts(self) -> Mapping[str, nn.Module]:
        """Return the tower, its resampler included, and the language model."""
        return {"vision_tower": self._tower, "language_model": self.language_model}

    def forward(  # noqa: PLR0913  the contract's
        self,
        embeds: Tensor,
        *,
        mask: Tensor,
        positions: Tensor,
        cache: Cache | None,
        extras: Mapping[str, Tensor],
        keep: int = 0,
    ) -> Tensor:
        """Run the language model; see the contract."""
        self._long.prepare(positions[0], cache)
        return super().forward(
            embeds, mask=mask, positions=positions, cache=cache, extras=extras, keep=keep
        )

    def shares_prefix(self, length: int) -> bool:
        """Whether a row of this many positions is within the trained length.

        Beyond it the rotary base depends on the length of the whole row.
        """
        return not self._long.ntk or length <= self._long.trained

    def close(self) -> None:
        """Free the weights."""
        super().close()
        self._tower.to("meta")

    def _pixels(self, image: Image.Image) -> Tensor:
        """Return normalised pixels (3, S, S); the aspect ratio is not kept, as in the original."""
        size = (self._tower.size, self._tower.size)
        small = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        values = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        values = values.view(*size, 3).permute(2, 0, 1).float() / 255
        return (values - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]


def _make_tower(config: Mapping[str, Any], where: str) -> Tower:
    try:
        with torch.device("meta"):
            tower = Tower(config["visual"])
        matches = int(config["visual"]["output_dim"]) == int(config["hidden_size"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"not a Qwen-VL config: visual: {error}", where=where) from None
    if not matches:
        raise UserError("visual.output_dim is not the language model's hidden_size", where=where)
    return tower
