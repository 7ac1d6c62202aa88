"""Reasoning that a model writes before its answer: finding its markers, and stripping it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.descriptors import Json, ModelDescriptor, Option, parse_options
from harness.errors import UserError

Tags = tuple[tuple[str, str], ...]
"""Pairs of texts that open and close reasoning."""
Mode = Literal["auto", "strip", "keep"]
MODES: tuple[Mode, ...] = ("auto", "strip", "keep")
MOST_TOKENS = 131_072

KNOWN: Tags = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<unused94>thought", "<unused95>"),
    ("<analysis>", "</analysis>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
)
"""Markers of released models: Qwen3, GLM-4.1V, R1 and others; Seed; Sky-T1; Command A; Magistral;
Kimi-VL; gpt-oss; MedGemma, in this order from the first. Their case does not matter."""
AROUND_ANSWERS: Tags = (
    ("<answer>", "</answer>"),
    ("<conclusion>", "</conclusion>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ("<|begin_of_box|>", "<|end_of_box|>"),
)
"""What such models put around the answer itself (R1 and its kin, LLaVA-CoT, Sky-T1, Command A,
GLM-4.1V), from the outermost."""
_LIKE_MARKERS = re.compile(
    r"(?:<|&lt;|\[)[ |/]*(?:think|thought|reason|reflect|scratchpad)\w{0,9}[ |]*(?:>|&gt;|\])"
)
_ANY_CASE = re.IGNORECASE | re.ASCII  # without the second, an "i" matches a Turkish one

OPTIONS: tuple[Option, ...] = (
    Option(
        name="reasoning",
        default="auto",
        choices=MODES,
        help="Reasoning before an answer: auto strips the text between the markers of the "
        "model's own tokenizer or chat template, strip also between the usual ones, keep nothing.",
    ),
    Option(
        name="reasoning_tags",
        help="Markers in place of those, such as '<think>,</think>'; a semicolon between pairs.",
    ),
    Option(
        name="reasoning_tokens",
        type="int",
        default=0,
        help="Tokens for reasoning, beside those that the task gives an answer.",
    ),
)
"""What ``-o`` accepts for every model that writes answers."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How reasoning in an answer is treated.

    Attributes:
        mode: ``auto`` strips by ``tags``, else by the model's own markers; ``strip`` by the known
            ones too; ``keep`` leaves texts as they are.
        tags: Markers in place of the model's own.
        tokens: Tokens that reasoning may take beside those of the answer.
    """

    mode: Mode = "auto"
    tags: Tags = ()
    tokens: int = 0

    def markers(self, model_tags: Tags = ()) -> Tags:
        """Return the markers to strip by.

        Args:
            model_tags: Those that the model's tokenizer or chat template has.
        """
        if self.mode == "keep":
            return ()
        return self.tags or model_tags or (KNOWN if self.mode == "strip" else ())

    def over(self, task: Reasoning) -> Reasoning:
        """Return the task's settings, overridden by those given for the model."""
        return Reasoning(
            task.mode if self.mode == "auto" else self.mode,
            self.tags or task.tags,
            self.tokens or task.tokens,
        )

    def as_json(self) -> dict[str, Json]:
        """Return it as plain data, for records."""
        return {
            "reasoning": self.mode,
            "reasoning_tags": [list(pair) for pair in self.tags],
            "reasoning_tokens": self.tokens,
        }


AUTO = Reasoning()
"""The default."""


@dataclass(frozen=True, slots=True)
class Split:
    """A text without its reasoning.

    Attributes:
        answer: What stands outside of it.
        reasoning: What stands inside, without the markers.
        unfinished: Whether the last reasoning was never closed.
    """

    answer: str
    reasoning: str = ""
    unfinished: bool = False


