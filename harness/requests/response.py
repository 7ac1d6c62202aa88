"""Responses: option scores that name their kind, text, or vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from harness.descriptors import Json

ScoreKind = Literal["logprob", "similarity", "label"]


@dataclass(frozen=True, slots=True)
class Scores:
    """One score per option.

    Attributes:
        kind: ``logprob``: float32 *sum* of log-probabilities (natural log) over the option's
            tokens, from the first position where any option's joint tokenisation leaves the
            prompt's. ``similarity``: cosine. ``label``: 1 for the named option, 0 elsewhere.
            They are recorded as given.
        values: In the order of the request's options.
        tokens: Tokens scored per option (``logprob`` only).
        bytes: UTF-8 length per option (``logprob`` only).
    """

    kind: ScoreKind
    values: tuple[float, ...]
    tokens: tuple[int, ...] = ()
    bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Generated text, without stop strings and special tokens; why it ended.

    A choice may be answered by a text too: the harness reads the option that it names
    (:class:`harness.requests.extractors.label.LabelReader`), and one that names none is unparsed,
    which is wrong.

    Attributes:
        finish: ``length`` when the limit of tokens cut it.
        reasoning: What the model wrote before its answer, where it is known to be no part of it.
        unfinished: Whether the reasoning never ended, so that there is no answer.
        refused: Whether what answered says itself that this is a refusal; no extractor reads it.
    """

    text: str
    finish: Literal["stop", "length"] = "stop"
    reasoning: str = ""
    unfinished: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit vectors of the images and of the texts, in the request's order."""

    images: tuple[tuple[float, ...], ...]
    texts: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The model could not answer this request; recorded and counted, never scored.

    Attributes:
        kind: A short stable word, such as ``prompt_too_long``.
    """

    kind: str
    message: str


class AnnotatorAnswer(NamedTuple):
    """An annotator's answer, and what it is right against when that annotator is left out.

    Attributes:
        answer: As the task's metrics take answers.
        target: What the other annotators say, as the task's metrics take targets.
        times: How many annotators gave the answer.
    """

    answer: Json
    target: Json
    times: int = 1


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one request; a choice is answered by scores, or in words by a text."""

    request: str
    result: Scores | Text | Vectors | Failed
