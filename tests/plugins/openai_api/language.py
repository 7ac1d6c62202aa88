"""Servers as vLLM and SGLang document them, before a small language model of made-up numbers."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.plugins.openai_api.server import Body, FakeEndpoint, Reply

PIECES = (
    *(chr(code) for code in range(32, 127)),
    *(" very", "very", " happy", "happy", " hap", "hap", "ap", "py", " sad", "sad", "ness"),
    "<image>", "USER:", " ASSISTANT:", " ASSISTANT: zz",
)  # fmt: skip
UNFOLDED = 5  # positions of an image in the model


class Language:
    """Tokenizer and model: greedy longest pieces, log-probabilities drawn from the context."""

    def ids(self, text: str) -> list[int]:
        ids = []
        while text:
            piece = max((item for item in PIECES if text.startswith(item)), key=len)
            ids.append(PIECES.index(piece))
            text = text[len(piece) :]
        return ids

    def text(self, ids: Sequence[int]) -> str:
        return "".join(PIECES[number] for number in ids)

    def logprob(self, context: Sequence[int], images: Sequence[str], token: int) -> float:
        return self._logprobs(tuple(context), tuple(images))[token]

    @staticmethod
    @cache
    def _logprobs(context: tuple[int, ...], images: tuple[str, ...]) -> list[float]:
        logits = [
            zlib.crc32(f"{context}{images}{token}".encode()) / (1 << 29)
            for token in range(len(PIECES))
        ]
        total = math.log(math.fsum(map(math.exp, logits)))
        return [logit - total for logit in logits]


def render(messages: Sequence[Body], *, generate: bool, unfinished: bool) -> str:
    """Return a chat as its template writes it; the end of the last message is cut off at will."""
    text = ""
    for message in messages:
        content = message["content"]
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        inner = "".join(part["text"] if part["type"] == "text" else "<image>" for part in parts)
        user = message["role"] == "user"
        text += f"USER: {inner}" if user else f" ASSISTANT: {inner}."
    if generate:
        return f"{text} ASSISTANT:"
    return text.removesuffix(".") if unfinished else text


def images_of(messages: Sequence[Body]) -> list[str]:
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    return [
        part["image_url"]["url"] for parts in contents for part in parts if part["type"] != "text"
    ]


def schema(name: str, *fields: str) -> dict[str, Any]:
    return {"components": {"schemas": {name: {"properties": {key: {} for key in fields}}}}}


def refused(reason: str) -> Reply:
    return Reply({"error": {"message": reason}}, status=400)


class VLLM(FakeEndpoint):
    """vLLM's ``/tokenize``, ``/detokenize`` and chat completions.

    Args:
        fields: The fields of its OpenAPI document that name generated tokens.
        masked: Whether log-probabilities are computed after the mask of allowed tokens
            (``--logprobs-mode processed_logprobs``).
    """

    def __init__(
        self, *fields: str, masked: bool = False, language: Language | None = None
    ) -> None:
        super().__init__(self.complete)
        self.language, self.masked, self.fields = language or Language(), masked, fields
        paths: dict[str, Any] = {"/tokenize": {}, "/detokenize": {}, "/v1/chat/completions": {}}
        names = ("continue_final_message", *fields)
        document = {"paths": paths} | schema("ChatCompletionRequest", *names)
        self.documents["/openapi.json"] = Reply(document)
        self.routes |= {"/tokenize": self.tokenize, "/detokenize": self.detokenize}

    def prompt(self, body: Body) -> list[int] | Reply:
        generate = body.get("add_generation_prompt", True)
        unfinished = body.get("continue_final_message", False)
        if generate and unfinished:
            return refused("Cannot set both")
        text = render(body["messages"], generate=generate, unfinished=unfinished)
        return self.language.ids(text)

    def tokenize(self, body: Body) -> Reply:
        ids = self.prompt(body)
        return ids if isinstance(ids, Reply) else Reply({"tokens": ids, "count": len(ids)})

    def detokenize(self, body: Body) -> Reply:
        return Reply({"prompt": self.language.text(body["tokens"])})

    def complete(self, body: Body) -> Reply:
        ids = self.prompt(body)
        if isinstance(ids, Reply):
            return ids
        images = images_of(body["messages"])

        def logprob(token: int) -> float:
            return self.language.logprob(ids, images, token)

        allowed = body.get("allowed_token_ids") or range(len(PIECES))
        token = max(allowed, key=logprob)
        choice: Body = {
            "message": {"role": "assistant", "content": PIECES[token]},
            "finish_reason": "length",
        }
        if set(self.fields) & {"logprob_token_ids"} and body.get("logprob_token_ids"):
            if not body.get("logprobs"):
                return refused("`logprobs` must be set to true")
            wanted = body["logprob_token_ids"]
        else:
            wanted = []
        if body.get("logprobs"):
            entries = [
                {
                    "token": f"token_id:{item}" if body.get("return_tokens_as_token_ids") else "?",
                    "logprob": 0.0 if self.masked and len(list(allowed)) == 1 else logprob(item),
                }
                for item in (token, *wanted)
            ]
            choice["logprobs"] = {"content": [{**entries[0], "top_logprobs": entries[1:]}]}
        # The image's placeholder is unfolded in the prompt that the model reads.
        at = PIECES.index("<image>")
        unfolded = len(ids) + ids.count(at) * (UNFOLDED - 1)
        reply: Body = {
            "choices": [choice],
            "usage": {"prompt_tokens": unfolded, "total_tokens": unfolded + 1},
        }
        if body.get("prompt_logprobs") is not None:
            reply["prompt_logprobs"] = [
                {str(item): {"logprob": self.language.logprob(ids[:index], images, item)}}
                if index else None
                for index, item in enumerate(ids)
            ]  # fmt: skip
        return Reply(reply)


class SGLang(VLLM):
    """SGLang's ``/generate``: log-probabilities of a prompt's tokens from a place on.

    Args:
        lead: What its own chat template writes before a chat.
    """

    def __init__(self, lead: str = "") -> None:
        super().__init__()
        self.lead = lead
        document = {"paths": {"/generate": {}}} | schema("GenerateReqInput", "logprob_start_len")
        self.documents["/openapi.json"] = Reply(document)
        self.routes["/generate"] = self.generate

    def prompt(self, body: Body) -> list[int] | Reply:
        ids = super().prompt(body)
        return ids if isinstance(ids, Reply) else [*self.language.ids(self.lead), *ids]

    def generate(self, body: Body) -> Reply:
        images = body.get("image_data", [])
        if body["text"].count("<image>") != len(images):
            return refused("another number of images")
        ids = self.language.ids(body["text"])
        at, unfolded, places = PIECES.index("<image>"), [], []
        for index, item in enumerate(ids):
            unfolded += [item] * (UNFOLDED if item == at else 1)
            places += [index] * (UNFOLDED if item == at else 1)
        start = body["logprob_start_len"]
        entries = [
            # Documented: the first has none, wherever it stands.
            [
                self.language.logprob(ids[: places[number]], images, item)
                if number > start else None, item, None,
            ]
            for number, item in enumerate(unfolded)
            if number >= start
        ]  # fmt: skip
        meta = {"prompt_tokens": len(unfolded), "completion_tokens": 0}
        return Reply({"text": "", "meta_info": meta | {"input_token_logprobs": entries}})


class Tokenizer:
    """What transformers' tokenizers do with a chat template, as far as it is used."""

    def apply_chat_template(self, messages: Sequence[Body], **options: Any) -> str:
        return re.sub(
            r"\s+$", "",
            render(
                messages,
                generate=options["add_generation_prompt"],
                unfinished=options["continue_final_message"],
            ),
        )  # fmt: skip
