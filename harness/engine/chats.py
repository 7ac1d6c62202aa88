"""Chats as text and ids: named conversations, chat templates, and where images stand in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from harness.engine.tokenize import IMAGE, Ids, Joint, PromptError, common_length, tokenize_jointly
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage

MARK = "\ufffc"
"""The object replacement character: where an image stands in rendered text."""
_FILES = ("chat_template.jinja", "chat_template.json")
_PROBE = LoadedImage(Image.new("RGB", (8, 8)), "", "", 8, 8)

Render = Callable[[Sequence[Turn]], str]  # a chat to text, one mark for an image


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns as ``SYSTEM USER: question ASSISTANT: answer``, the form that Vicuna brought.

    Attributes:
        end: What follows an earlier answer.
        system: The system text of a chat that brings none.
        user: Name of the user.
        assistant: Name of the assistant.
    """

    end: str
    system: str = ""
    user: str = "USER"
    assistant: str = "ASSISTANT"

    def render(self, turns: Sequence[Turn]) -> str:
        """Return a chat as text that ends where the answer begins; a line for each image.

        Raises:
            PromptError: when a system turn does not stand first.
        """
        system, parts = self.system, []
        for at, turn in enumerate(turns):
            text = f"{MARK}\n" * len(turn.images) + clean(turn.text)
            if turn.role == "user":
                parts.append(f"{self.user}: {text} ")
            elif turn.role == "assistant":
                parts.append(f"{self.assistant}: {text}{self.end}")
            elif at:
                raise PromptError("prompt_format", "a system turn must stand first")
            else:
                system = text
        head = f"{system} " if system else ""
        return f"{head}{''.join(parts)}{self.assistant}:"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A checkpoint's own chat template; images stand before the text of their turn.

    Attributes:
        tokenizer: Renders it, in transformers' sandbox.
        source: The template's text.
        image: The tokenizer's image token, which the template writes for an image.
    """

    tokenizer: Any
    source: str
    image: str

    def render(self, turns: Sequence[Turn]) -> str:
        """Return a chat as text that ends where the answer begins.

        Raises:
            PromptError: when the template refuses the chat.
        """
        messages = [
            {
                "role": turn.role,
                "content": [
                    *[{"type": "image"}] * len(turn.images),
                    {"type": "text", "text": clean(turn.text, self.image)},
                ],
            }
            for turn in turns
        ]
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages, chat_template=self.source, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # noqa: BLE001  a template is a program of the checkpoint's
            raise PromptError("prompt_format", f"the chat template refuses: {error}") from None
        return text.replace(self.image, MARK)

    def problem(self) -> str:
        """Return why no question with an image can be written; empty when one can."""
        try:
            rendered = self.render([Turn("user", "x", (_PROBE,))])
        except PromptError as error:
            return str(error)
        if rendered.count(MARK) == 1:
            return ""
        try:
            without_image = self.render([Turn("user", "x")])
        except PromptError:
            without_image = ""
        start = common_length(without_image, rendered)
        after = common_length(without_image[start:][::-1], rendered[start:][::-1])
        piece = rendered[start : len(rendered) - after].replace(MARK, self.image)
        return (
            f"the chat template writes {repr(piece) if piece else 'nothing'} for an image; "
            f"wanted is the model's image token, {self.image!r}, once"
        )


def require_images(template: ChatTemplate, folder: Path, fix: str) -> ChatTemplate:
    """Return a template that writes the image token once for an image.

    Args:
        template: The template.
        folder: The checkpoint's.
        fix: What would help.

    Raises:
        UserError: when it does not; no question about an image could be asked.
    """
    problem = template.problem()
    if problem:
        raise UserError(problem, where=template_file(folder), fix=fix)
    return template


def template_file(folder: Path) -> Path:
    """Return where a checkpoint's chat template stands, for a message."""
    paths = [folder / name for name in (*_FILES, "tokenizer_config.json")]
    return next((path for path in paths if path.is_file()), folder)


def find_template(folder: Path, tokenizer: Any) -> str | None:
    """Return a checkpoint's chat template: the processor's, else the tokenizer's.

    Raises:
        UserError: when its file cannot be read.
    """
    text, table = (folder / name for name in _FILES)
    try:
        if text.is_file():
            return text.read_text(encoding="utf-8")
        table_content = json.loads(table.read_text(encoding="utf-8")) if table.is_file() else {}
        template = table_content.get("chat_template") or tokenizer.chat_template
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"the chat template cannot be read: {error}", where=folder) from None
    return template if isinstance(template, str) else None


def tokenize_pieces(tokenizer: Any, text: str, options: Sequence[str], end: int | None) -> Joint:
    """Tokenise a rendered chat as LLaVA's own code does: each piece between images by itself.

    Every piece is tokenised with the special tokens of a text's start, and those of all but the
    first are dropped.

    Args:
        tokenizer: The language model's.
        text: What a ``render`` returned.
        options: Answers, as sent.
        end: Id after every option, or ``None``.
    """
    head, mark, tail = text.rpartition(MARK)
    ids: list[int] = []
    pieces = head.split(MARK) if mark else []
    for number, piece in enumerate(pieces):
        ids += [*_encode(tokenizer, piece, inner=number > 0), IMAGE]
    joint = tokenize_jointly(
        lambda piece: _encode(tokenizer, piece, inner=bool(mark)), tail, options, end, gap(text)
    )
    return Joint((*ids, *joint.prefix), joint.options)


def tokenize_whole(
    tokenizer: Any, text: str, options: Sequence[str], end: int | None, image: int
) -> Joint:
    """Tokenise a rendered chat as transformers does: in one go, an image token for each image.

    Args:
        tokenizer: The language model's.
        text: What a ``render`` returned.
        options: Answers, as sent.
        end: Id after every option, or ``None``.
        image: Id of the tokenizer's image token.
    """
    token = tokenizer.convert_ids_to_tokens(image)
    begun = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)

    def encode(piece: str) -> Ids:
        return tuple(tokenizer(piece, add_special_tokens=not begun, verbose=False).input_ids)

    written = token.join(clean(piece, token) for piece in text.split(MARK))
    cleaned = [clean(option, token) for option in options]
    joint = tokenize_jointly(encode, written, cleaned, end, gap(text))
    return Joint(tuple(IMAGE if one == image else one for one in joint.prefix), joint.options)


def gap(text: str) -> str:
    """Return what stands between a rendered chat and an answer: a space unless one is there."""
    return "" if text[-1:].isspace() else " "


def spoken(tokenizer: Any, ids: Ids) -> str:
    """Return an answer's ids as text, without special tokens and the space before an answer."""
    text: str = tokenizer.decode(
        list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return text.removeprefix(" ")


def clean(text: str, *tokens: str) -> str:
    """Return a text of a stranger's without what would stand for an image."""
    for token in (MARK, *tokens):
        text = text.replace(token, " ")
    return text


def _encode(tokenizer: Any, piece: str, *, inner: bool) -> Ids:
    ids: Ids = tuple(tokenizer(piece, verbose=False).input_ids)
    return ids[1:] if inner and ids[:1] == (tokenizer.bos_token_id,) else ids
