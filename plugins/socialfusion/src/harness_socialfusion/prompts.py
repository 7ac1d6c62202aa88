"""How a chat becomes text and token ids. The paper does not say, so every format has a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.engine.chats import MARK, clean
from harness.engine.tokenize import IMAGE, Ids, Joint, PromptError, tokenize_jointly
from harness.errors import UserError
from harness.requests import Turn

from harness_socialfusion.formats import PromptFormat

Tokenizer = Any  # a transformers tokenizer


def render(form: PromptFormat, turns: Sequence[Turn], tokenizer: Tokenizer, first: int = 0) -> str:
    """Return the chat as text that ends where the answer begins, images as one mark each.

    Args:
        form: The format.
        turns: The chat.
        tokenizer: The language model's; its template is used by the format ``chat``.
        first: Images before the first user's turn, beside those the turn holds (training knows
            images by their features alone).

    Raises:
        PromptError: when the chat template refuses the chat.
    """
    counts = [len(turn.images) for turn in turns]
    users = [at for at, turn in enumerate(turns) if turn.role == "user"]
    if users:
        counts[users[0]] += first
    if form.chat:
        messages = [
            {"role": turn.role, "content": MARK * count + clean(turn.text)}
            for turn, count in zip(turns, counts, strict=True)
        ]
        try:
            text: str = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # noqa: BLE001  a template is a program of the checkpoint's
            raise PromptError("prompt_format", f"the chat template refuses: {error}") from None
        return text
    system, parts = "", []
    for turn, count in zip(turns, counts, strict=True):
        if turn.role == "system":
            system += clean(turn.text) + "\n"
        elif turn.role == "user":
            # One pass: braces in a question are text, never a place to fill.
            filled = {
                "image": MARK * count,
                "system": system,
                "text": clean(turn.text),
            }
            parts.append(form.user.format_map(filled))
            system = ""
        else:
            before, after = form.answer
            parts.append(f"{before}{clean(turn.text)}{after}")
    return "".join(parts)


def check_format(form: PromptFormat, tokenizer: Tokenizer) -> None:
    """Refuse the format ``chat`` with a tokenizer that writes no question with an image.

    Raises:
        UserError: saying what its template does.
    """
    if not form.chat:
        return
    problem = ""
    if tokenizer.chat_template is None:
        problem = "the language model's tokenizer has no chat template"
    else:
        try:
            if render(form, [Turn("user", "x")], tokenizer, first=1).count(MARK) != 1:
                problem = "the chat template leaves out a turn's text, and its image, or repeats it"
        except PromptError as error:
            problem = str(error)
    if problem:
        raise UserError(
            problem,
            where=str(tokenizer.name_or_path),
            fix="-o prompt_format=plain or answer_line, or a language model that chats",
        )


def split_tail(text: str) -> tuple[str, str]:
    """Return the text up to and with the last image, and the text after it."""
    head, mark, tail = text.rpartition(MARK)
    return head + mark, tail


def encode_head(text: str, form: PromptFormat, tokenizer: Tokenizer) -> Ids:
    """Return ids of the text up to the last image, begun as the tokenizer begins a text.

    Text between images is tokenised piece by piece; :data:`IMAGE` stands for each image.
    """
    ids: list[int] = []
    if not form.chat and tokenizer.bos_token_id is not None:
        ids.append(tokenizer.bos_token_id)  # a chat template writes its own
    for number, piece in enumerate(text.split(MARK)):
        if number:
            ids.append(IMAGE)
        ids.extend(encode_text(tokenizer, piece))
    return tuple(ids)


def encode_prompt(
    form: PromptFormat, tokenizer: Tokenizer, text: str, options: Sequence[str], *, end: bool
) -> Joint:
    """Return a rendered prompt's ids and, tokenised together with it, those of its answers.

    Args:
        form: The format the prompt was rendered in.
        tokenizer: The language model's.
        text: The rendered prompt.
        options: Answers, as sent.
        end: Whether end-of-sequence belongs to an answer.
    """
    head, tail = split_tail(text)
    joint = tokenize_jointly(
        encoder_of(tokenizer),
        tail,
        options,
        tokenizer.eos_token_id if end else None,
        form.answer[0],
    )
    return Joint((*encode_head(head, form, tokenizer), *joint.prefix), joint.options)


def encode_text(tokenizer: Tokenizer, text: str) -> Ids:
    """Return a text's ids without special tokens of the tokenizer's own."""
    if not text:
        return ()
    return tuple(tokenizer(text, add_special_tokens=False).input_ids)


def encoder_of(tokenizer: Tokenizer) -> Callable[[str], Ids]:
    """Return text-to-ids of a tokenizer."""
    return lambda text: encode_text(tokenizer, text)
