"""What an endpoint's answers say: texts, log-probabilities, and what is wrong with them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from harness.engine.tokenize import require_text
from harness.errors import short
from harness.requests import Reasoning, Scores, Text
from harness.requests.reasoning import AUTO, split

_LARGEST = sys.float_info.max
FILTERED = "content_filter"  # a service's filter took the question, or its model's answer
_PAIR = 2  # log-probability and id
_SLACK = 1e-4  # servers round; a log-probability is at most 0
_REASONING = ("reasoning_content", "reasoning")  # vLLM, SGLang and DeepSeek; OpenRouter, newer vLLM


class BadReplyError(Exception):
    """An answer that is not what was asked for; becomes a ``Failed`` of that kind."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_text(
    reply: Mapping[str, Any], stop: Sequence[str] = (), reasoning: Reasoning = AUTO
) -> Text:
    """Return an answer's text, cut before the first stop string, without white space around it.

    What the endpoint itself calls a refusal is one, and so is what its filter took. Reasoning that
    the endpoint keeps apart stays apart; what stands between markers is taken out before the cut.

    Args:
        reply: The endpoint's.
        stop: Texts that end the answer.
        reasoning: What to do with reasoning in the text.

    Raises:
        BadReplyError: when there is no text.
    """
    if refused := read_refusal(reply):
        return refused
    choice = _choice(reply)
    finish = choice.get("finish_reason")
    message = choice.get("message")
    content, apart = _parts(message) if isinstance(message, dict) else (None, "")
    if content is None and not apart:
        raise BadReplyError("no_text", "the endpoint's answer holds no text")
    parts = split(content or "", reasoning.markers())
    inside = "\n".join(part for part in (apart, parts.reasoning) if part)
    answer, ended = parts.answer.strip(), finish != "length"
    unfinished = parts.unfinished or bool(apart and not answer and not ended)
    places = [position for one in stop if one and (position := answer.find(one)) >= 0]
    if places:
        answer, ended = answer[: min(places)].strip(), True
    return Text(answer, "stop" if ended else "length", inside, unfinished)


def read_refusal(reply: Mapping[str, Any]) -> Text | None:
    """Return what an answer calls a refusal, or what a filter left of it; ``None`` for neither.

    Raises:
        BadReplyError: when there is no answer.
    """
    choice = _choice(reply)
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    if refusal := _refusal(message):
        return Text(refusal, refused=True)
    if choice.get("finish_reason") == FILTERED:
        return Text((_parts(message)[0] or "").strip(), refused=True)
    return None


