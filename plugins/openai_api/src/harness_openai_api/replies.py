"""What an endpoint's answers say: texts, log-probabilities, and what is wrong with them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from harness.engine.tokens import require_text
from harness.requests import Failed, Scores, Text

_SLACK = 1e-4  # servers round; a log-probability is at most 0
_EDGES = " \t\r\n.,;:!?\"'`*()[]"


class BadReplyError(Exception):
    """An answer that is not what was asked for; becomes a ``Failed`` of that kind."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_text(reply: Mapping[str, Any], stop: Sequence[str] = ()) -> Text:
    """Return an answer's text, cut before the first stop string, without white space around it.

    What the endpoint itself calls a refusal is one.

    Raises:
        BadReplyError: when there is no text, or a filter has taken it.
    """
    choice = _choice(reply)
    finish = choice.get("finish_reason")
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if finish == "content_filter":
        raise BadReplyError("content_filter", "the endpoint's filter withheld the answer")
    refusal = message.get("refusal") if isinstance(message, dict) else None
    if isinstance(refusal, str) and refusal.strip():
        return Text(refusal.strip(), refused=True)
    if not isinstance(content, str):
        raise BadReplyError("no_text", "the endpoint's answer holds no text")
    places = [place for one in stop if one and (place := content.find(one)) >= 0]
    if places:
        return Text(content[: min(places)].strip(), "stop")
    return Text(content.strip(), "length" if finish == "length" else "stop")


def read_prompt(reply: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return each prompt token's id and log-probability; the first token has 0.

    Raises:
        BadReplyError: when the endpoint gives none, or what is no log-probability.
    """
    held = reply.get("prompt_logprobs")
    if not isinstance(held, list) or not held:
        raise BadReplyError(
            "no_logprobs",
            "the endpoint gives no prompt_logprobs (vLLM does); "
            "choose another way with -o scores=first_token or scores=label",
        )
    found: list[tuple[str, float]] = []
    for entry in held:
        if entry is None and not found:
            found.append(("", 0.0))
            continue
        if not isinstance(entry, dict) or not entry:
            raise BadReplyError("bad_answer", "a prompt token has no log-probability")
        token, said = next(iter(entry.items()))  # the token itself stands first
        found.append((str(token), _logprob(said.get("logprob") if isinstance(said, dict) else 1)))
    return found


def joint_scores(
    prompt: Sequence[tuple[str, float]],
    whole: Sequence[Sequence[tuple[str, float]]],
    options: Sequence[str],
) -> Scores:
    """Return options' sums from the first position where any leaves the prompt's tokens.

    Args:
        prompt: Tokens of the chat alone.
        whole: Tokens of the chat with each option.
        options: Their texts.

    Raises:
        PromptError: when an option adds no token.
    """
    common = min(_common(prompt, one) for one in whole)
    tails = [one[common:] for one in whole]
    require_text(options, [[token for token, _ in tail] for tail in tails])
    return Scores(
        "logprob",
        tuple(math.fsum(value for _, value in tail) for tail in tails),
        tuple(len(tail) for tail in tails),
        tuple(len(option.encode()) for option in options),
    )


def first_token_scores(reply: Mapping[str, Any], options: Sequence[str]) -> Scores:
    """Return each option's log-probability of beginning the answer.

    A token speaks for the option that it begins. No lengths are given, because the rest of an
    option is not scored.

    Raises:
        BadReplyError: when a token begins several options, or an option is not among the tokens.
    """
    held = _choice(reply).get("logprobs")
    content = held.get("content") if isinstance(held, dict) else None
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        raise BadReplyError(
            "no_logprobs",
            "the endpoint gives no log-probabilities of answers; -o scores=label does without",
        )
    top = content[0].get("top_logprobs") or [content[0]]
    sums = [0.0] * len(options)
    for entry in top:
        if not isinstance(entry, dict):
            raise BadReplyError("bad_answer", "top_logprobs holds no tokens")
        token = str(entry.get("token", "")).strip().casefold()
        value = _logprob(entry.get("logprob"))
        begun = [
            place
            for place, option in enumerate(options)
            if token and option.strip().casefold().startswith(token)
        ]
        if len(begun) > 1:
            named = ", ".join(repr(options[place]) for place in begun)
            raise BadReplyError("options_alike", f"the token {token!r} begins {named}")
        for place in begun:
            sums[place] += math.exp(value)
    for option, total in zip(options, sums, strict=True):
        if not total:
            raise BadReplyError(
                "option_not_scored",
                f"{option!r} is begun by none of the {len(top)} tokens that the endpoint gives; "
                "-o scores=label does without",
            )
    return Scores("logprob", tuple(min(0.0, math.log(total)) for total in sums))


def label_scores(text: str, options: Sequence[str]) -> Scores | Failed:
    """Return 1 for the option that a text is, or else the only one it names as whole words."""
    said = text.strip(_EDGES).casefold()
    names = [option.strip(_EDGES).casefold() for option in options]
    found = [place for place, name in enumerate(names) if name == said]
    if not found:
        found = [
            place
            for place, name in enumerate(names)
            if name and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said)
        ]
    if len(found) != 1:
        number = "none" if not found else f"{len(found)}"
        return Failed("unparsed", f"the answer names {number} of the options: {text[:80]!r}")
    return Scores("label", tuple(float(place == found[0]) for place in range(len(options))))


def _choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadReplyError("bad_answer", "the endpoint's answer holds no choices")
    return choices[0]


def _logprob(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value > _SLACK:
        raise BadReplyError("bad_answer", f"{value!r} is no log-probability")
    return min(0.0, float(value))


def _common(one: Sequence[tuple[str, float]], other: Sequence[tuple[str, float]]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0][0] == pair[1][0], pairs))
