"""The first Qwen-VL's vocabulary: token ids from ``qwen.tiktoken``, exactly the original's."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from pathlib import Path

import tiktoken
from harness.engine.tokenize import Ids
from harness.errors import UserError

FILE = "qwen.tiktoken"
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_EXTRA = tuple(f"<|extra_{number}|>" for number in range(205))
_BOXES = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>")
_IMAGE = ("<img>", "</img>", "<imgpad>")


class Vocabulary:
    """Text to ids and back.

    Special tokens have the ids after the file's last rank, in a fixed order.

    Args:
        folder: The folder that holds ``qwen.tiktoken``.

    Raises:
        UserError: when the file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        ranks = _read(folder / FILE)
        names = (*_CONTROL, *_EXTRA, *_BOXES, *_IMAGE)
        self.special = {name: len(ranks) + at for at, name in enumerate(names)}
        self._encoding = tiktoken.Encoding(
            "qwen", pat_str=_SPLIT, mergeable_ranks=ranks, special_tokens=self.special
        )
        self.end = self.special["<|endoftext|>"]

    def __len__(self) -> int:
        return self.end + len(self.special)

    def encode(self, text: str, *, control: bool = False) -> Ids:
        """Return a text's ids; tags of boxes are special tokens.

        Args:
            text: What to encode; brought to Unicode's form NFC first.
            control: Whether every special token's name stands for the token. Without it, a name
                such as ``<|im_end|>`` or ``<img>`` in a question stays ordinary text.
        """
        names = set(self.special) if control else set(_BOXES)
        ordinary = unicodedata.normalize("NFC", text)
        return tuple(self._encoding.encode(ordinary, allowed_special=names, disallowed_special=()))

    def decode(self, ids: Ids) -> str:
        """Return ids as text without special tokens."""
        return self._encoding.decode([token for token in ids if token < self.end])


def _read(path: Path) -> dict[bytes, int]:
    """Return bytes to rank; ranks must be 0, 1, 2 ... and hold every single byte."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        raise UserError(
            "the vocabulary file is missing",
            where=path,
            fix="copy or download the checkpoint again",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the vocabulary: {error}", where=path) from None
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise UserError(
                "this line is not a token and its rank", where=f"{path}:{number}"
            ) from None
    consecutive = sorted(ranks.values()) == list(range(len(lines)))
    if not consecutive or any(bytes([value]) not in ranks for value in range(256)):
        raise UserError(
            f"the vocabulary is damaged: {len(lines)} lines, {len(ranks)} different tokens",
            where=path,
            fix="copy or download the file again",
        )
    return ranks
