"""A prompt array: learned vectors that stand before every text's tokens, without positions.

Berg et al. A Prompt Array Keeps the Bias Away. AACL 2022; where the vectors stand, and that they
begin as the embedding of token 0, is as in its code (oxai/debias-vision-lang,
``debias_clip/model/model.py``). Encoders whose vector is read at a text's first token keep that
token first, and the array stands after it (ours: the code knows CLIP alone).
"""

from __future__ import annotations

from typing import Any

import torch
from harness.errors import UserError
from torch import Tensor, nn

_FIRST = ("align", "altclip", "chinese_clip", "flava", "vision-text-dual-encoder")
"""Model types of transformers whose text vector is read at the first token."""
_WORDS = ("token_embedding.weight", "word_embeddings.weight")


class PromptArray(nn.Module):
    """Learned vectors in the text side of an encoder, which this puts its hooks into.

    Args:
        model: A model of open_clip, or of transformers.
        count: How many vectors, from 1.
        room: Tokens that a text may take without them.

    Raises:
        UserError: a count that leaves no room for a text, or a text side that takes none.
    """

    def __init__(self, model: Any, count: int, room: int) -> None:
        super().__init__()
        if not 1 <= count <= room - 3:
            raise UserError(f"{count} prompt tokens, where a text has {room}",
                            where="recipe option 'tokens'", fix=f"1 to {room - 3}")  # fmt: skip
        self.count, self._after = count, 0
        model_type = getattr(getattr(model, "config", None), "model_type", None)
        words, positions = _of_transformers(model) if model_type else _of_open_clip(model)
        self._positions = (positions,)  # the model's: in a tuple they are no weight of this module
        self._after = int(model_type in _FIRST)
        # Its values do not depend on the others, so a model that is loaded twice begins alike.
        self.tokens = nn.Parameter(words.detach()[0].float().repeat(count, 1))
        if model_type:
            module = _embeddings(model)
            module.register_forward_hook(self._insert, with_kwargs=True)
        else:
            getattr(model, "text", model).token_embedding.register_forward_hook(self._replace)

    def ids(self, ids: Tensor) -> Tensor:
        """Return token ids (B, T + count): a copy of the first stands where a vector will."""
        first = ids[:, :1].expand(-1, self.count)
        return torch.cat([ids[:, : self._after], first, ids[:, self._after :]], dim=1)

    def mask(self, mask: Tensor) -> Tensor:
        """Return an attention mask (B, T + count) in which every vector is seen."""
        return torch.cat([mask.new_ones(len(mask), self.count), mask], dim=1)

    def _insert(self, module: Any, arguments: Any, named: dict[str, Any], output: Tensor) -> Tensor:
        """Return the embeddings of a text with the vectors among them (transformers)."""
        ids = named["input_ids"] if named.get("input_ids") is not None else arguments[0]
        real = torch.cat([ids[:, : self._after], ids[:, self._after + self.count :]], dim=1)
        rows: Tensor = module.forward(input_ids=real)  # past this hook
        vectors = self.tokens.to(output.dtype).expand(len(rows), -1, -1)
        return torch.cat([rows[:, : self._after], vectors, rows[:, self._after :]], dim=1)

    def _replace(self, module: Any, arguments: Any, output: Tensor) -> Tensor:
        """Return tokens such that, positions added, the vectors have none and texts their own."""
        del module, arguments
        positions = self._positions[0].to(output.dtype)
        length, count = output.shape[1], self.count
        vectors = self.tokens.to(output.dtype) - positions[:count]
        moved = output[:, count:] + positions[: length - count] - positions[count:length]
        return torch.cat([vectors.expand(len(output), -1, -1), moved], dim=1)


def _of_open_clip(model: Any) -> tuple[Tensor, Tensor]:
    """Return embeddings and positions of the text side of a model of open_clip."""
    text = getattr(model, "text", model)
    words, positions = (getattr(text, name, None) for name in _TEXT)
    pools_first = getattr(text, "pool_type", getattr(model, "text_pool_type", "")) == "first"
    has_class = getattr(text, "cls_emb", None) is not None
    if words is None or positions is None or has_class or pools_first:
        raise _takes_none(text)
    return words.weight, positions


_TEXT = ("token_embedding", "positional_embedding")


def _of_transformers(model: Any) -> tuple[Tensor, Tensor]:
    module = _embeddings(model)
    for name, weight in module.named_parameters():
        if name.endswith(_WORDS):
            return weight, weight
    raise _takes_none(model)


def _embeddings(model: Any) -> Any:
    """Return the module that makes token ids a text's embeddings."""
    for name, module in model.named_modules():
        if name.startswith("text_model") and name.endswith("embeddings"):
            return module
    raise _takes_none(model)


def _takes_none(model: Any) -> UserError:
    return UserError(
        f"the text side of this checkpoint ({type(model).__name__}) takes no prompt array",
        fix="CLIP, SigLIP or another of transformers' dual encoders; or --recipe contrastive",
    )
