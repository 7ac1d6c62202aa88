"""Where an option begins: token ids of prompt and option, tokenised together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.requests.request import has_text

Ids = tuple[int, ...]
IMAGE = -1
"""Stands in a prompt's token ids where the positions of one image go."""

Encode = Callable[[str], Sequence[int]]  # text to token ids, without special tokens


class PromptError(Exception):
    """A request this model cannot be asked; becomes a ``Failed`` of that kind, never a crash.

    Args:
        kind: A short stable word, such as ``prompt_format`` or ``image_rejected``.
        message: What is wrong, for the record.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Joint:
    """A prompt's ids up to where the options leave it, and each option's ids from there.

    Attributes:
        prefix: Ids all options share with the prompt.
        options: Ids of each option after the prefix.
    """

    prefix: Ids
    options: tuple[Ids, ...]


def common_length(first: Sequence[object], second: Sequence[object]) -> int:
    """Return how many ids (or other symbols) two sequences share from their start."""
    length = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        length += 1
    return length


def require_text(options: Sequence[str], ids: Sequence[Sequence[object]] | None = None) -> None:
    """Refuse an option that would be scored by nothing, or by its end alone.

    Args:
        options: Texts as sent.
        ids: What each adds to a prompt, without an end; not known yet by default.

    Raises:
        PromptError: naming the option.
    """
    for number, option in enumerate(options, 1):
        named = f"option {number} of {len(options)}, {option!r},"
        if not has_text(option):
            raise PromptError("empty_option", f"{named} has no text")
        if ids is not None and not ids[number - 1]:
            raise PromptError(
                "empty_option",
                f"{named} has no tokens: the model's tokenizer drops all of it; write it otherwise",
            )


def tokenize_jointly(
    encode: Encode, prompt: str, options: Sequence[str], end: int | None = None, gap: str = ""
) -> Joint:
    """Tokenise each option after the prompt and cut where the first one leaves the prompt's ids.

    A tokenizer may merge the prompt's last characters with an option's first ones. Cutting all
    options at the same place, the earliest where any differs, scores every option's whole text.

    Args:
        encode: The tokenizer.
        prompt: Text before the option.
        options: Texts of the options.
        end: Id added to every option (end of sequence), or ``None``.
        gap: What stands between prompt and option.

    Raises:
        PromptError: for an option without text, or one that adds nothing to prompt and gap.
    """
    alone = tuple(encode(prompt))
    before = tuple(encode(prompt + gap)) if gap else alone
    joint = [tuple(encode(prompt + gap + option)) for option in options]
    require_text(options, [() if ids in {alone, before} else ids for ids in joint])
    cut = min((common_length(alone, ids) for ids in joint), default=len(alone))
    tail = () if end is None else (end,)
    return Joint(alone[:cut], tuple((*ids[cut:], *tail) for ids in joint))