def _parts(message: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return a message's text, if it has one, and the reasoning that it keeps apart."""
    content = message.get("content")
    inside = [message[name] for name in _REASONING if isinstance(message.get(name), str)]
    if isinstance(content, list):  # parts: texts, and thoughts of their own kind
        parts = [part for part in content if isinstance(part, dict)]
        inside += [text for part in parts if (text := _thought(part))]
        texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
        content = "".join(texts) if texts else None
    return (content if isinstance(content, str) else None), (inside[0] if inside else "").strip()


def _refusal(message: Mapping[str, Any]) -> str:
    """Return what a message calls a refusal: a field of its own, or parts of that type."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    refusals = [part.get("refusal") for part in (message, *parts) if isinstance(part, dict)]
    return " ".join(text.strip() for text in refusals if isinstance(text, str)).strip()


def _thought(part: Mapping[str, Any]) -> str:
    thinking = part.get("thinking")
    if isinstance(thinking, list):
        thinking = "".join(str(one.get("text", "")) for one in thinking if isinstance(one, dict))
    return thinking if isinstance(thinking, str) else ""


def read_prompt(reply: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return each prompt token's id and log-probability; the first token has 0.

    Raises:
        BadReplyError: when the endpoint gives none, or what is no log-probability.
    """
    entries = reply.get("prompt_logprobs")
    if not isinstance(entries, list) or not entries:
        raise BadReplyError(
            "no_logprobs",
            "the endpoint gives no prompt_logprobs (vLLM does); "
            "choose another way with -o scores=generated, scores=first_token or scores=label",
        )
    tokens: list[tuple[str, float]] = []
    for entry in entries:
        if entry is None and not tokens:
            tokens.append(("", 0.0))
            continue
        if not isinstance(entry, dict) or not entry:
            raise BadReplyError("bad_answer", "a prompt token has no log-probability")
        token, details = next(iter(entry.items()))  # the token itself stands first
        tokens.append(
            (str(token), _logprob(details.get("logprob") if isinstance(details, dict) else 1))
        )
    return tokens


def joint_scores(
    prompt: Sequence[tuple[str, float]],
    with_options: Sequence[Sequence[tuple[str, float]]],
    options: Sequence[str],
) -> Scores:
    """Return options' sums from the first position where any leaves the prompt's tokens.

    Args:
        prompt: Tokens of the chat alone.
        with_options: Tokens of the chat with each option.
        options: Their texts.

    Raises:
        PromptError: when an option adds no token.
    """
    common = min(_common(prompt, one) for one in with_options)
    tails = [one[common:] for one in with_options]
    require_text(options, [[token for token, _ in tail] for tail in tails])
    return Scores(
        "logprob",
        tuple(math.fsum(value for _, value in tail) for tail in tails),
        tuple(len(tail) for tail in tails),
        tuple(len(option.encode()) for option in options),
    )


def read_ids(reply: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the ids of ``/tokenize``.

    Raises:
        BadReplyError: when there are none.
    """
    ids = reply.get("tokens")
    if not isinstance(ids, list) or not all(type(number) is int for number in ids):
        raise BadReplyError("bad_answer", "the server's /tokenize gives no token ids")
    return tuple(ids)


def read_next(reply: Mapping[str, Any]) -> dict[int, float]:
    """Return the log-probabilities of the first generated token and of others in its place, by id.

    Raises:
        BadReplyError: when there are none, or tokens are not named by their ids.
    """
    first = read_first(reply)
    logprobs: dict[int, float] = {}
    for entry in (first, *(first.get("top_logprobs") or ())):
        token = entry.get("token") if isinstance(entry, dict) else None
        name, _, number = str(token).partition(":")
        if name != "token_id" or not number.isdecimal():
            raise BadReplyError("bad_answer", "the server does not name tokens by their ids")
        logprobs[int(number)] = _logprob(entry.get("logprob"))
    return logprobs


def prompt_tokens(reply: Mapping[str, Any]) -> int:
    """Return how many tokens a prompt had, as the server counts them.

    Raises:
        BadReplyError: when it does not say.
    """
    for name in ("usage", "meta_info"):
        counts = reply.get(name)
        number = counts.get("prompt_tokens") if isinstance(counts, dict) else None
        if type(number) is int:
            return number
    raise BadReplyError("bad_answer", "the server does not count the prompt's tokens")


def read_input(reply: Mapping[str, Any], start: int) -> list[tuple[str, float]]:
    """Return ids and log-probabilities of SGLang's ``/generate``.

    The first token has 0: SGLang gives none where its log-probabilities begin.

    Args:
        reply: The server's.
        start: The ``logprob_start_len`` of the request.

    Raises:
        BadReplyError: when there are none from there to the prompt's end.
    """
    meta = reply.get("meta_info")
    entries = meta.get("input_token_logprobs") if isinstance(meta, dict) else None
    if not isinstance(entries, list) or not entries or len(entries) != prompt_tokens(reply) - start:
        raise BadReplyError("no_logprobs", "the server gives no input_token_logprobs")
    tokens: list[tuple[str, float]] = []
    for entry in entries:
        if not isinstance(entry, list) or len(entry) < _PAIR or type(entry[1]) is not int:
            raise BadReplyError("bad_answer", "input_token_logprobs holds no tokens")
        first_of_all = entry[0] is None and not tokens
        tokens.append((str(entry[1]), 0.0 if first_of_all else _logprob(entry[0])))
    return tokens


def first_token_scores(first: Mapping[str, Any], options: Sequence[str]) -> Scores:
    """Return each option's log-probability of beginning the answer.

    A token speaks for the option that it begins. No lengths are given, because the rest of an
    option is not scored.

    Raises:
        BadReplyError: when a token begins several options, or an option is not among the tokens.
    """
    top = first.get("top_logprobs") or [first]
    sums = [0.0] * len(options)
    for entry in top:
        if not isinstance(entry, dict):
            raise BadReplyError("bad_answer", "top_logprobs holds no tokens")
        token = str(entry.get("token", "")).strip().casefold()
        value = _logprob(entry.get("logprob"))
        begun = [
            index
            for index, option in enumerate(options)
            if token and option.strip().casefold().startswith(token)
        ]
        if len(begun) > 1:
            named = ", ".join(repr(options[index]) for index in begun)
            raise BadReplyError("options_alike", f"the token {token!r} begins {named}")
        for index in begun:
            sums[index] += math.exp(value)
    for option, total in zip(options, sums, strict=True):
        if not total:
            raise BadReplyError(
                "option_not_scored",
                f"{option!r} is begun by none of the {len(top)} tokens that the endpoint gives; "
                "-o scores=label does without",
            )
    return Scores("logprob", tuple(min(0.0, math.log(total)) for total in sums))


def read_first(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reply says of the first generated token.

    Raises:
        BadReplyError: when it has no log-probabilities.
    """
    logprobs = _choice(reply).get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        raise BadReplyError(
            "no_logprobs",
            "the endpoint gives no log-probabilities of answers; -o scores=label does without",
        )
    return content[0]


def _choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadReplyError("bad_answer", "the endpoint's answer holds no choices")
    return choices[0]


def _logprob(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared first: a whole number may be too large for a float. NaN fails both comparisons.
    if not number or not -_LARGEST <= value <= _SLACK:
        raise BadReplyError("bad_answer", f"{short(repr(value), 40)} is no log-probability")
    return min(0.0, float(value))


def _common(first: Sequence[tuple[str, float]], second: Sequence[tuple[str, float]]) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0][0] == pair[1][0], pairs))
