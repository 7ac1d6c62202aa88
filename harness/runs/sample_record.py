"""The record of one sample: a line of ``samples.jsonl``, typed.

The JSON form is described by ``sample.schema.json`` beside this file (``harness schema sample``). A
key is absent where its field is empty, so that a field added later changes no old line.

The types are named tuples: they are frozen and slotted, and a frozen dataclass of this many fields
takes as long to make as its line takes to parse.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.descriptors import Json
from harness.errors import UserError, reason_of
from harness.jsonfiles import open_file
from harness.requests.response import AnnotatorAnswer, Failed, Scores
from harness.runs.seal import SAMPLES
from harness.samples.sample import Group

KEYS = frozenset(
    (
        *("id", "cluster", "target", "answer", "problem", "error", "fields", "stratum", "groups"),
        *("images", "notes", "prompt", "sent"),
        *("text", "finish", "reasoning", "reasoning_cut", "unfinished"),
        *("score_kind", "scores", "tokens", "bytes", "score", "vectors", "annotators"),
    )
)
_NONE: Mapping[str, Any] = {}
_decode = json.JSONDecoder().decode  # json.loads would look for the encoding of each line
_group = lru_cache(maxsize=4096)(Group)  # few distinct ones, on every line


class ImageFile(NamedTuple):
    """An image file as it was opened: hash of its bytes, width and height in pixels.

    Attributes:
        view: Hash of the image as it was shown, where a variant perturbs it.
    """

    sha256: str
    width: int
    height: int
    view: str = ""


class Written(NamedTuple):
    """A text that the model generated.

    Attributes:
        text: Without reasoning.
        finish: Why it ended: ``stop``, or ``length`` at the token limit.
        reasoning: Its beginning; ``reasoning_cut`` counts the characters that are not recorded.
        unfinished: Why there is no answer: the reasoning never ended. Empty where it did.
    """

    text: str
    finish: str | None = None
    reasoning: str = ""
    reasoning_cut: int = 0
    unfinished: str = ""


class SentPrompt(NamedTuple):
    """A prompt as it was sent: role and text of each turn, and the texts of the options."""

    turns: tuple[tuple[str, str], ...]
    options: tuple[str, ...] = ()


class SampleRecord(NamedTuple):
    """One sample of an evaluation: what was asked, what was answered, and how it was read.

    Attributes:
        id: Unique within the evaluation.
        cluster: The cluster it belongs to; a bootstrap draws clusters.
        target: The right answer; ``None`` where the data have none.
        answer: The answer as read; ``None`` where it could not be.
        problem: ``unparsed`` or ``refusal`` (both count as wrong), or empty.
        error: Why the model gave no answer; such a sample is counted, never scored.
        fields: Those fields of the sample that the spec keeps.
        stratum: The stratum within which clusters are drawn.
        groups: Value of each slice, with who said so.
        images: In the sample's order.
        notes: Other remarks on the sample, and how often each applies.
        prompt: Short hash of the request; empty when nothing was sent.
        sent: The prompt itself, where the run kept it.
        written: The generated text; ``None`` for scores and vectors.
        scores: The model's score of each option, not normalised.
        score: The headline metric on this sample alone; ``None`` where it has none.
        vectors: Vectors of the image and each text, where the spec keeps them (base64, float32).
        annotators: Of what stands for annotators: each one's answer and what the others say, which
            are scored in the place of ``answer`` and ``target``; empty for fewer than two.
        extra: Keys of a later version, kept as they are.
    """

    id: str
    cluster: str
    target: Json
    answer: Json = None
    problem: str = ""
    error: Failed | None = None
    fields: Mapping[str, Json] = _NONE
    stratum: str = ""
    groups: Mapping[str, Group] = _NONE
    images: tuple[ImageFile, ...] = ()
    notes: Mapping[str, int] = _NONE
    prompt: str = ""
    sent: SentPrompt | None = None
    written: Written | None = None
    scores: Scores | None = None
    score: float | None = None
    vectors: str = ""
    annotators: tuple[AnnotatorAnswer, ...] | None = None
    extra: Mapping[str, Json] = _NONE

    @property
    def text(self) -> str:
        """The generated text; empty where none was."""
        return "" if self.written is None else self.written.text

    def to_json(self) -> dict[str, Any]:
        """Return the line's object; the order of its keys is part of the format."""
        data: dict[str, Any] = {
            "id": self.id,
            "cluster": self.cluster,
            "target": self.target,
            "answer": self.answer,
            "problem": self.problem,
            "error": self.error and {"kind": self.error.kind, "message": self.error.message},
            "fields": self.fields,
            "stratum": self.stratum,
            "groups": {name: [group.value, group.source] for name, group in self.groups.items()},
            "images": [
                {"sha256": image.sha256, "width": image.width, "height": image.height}
                | ({"view": image.view} if image.view else {})
                for image in self.images
            ],
        }
        if self.notes:
            data["notes"] = self.notes
        if self.prompt:
            data["prompt"] = self.prompt
        if self.sent is not None:
            data["sent"] = {"turns": self.sent.turns, "options": self.sent.options}
        if self.written is not None:
            data |= _written_to_json(self.written)
        if self.scores is not None:
            data["score_kind"] = self.scores.kind
            data["scores"] = self.scores.values
            if self.scores.tokens:
                data["tokens"] = self.scores.tokens
            if self.scores.bytes:
                data["bytes"] = self.scores.bytes
        if self.score is not None:
            data["score"] = self.score
        if self.vectors:
            data["vectors"] = self.vectors
        if self.annotators is not None:
            data["annotators"] = self.annotators
        return {**data, **self.extra} if self.extra else data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SampleRecord:
        """Return the record of a line's object.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not a record.
        """
        if not (isinstance(data["id"], str) and isinstance(data["cluster"], str)):
            raise TypeError("id and cluster are texts")
        get = data.get
        error, text, values, sent = data["error"], get("text"), get("scores"), get("sent")
        sum([*(values or ()), get("score") or 0])  # a text among the numbers raises
        return cls(  # by position, which is quicker: reading a table's samples is mostly this call
            data["id"],
            data["cluster"],
            data["target"],
            data["answer"],
            data["problem"],
            None if error is None else Failed(error["kind"], error["message"]),
            get("fields", _NONE),
            get("stratum", ""),
            {name: _group(*pair) for name, pair in data["groups"].items()},
            tuple(
                [
                    ImageFile(
                        image["sha256"], image["width"], image["height"], image.get("view", "")
                    )
                    for image in data["images"]
                ]
            ),
            get("notes", _NONE),
            get("prompt", ""),
            None if sent is None else _sent_from_json(sent),
            None if text is None else _written_from_json(data),
            None
            if values is None
            else Scores(
                get("score_kind", ""),
                tuple(values),
                tuple(get("tokens", ())),
                tuple(get("bytes", ())),
            ),
            get("score"),
            get("vectors", ""),
            None
            if "annotators" not in data
            else tuple([AnnotatorAnswer(*image) for image in data["annotators"]]),
            _NONE
            if data.keys() <= KEYS
            else {name: value for name, value in data.items() if name not in KEYS},
        )


