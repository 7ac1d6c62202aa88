"""What a chat becomes: text by the chat template, tensors by the processor, options after it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import torch
from harness.engine.chats import MARK, ChatTemplate, clean, gap, template_file
from harness.engine.images import check_shape
from harness.engine.tokenize import Ids, PromptError, require_text, tokenize_jointly
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import Tensor

_OWN_PLACES = {"blip-2", "instructblip", "florence2"}
"""Processors that put images before the text themselves."""


class Chats:
    """A processor with its chat template.

    Args:
        processor: transformers' processor of the checkpoint.
        config: The model's config.
        template: Source of the chat template; ``None`` when there is none.
        form: ``template``, ``plain`` or ``question``.
        separate: Whether answers are tokenised by themselves (encoder and decoder).
        score_eos: Whether an option ends with end-of-sequence.
        folder: The checkpoint's, for messages.

    Raises:
        UserError: when the tokenizer has no image token or the template shows no image.
    """

    def __init__(  # noqa: PLR0913  named choices
        self,
        processor: Any,
        config: Any,
        *,
        template: str | None,
        form: str,
        separate: bool,
        score_eos: bool,
        folder: Path,
    ) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.separate = separate
        # A tokenizer serves one thread at a time: images are prepared in others.
        self.lock = RLock()
        self.template = template if form == "template" else None
        self._form = form
        self._end = self.tokenizer.eos_token_id if score_eos else None
        self._tokens = _image_tokens(processor, config)
        self.token: str | None = None
        self._template: ChatTemplate | None = None
        if form == "template":
            assert template is not None
            self._template, self.token = _placed(self.tokenizer, template, self._tokens, folder)
        elif config.model_type not in _OWN_PLACES:
            self.token = self._tokens[0] if self._tokens else None
            if self.token is None:
                raise _no_place(processor, config, folder)

    @property
    def token_id(self) -> int | None:
        """Id of the text's image token."""
        return None if self.token is None else int(self._id(self.token))

    def render(self, turns: Sequence[Turn]) -> str:
        """Return a chat as text that ends where the answer begins, one mark for an image.

        Raises:
            PromptError: when the template refuses the chat or loses an image.
        """
        count = sum(len(turn.images) for turn in turns)
        if self._template is not None:
            text = self._template.render(turns)
            if text.count(MARK) != count:
                raise PromptError(
                    "prompt_format", "the chat template leaves out or repeats an image"
                )
            return text
        if self.token is None and count > 1:
            raise PromptError("prompt_format", f"this model takes one image, not {count}")
        parts: list[str] = []
        for turn in turns:
            text = clean(turn.text, *self._tokens)
            if self._form == "question" and turn.role == "user":
                text = f"Question: {text} Answer:"
            between = " " if self._form == "question" and turn.role == "assistant" else "\n"
            marks = MARK * len(turn.images) if self.token is not None else ""
            parts.append((between if parts else "") + marks + text)
        return "".join(parts)

    def inputs(
        self, text: str, images: Sequence[LoadedImage], *, special: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors that the model takes for a rendered chat.

        Raises:
            PromptError: when the processor refuses text or images.
        """
        text_shown = self._shown(text)
        arguments: dict[str, Any] = {"text": [text_shown], "return_tensors": "pt"}
        if images:
            pixels = [image.pixels for image in images]
            # Nested, several images are known to belong to one text.
            arguments["images"] = [pixels] if len(pixels) > 1 else pixels
        if not special or self._begun(text_shown):
            arguments["add_special_tokens"] = False
        try:
            for image in images:
                check_shape(image.pixels)
            with self.lock, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of transformers about itself
                made = self.processor(**arguments)
        except Exception as error:  # noqa: BLE001  processors raise whatever is below them
            reason = " ".join(str(error).split()) or type(error).__name__
            kind = "image_rejected" if images else "prompt_format"
            raise PromptError(kind, f"the processor refuses: {reason}") from None
        return {
            name: value
            for name, value in made.items()
            if isinstance(value, Tensor) and name != "labels"
        }

    def behind(self, text: str, options: Sequence[str], ids: Ids) -> tuple[int, tuple[Ids, ...]]:
        """Return how many of a prompt's last ids options leave, and each option's ids from there.

        Args:
            text: The rendered chat.
            options: Answers, as sent.
            ids: The processor's ids of the chat.

        Raises:
            PromptError: for an option that tokenises to nothing.
        """
        plain: Callable[[str], Ids] = lambda piece: self._encode(piece, special=False)  # noqa: E731
        cleaned = [clean(option, *self._tokens) for option in options]
        require_text(cleaned, [plain(option) for option in cleaned])
        end = () if self._end is None else (self._end,)
        if self.separate:
            return 0, tuple((*plain(option), *end) for option in cleaned)
        text_shown = self._shown(text)
        special = not self._begun(text_shown)
        joint = tokenize_jointly(
            lambda piece: self._encode(piece, special=special),
            text_shown,
            cleaned,
            self._end,
            gap(text),
        )
        alone = self._encode(text_shown, special=special)
        tail = alone
        if self.token_id in alone:
            tail = alone[len(alone) - alone[::-1].index(self.token_id) :]
        back = len(alone) - len(joint.prefix)
        if back <= len(tail) <= len(ids) and ids[len(ids) - len(tail) :] == tail:
            return back, joint.options
        # The processor ends the prompt in its own way, so an option begins after that.
        with self.lock:
            last = str(self.tokenizer.decode(list(ids[-1:])))
        return 0, tuple((*plain(gap(last) + option), *end) for option in cleaned)

    def decode(self, ids: Ids) -> str:
        """Return ids as text, without special tokens."""
        with self.lock:
            text: str = self.tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return text

    def _shown(self, text: str) -> str:
        return text.replace(MARK, self.token or "")

    def _begun(self, text: str) -> bool:
        start = self.tokenizer.bos_token
        return start is not None and text.startswith(start)

    def _encode(self, text: str, *, special: bool) -> Ids:
        if not text:
            return ()
        with self.lock:
            return tuple(self.tokenizer(text, add_special_tokens=special).input_ids)

    def _id(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))


def to_device(inputs: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Return tensors on the model's device, numbers with a fraction in its dtype."""
    device, dtype = model.device, model.dtype
    on_device = {
        name: value.to(device, non_blocking=device.type == "cuda") for name, value in inputs.items()
    }
    return {
        name: value.to(dtype) if torch.is_floating_point(value) else value
        for name, value in on_device.items()
    }


def _image_tokens(processor: Any, config: Any) -> list[str]:
    """Return the tokens by which a text may place an image, all known to the tokenizer."""
    vocabulary = processor.tokenizer.get_vocab()
    tokens = [token for token in _named_tokens(processor, config) if isinstance(token, str)]
    return list(dict.fromkeys(token for token in tokens if token in vocabulary))


def _named_tokens(processor: Any, config: Any) -> list[str | int]:
    """Return the image tokens that processor and config name; an id that is no token as it is."""
    tokenizer = processor.tokenizer
    named = [getattr(processor, name, None) for name in ("image_token", "boi_token")]
    named.append(getattr(tokenizer, "image_token", None))
    tokens: list[str | int] = [
        str(getattr(token, "content", token)) for token in named if token is not None
    ]
    number = getattr(config, "image_token_id", None) or getattr(config, "image_token_index", None)
    if isinstance(number, int):
        in_vocabulary = number < len(tokenizer)
        tokens.append(str(tokenizer.convert_ids_to_tokens(number)) if in_vocabulary else number)
    return tokens


def _no_place(processor: Any, config: Any, folder: Path) -> UserError:
    """Return the error for a text in which no image can be placed."""
    if _named_tokens(processor, config):
        return UserError(
            "the tokenizer has no image token, so images cannot be placed in a text",
            where=folder,
            fix="give the tokenizer files that belong to the checkpoint",
        )
    return UserError(
        f"models of type {config.model_type!r} take an image separately from their text: "
        f"nothing in the "
        "text says where it stands, so hf_vlm cannot ask them",
        where=folder / "config.json",
        fix="give a model whose processor has an image token, such as LLaVA, Qwen-VL or InternVL",
    )


def _placed(
    tokenizer: Any, source: str, tokens: Sequence[str], folder: Path
) -> tuple[ChatTemplate, str]:
    """Return a template and the token that it writes once for each image."""
    problems = []
    for token in tokens:
        template = ChatTemplate(tokenizer, source, token)
        problem = template.problem()
        if not problem:
            return template, token
        problems.append(problem)
    raise UserError(
        problems[0] if problems else "the tokenizer has no image token for the chat template",
        where=template_file(folder),
        fix="give the template and the tokenizer of this checkpoint, or -o prompt_format=plain",
    )
