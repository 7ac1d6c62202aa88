"""Requests of the harness as bodies of chat completions."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UserError
from harness.requests import Generate, Reasoning, Turn
from harness.requests.reasoning import AUTO
from harness.samples.images import LoadedImage

_KEPT = 64  # images as sent; the questions about one image come together
_MOST_STOPS = 4  # what the API takes; the others are heeded here
_SEED_BITS = 31
SAMPLING = frozenset((
    "top_p", "top_k", "min_p", "top_a", "typical_p", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "length_penalty", "logit_bias", "min_tokens", "ignore_eos",
))  # fmt: skip
"""Fields that say how an answer is written; where options are scored, nothing is."""
_TEMPLATE = ("chat_template", "chat_template_kwargs", "mm_processor_kwargs", "add_special_tokens")


@dataclass(slots=True)
class Bodies:
    """Makes bodies.

    Attributes:
        model: The endpoint's name of the model.
        image_format: ``png`` or ``jpeg``.
        temperature: Sampling temperature of written answers where a task names none; 0 is greedy.
        limit_field: Name of the field that limits an answer's tokens.
        extra: Fields added to every body, those of sampling only where an answer is written; they
            win.
        template: Folder with the chat template, for a route that takes text.
    """

    model: str
    image_format: str = "png"
    temperature: float = 0.0
    limit_field: str = "max_tokens"
    extra: dict[str, Any] = field(default_factory=dict)
    template: str | None = None
    _urls: dict[str, str] = field(default_factory=dict)

    def answer(
        self,
        turns: Sequence[Turn],
        want: Generate,
        seed: int,
        reasoning: Reasoning = AUTO,
    ) -> dict[str, Any]:
        """Return the body that asks for an answer.

        Stop strings stay here where reasoning may come first: a server would heed them there too.
        """
        body = self._body(self.messages(turns), want.max_new_tokens + reasoning.tokens)
        if want.stop and not reasoning.tokens and not reasoning.markers():
            body["stop"] = list(want.stop[:_MOST_STOPS])
        body["temperature"] = want.temperature or self.temperature
        if body["temperature"] > 0:
            body["seed"] = seed & ((1 << _SEED_BITS) - 1)
        return body | self.extra

    def first_token(self, turns: Sequence[Turn], count: int) -> dict[str, Any]:
        """Return the body that asks for the likeliest first tokens of an answer."""
        body = self._body(self.messages(turns), 1)
        return body | {"logprobs": True, "top_logprobs": count} | self._scoring()

    def prompt_logprobs(self, turns: Sequence[Turn], option: str | None) -> dict[str, Any]:
        """Return the body that asks for log-probabilities of a chat's own tokens (vLLM).

        Args:
            turns: The chat.
            option: The assistant's answer; ``None`` for the chat up to where an answer begins.
        """
        body = self._begun(turns, option) | self._limited(1)
        return body | {"prompt_logprobs": 0} | self._scoring()

    def next_token(
        self, turns: Sequence[Turn], text: str, wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the body that asks for the token after the beginning of an answer (vLLM).

        Args:
            turns: The chat.
            text: The answer so far; empty for none.
            wanted: The field that names tokens by id.
        """
        body = self._begun(turns, text or None) | self._limited(1)
        fields = {"logprobs": True, "top_logprobs": 0, "return_tokens_as_token_ids": True}
        return {**body, **fields, **wanted, **self._scoring()}

    def tokens(self, turns: Sequence[Turn], text: str | None) -> dict[str, Any]:
        """Return the body that asks for a chat's ids, with the beginning of an answer (vLLM)."""
        template = {key: self.extra[key] for key in _TEMPLATE if key in self.extra}
        return self._begun(turns, text) | template

    def generate(self, turns: Sequence[Turn], text: str, start: int) -> dict[str, Any]:
        """Return the body that asks for log-probabilities of a prompt's end (SGLang's own route).

        Args:
            turns: The chat, for its images.
            text: The chat as text.
            start: The first token whose id is wanted.
        """
        images = [self._url(image) for turn in turns for image in turn.images]
        return {
            "text": text,
            **({"image_data": images} if images else {}),
            "sampling_params": {"max_new_tokens": 0, "temperature": 0.0},
            "return_logprob": True,
            "logprob_start_len": start,
        }

    def refuse_fields(self) -> None:
        """Check that a route which takes text drops no field of ``extra``.

        Raises:
            UserError: it would.
        """
        if dropped := sorted(self._scoring().keys() - {"chat_template_kwargs"}):
            raise UserError(
                f"SGLang's /generate would not get {dropped[0]!r}",
                where="option 'extra_body'",
                fix=f"leave {dropped[0]!r} out, or -o scores=first_token",
            )

    def messages(self, turns: Sequence[Turn]) -> list[dict[str, Any]]:
        """Return a chat as messages; a turn's images stand before its text."""
        messages: list[dict[str, Any]] = []
        for turn in turns:
            if not turn.images:
                messages.append({"role": turn.role, "content": turn.text})
                continue
            parts: list[dict[str, Any]] = [
                {"type": "image_url", "image_url": {"url": self._url(image)}}
                for image in turn.images
            ]
            parts.append({"type": "text", "text": turn.text})
            messages.append({"role": turn.role, "content": parts})
        return messages

    def _begun(self, turns: Sequence[Turn], answer: str | None) -> dict[str, Any]:
        """Return a chat up to where an answer begins, or to the end of what it begins with."""
        messages = self.messages(turns)
        if answer is not None:
            messages.append({"role": "assistant", "content": answer})
        return {
            "model": self.model,
            "messages": messages,
            "add_generation_prompt": answer is None,
            "continue_final_message": answer is not None,
        }

    def _body(self, messages: list[dict[str, Any]], limit: int) -> dict[str, Any]:
        return {"model": self.model, "messages": messages, **self._limited(limit)}

    def _limited(self, limit: int) -> dict[str, Any]:
        # Some servers divide log-probabilities by the temperature: options are scored at 0.
        return {self.limit_field: limit, "temperature": 0.0}

    def _scoring(self) -> dict[str, Any]:
        """Return the fields added to a body that scores options."""
        return {name: value for name, value in self.extra.items() if name not in SAMPLING}

    def _url(self, image: LoadedImage) -> str:
        if image.key not in self._urls:
            if len(self._urls) >= _KEPT:
                self._urls.pop(next(iter(self._urls)))
            buffer = io.BytesIO()
            if self.image_format == "png":
                image.pixels.save(buffer, "PNG", compress_level=1)
            else:
                image.pixels.save(buffer, "JPEG", quality=95)
            encoded = base64.b64encode(buffer.getvalue()).decode()
            self._urls[image.key] = f"data:image/{self.image_format};base64,{encoded}"
        return self._urls[image.key]
