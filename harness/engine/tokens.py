"""Where an option begins: token ids of prompt and option, tokenised together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Ids = tuple[int, ...]
IMAGE = -1
"""Stands in a prompt's token ids where the positions of one image go."""

Encode = Callable[[str], Sequence[int]]  # text to token ids, without special tokens


@dataclass(frozen=True, slots=True)
class Joint:
    """A prompt's ids up to where the options leave it, and each option's ids from there.

    Attributes:
        prefix: Ids all options share with the prompt.
        options: Ids of each option behind the prefix.
    """

    prefix: Ids
    options: tuple[Ids, ...]


def common_length(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many ids (or other symbols) two sequences share from their start."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


def tokenize_jointly(
    encode: Encode, prompt: str, options: Sequence[str], end: int | None = None
) -> Joint:
    """Tokenise each option behind the prompt and cut where the first one leaves the prompt's ids.

    A tokenizer may merge the prompt's last characters with an option's first ones. Cutting all
    options at the same place, the earliest where any differs, scores every option's whole text.

    Args:
        encode: The tokenizer.
        prompt: Text before the option.
        options: Texts of the options, with whatever stands between prompt and option.
        end: Id added to every option (end of sequence), or ``None``.
    """
    alone = tuple(encode(prompt))
    joint = [tuple(encode(prompt + option)) for option in options]
    cut = min((common_length(alone, ids) for ids in joint), default=len(alone))
    tail = () if end is None else (end,)
    return Joint(alone[:cut], tuple((*ids[cut:], *tail) for ids in joint))