def _written_to_json(written: Written) -> dict[str, Any]:
    data: dict[str, Any] = {"text": written.text}
    if written.finish is not None:
        data["finish"] = written.finish
    if written.reasoning:
        data["reasoning"] = written.reasoning
    if written.reasoning_cut:
        data["reasoning_cut"] = written.reasoning_cut
    if written.unfinished:
        data["unfinished"] = written.unfinished
    return data


def _written_from_json(data: Mapping[str, Any]) -> Written:
    return Written(
        data["text"],
        data.get("finish"),
        data.get("reasoning", ""),
        data.get("reasoning_cut", 0),
        data.get("unfinished", ""),
    )


def _sent_from_json(data: Mapping[str, Any]) -> SentPrompt:
    turns = tuple((str(role), str(text)) for role, text in data["turns"])
    return SentPrompt(turns, tuple(map(str, data.get("options", ()))))


def parse_sample(data: object) -> SampleRecord | None:
    """Return the record of a parsed line; ``None`` when it is not a sample record."""
    if not isinstance(data, dict):
        return None
    try:
        return SampleRecord.from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def read_samples(directory: Path) -> Iterator[SampleRecord]:
    """Yield the sample records of a sealed evaluation, in plan order.

    Raises:
        UserError: at ``file:line``, for a line that is not a sample record.
    """
    path = directory / SAMPLES
    try:
        with open_file(path) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = parse_sample(_decode(line.decode()))
                except (ValueError, RecursionError):
                    record = None
                if record is None:
                    raise UserError("not a sample record", where=f"{path}:{number}")
                yield record
    except OSError as error:
        raise UserError(f"cannot be read: {reason_of(error)}", where=path) from None