def split(text: str, tags: Tags, *, opened: bool = False) -> Split:
    """Take the reasoning out of a text.

    Without an opening marker all that stands before a closing one is reasoning: chat templates may
    open it at the end of the prompt. Where an answer has markers of its own (``<answer>``), it is
    what stands in the last of them. A text without markers is returned as it is.

    Args:
        text: What a model wrote.
        tags: Markers.
        opened: Whether the prompt's end has opened reasoning already.
    """
    opens = {opening.casefold(): close.casefold() for opening, close in tags}
    closes = {*opens.values()}
    marks = sorted({mark for pair in tags for mark in pair}, key=len, reverse=True)
    pattern = "|".join(map(re.escape, marks))
    matches = list(re.finditer(pattern, text, _ANY_CASE)) if marks else []
    if not matches and not opened:
        return Split(_unwrapped(text) if tags else text)
    answer: list[str] = []
    inside: list[str] = []
    awaited = closes if opened else set()  # what would close the reasoning that is open
    start = 0
    for match in matches:
        mark, piece = match.group().casefold(), text[start : match.start()]
        if mark in awaited:
            inside.append(piece)
            awaited = set()
        elif awaited:
            continue  # a marker in the middle of reasoning is a part of it
        elif mark in opens:
            answer.append(piece)
            awaited = {opens[mark]}
        else:
            inside += [*answer, piece]
            answer = []
        start = match.end()
    (inside if awaited else answer).append(text[start:])
    reasoning = "\n".join(stripped for piece in inside if (stripped := piece.strip()))
    return Split(_unwrapped("".join(answer).strip()), reasoning, bool(awaited))


def _unwrapped(text: str) -> str:
    """Return what stands in the last markers around an answer; a text without them as it is."""
    for opening, closing in AROUND_ANSWERS:
        *_, inside = re.split(re.escape(opening), text, flags=_ANY_CASE)
        if inside != text:
            text = re.split(re.escape(closing), inside, flags=_ANY_CASE)[0].strip()
    return text


def holds_reasoning(text: str) -> str:
    """Return the markers of reasoning that a text has, such as ``<think> ... </think>``."""
    if not any(sign in text for sign in "<[\u25c1&"):  # of most answers that is all
        return ""
    text = text.casefold().lstrip()
    for opening, closing in KNOWN + AROUND_ANSWERS:
        if closing.casefold() in text or text.startswith(opening.casefold()):
            return f"{opening} ... {closing}"
    return unknown[0] if (unknown := _LIKE_MARKERS.search(text)) else ""


def common_options(model: ModelDescriptor) -> tuple[Option, ...]:
    """Return what ``-o`` accepts for a model beside its own options: of reasoning, if it writes."""
    names = {option.name for option in model.options}
    if "generate" not in model.capabilities:
        return ()
    return tuple(option for option in OPTIONS if option.name not in names)


def parse_tags(text: Json, where: str) -> Tags:
    """Return markers written as ``OPEN,CLOSE;OPEN,CLOSE``.

    Raises:
        UserError: for a pair that is not two markers.
    """
    if text is None or text == "":
        return ()
    pairs = [tuple(part.strip() for part in pair.split(",")) for pair in str(text).split(";")]
    return checked_tags(pairs, where)


def checked_tags(pairs: object, where: str) -> Tags:
    """Return markers given as pairs.

    Raises:
        UserError: for a pair that is not two markers.
    """
    listed: list[Any] = list(pairs) if isinstance(pairs, list | tuple) else [pairs]
    for pair in listed:
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and len(set(pair)) == 2
        if not is_pair or not all(isinstance(mark, str) and mark.strip() for mark in pair):
            raise UserError(
                "markers of reasoning are two different texts, one that opens and one that closes",
                where=where,
                fix="write OPEN,CLOSE, such as '<think>,</think>', and a semicolon between pairs",
            )
    return tuple((pair[0], pair[1]) for pair in listed)


def parse_reasoning(values: Mapping[str, Json], owner: str) -> Reasoning:
    """Return what options named as in :data:`OPTIONS` say.

    Raises:
        UserError: for a value that is not one of these.
    """
    options = parse_options(OPTIONS, values, owner=owner)
    tokens = options["reasoning_tokens"]
    if not isinstance(tokens, int) or not 0 <= tokens <= MOST_TOKENS:
        raise UserError(
            f"{tokens} is not from 0 to {MOST_TOKENS}",
            where=f"option 'reasoning_tokens' of {owner}",
        )
    mode: Mode = next(one for one in MODES if one == options["reasoning"])
    tags = parse_tags(options["reasoning_tags"], f"option 'reasoning_tags' of {owner}")
    return Reasoning(mode, tags, tokens)
