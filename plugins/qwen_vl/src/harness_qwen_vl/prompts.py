"""How the first Qwen-VL and Qwen-VL-Chat write a chat; light, the vocabulary does the ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.engine.tokenize import Ids, Joint, require_text, tokenize_jointly

if TYPE_CHECKING:
    from harness.requests import Turn

    from harness_qwen_vl.vocabulary import Vocabulary

FORMATS = ("raw", "chatml")
IMAGE = -1  # harness.engine.contract.IMAGE, which would bring torch
_SYSTEM = "You are a helpful assistant."
_CUE = "Answer:"


def encode_raw(vocabulary: Vocabulary, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
    """Return ids of the base model's form: images, question, `` Answer:``.

    Source: the original's ``eval_mm`` scripts. Solved examples stand before the question without
    anything between; a question that ends with ``Answer:`` gets no second one.
    """
    ids: list[int] = []
    text = ""
    for turn in turns:
        if turn.images:
            ids += vocabulary.encode(text)
            text = ""
            for _ in turn.images:
                ids += _image(vocabulary)
        if turn.role == "assistant":
            text += f" {turn.text}"
        elif turn.role == "system":
            text += f"{turn.text}\n"
        else:
            text += turn.text if turn.text.endswith(_CUE) else f"{turn.text} {_CUE}"
    joint = tokenize_jointly(vocabulary.encode, text, options, gap=" ")
    return Joint((*ids, *joint.prefix), joint.options)


def encode_chatml(
    vocabulary: Vocabulary, turns: Sequence[Turn], options: Sequence[str], space: str
) -> Joint:
    """Return ids of the chat model's form; each piece of it is tokenised by itself.

    Source: ``make_context`` and ``from_list_format`` of the original. Images are numbered anew in
    each turn.

    Args:
        vocabulary: The tokenizer.
        turns: The chat; without a system turn the original's own stands first.
        options: Answers, as sent.
        space: What stands between ``Picture 1:`` and the image.
    """
    special, encode = vocabulary.special, vocabulary.encode
    start, end, line = special["<|im_start|>"], special["<|im_end|>"], encode("\n")

    def said(role: str, content: Sequence[int]) -> list[int]:
        return [start, *encode(role), *line, *content, end, *line]

    ids: list[int] = []
    if not turns or turns[0].role != "system":
        ids += said("system", encode(_SYSTEM))
    for turn in turns:
        ids += said(turn.role, _content(vocabulary, turn, space))
    ids += [start, *encode("assistant"), *line]
    answers = tuple(encode(option) for option in options)
    require_text(options, answers)
    return Joint(tuple(ids), answers)


def _content(vocabulary: Vocabulary, turn: Turn, space: str) -> list[int]:
    """Return ids of one turn's images and text."""
    ids: list[int] = []
    text = ""
    for number in range(1, len(turn.images) + 1):
        text += f"Picture {number}:{space}"
        ids += [*vocabulary.encode(text), *_image(vocabulary)]
        text = "\n"  # tokenised together with what follows it
    return [*ids, *vocabulary.encode(text + turn.text)]


def _image(vocabulary: Vocabulary) -> Ids:
    return (vocabulary.special["<img>"], IMAGE, vocabulary.special["</img>"])
