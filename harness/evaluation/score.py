"""From responses to sample records, and from records to what metrics see."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.requests import PreparedSample
from harness.metrics import ScoredSample
from harness.metrics.contract import SampleScore
from harness.metrics.guard import make_metric
from harness.requests import Choose, Failed, Request, Response, Scores, Text, Vectors
from harness.requests.extractor import Extracted, Extractor
from harness.requests.extractors.label import LabelReader
from harness.requests.guard import make_extractor
from harness.requests.reasoning import KNOWN, split
from harness.specs import ChooseSpec, EmbedSpec, GenerateSpec, TaskSpec

Record = dict[str, Any]

MOST_REASONING = 8000
"""Characters of an answer's reasoning that a record keeps; ``reasoning_cut`` counts the others."""
_OPEN = "used up its tokens while reasoning"
_ENDED = "ended in the middle of its reasoning"


class Scorer:
    """Makes the line of ``samples.jsonl`` for an asked sample and its response."""

    def __init__(self, spec: TaskSpec) -> None:
        self._spec = spec
        self._labels = spec.labels
        self._extractor = _extractor(spec)
        main = spec.main_metric
        metric = make_metric(main.id, main.options, self._labels)
        self._score = metric.score if isinstance(metric, SampleScore) else None
        self._notes: list[str] = []

    def record(self, asked: PreparedSample, response: Response | None) -> Record:
        """Return the record; a fault of the sample or of the model is its ``error``."""
        sample = asked.sample
        record: Record = {
            "id": sample.id,
            "cluster": sample.cluster,
            "target": sample.target,
            "answer": None,
            "problem": "",
            "error": None,
            "fields": {name: sample.fields.get(name) for name in self._spec.data.keep},
            "stratum": sample.stratum,
            "groups": {name: [group.value, group.source] for name, group in sample.groups.items()},
            "images": asked.images,
        }
        if asked.notes:
            record["notes"] = dict(asked.notes)
        if asked.error is not None:
            record["error"] = {"kind": asked.error.kind, "message": str(asked.error)}
        elif asked.request is not None:
            record["prompt"] = prompt_hash(asked.request)
            self._fill(record, asked, response)
        if self._score and record["error"] is None and sample.target is not None:
            record["score"] = float(self._score(scored(record, self._spec)))
        return record

    def notes(self) -> list[str]:
        """Return what whoever reads the record should know of how answers were read."""
        return list(self._notes)

    def _fill(self, record: Record, asked: PreparedSample, response: Response | None) -> None:
        request = asked.request
        result = response.result if response is not None else None
        if result is None:
            record["error"] = {"kind": "no_answer", "message": "the model did not answer"}
        elif isinstance(result, Failed):
            record["error"] = {"kind": result.kind, "message": result.message}
        elif isinstance(result, Scores) and isinstance(self._spec.ask, ChooseSpec):
            self._fill_scores(record, result, self._spec.ask)
        elif (
            isinstance(result, Text)
            and result.refused
            and not isinstance(self._spec.ask, EmbedSpec)
        ):
            record["text"], record["finish"], record["problem"] = result.text, "stop", "refusal"
            if isinstance(self._spec.ask, ChooseSpec):
                record["score_kind"], record["scores"] = "label", [0.0] * len(self._labels)
        elif isinstance(result, Text) and isinstance(self._spec.ask, ChooseSpec):
            assert request is not None
            self._fill_words(record, self._kept(record, result, request), request, self._spec.ask)
        elif isinstance(result, Vectors) and isinstance(self._spec.ask, EmbedSpec):
            self._fill_cosines(record, result, self._spec.ask)
        elif isinstance(result, Text) and self._extractor is not None:
            assert request is not None
            text = self._kept(record, result, request)
            found = Extracted(None, "unparsed")
            if not text.unfinished:
                found = self._extractor(text.text, seen_fields(asked))
            record["answer"], record["problem"] = found.answer, found.problem
        else:
            said = type(result).__name__
            record["error"] = {
                "kind": "wrong_answer",
                "message": f"the model answered with {said}, which this task does not take",
            }

    def _kept(self, record: Record, result: Text, request: Request) -> Text:
        """Return a text without reasoning, and put all of it into the record."""
        reasoning = request.reasoning
        markers = reasoning.markers()
        parts = split(result.text, markers)
        inside = "\n".join(part for part in (result.reasoning, parts.reasoning) if part)
        unfinished = result.unfinished or parts.unfinished
        record["text"], record["finish"] = parts.answer, result.finish
        if inside:
            record["reasoning"] = inside[:MOST_REASONING]
        if len(inside) > MOST_REASONING:
            record["reasoning_cut"] = len(inside) - MOST_REASONING
        if unfinished:
            record["unfinished"] = _OPEN if result.finish == "length" else _ENDED
        elif not markers and reasoning.mode == "auto":
            self._look(parts.answer)
        return Text(parts.answer, result.finish, inside, unfinished)

    def _look(self, text: str) -> None:
        """Note a text that has markers of reasoning which nobody said to strip."""
        for opening, closing in KNOWN:
            if not self._notes and (text.lstrip().startswith(opening) or closing in text):
                self._notes.append(
                    f"answers hold reasoning ({opening} ... {closing}) and were read with it; "
                    "-o reasoning=strip takes it out, -o reasoning=keep says that it belongs there"
                )

    def _fill_words(self, record: Record, text: Text, request: Request, ask: ChooseSpec) -> None:
        """Read the option that a text names: 1 for it and 0 elsewhere, 0 everywhere for none."""
        assert isinstance(request.want, Choose)
        found = Extracted(None, "unparsed")
        if not text.unfinished:
            try:
                found = _label_reader(tuple(request.want.options)).read(text.text)
            except ValueError:
                record["error"] = {
                    "kind": "options_alike",
                    "message": "options that differ in no more than case and joints cannot be told "
                    "apart in words",
                }
                return
        values = tuple(float(place == found.answer) for place in range(len(request.want.options)))
        self._fill_scores(record, Scores("label", values), ask)
        if found.answer is None and record["error"] is None:
            record["answer"], record["problem"] = None, found.problem

    def _fill_scores(self, record: Record, result: Scores, ask: ChooseSpec) -> None:
        given = _finite(result.values)
        if given is None or len(given) != len(self._labels):
            record["error"] = {
                "kind": "bad_scores",
                "message": f"{len(result.values)} scores for {len(self._labels)} options, "
                "or one that is not finite",
            }
            return
        values = normalised(replace(result, values=given), ask.normalisation)
        record["score_kind"] = result.kind
        # As given: rounded, small shares of a sure model would tie before a metric ranks them.
        record["scores"] = list(given)
        if result.tokens:
            record["tokens"] = list(result.tokens)
        if result.bytes:
            record["bytes"] = list(result.bytes)
        # The first of equal scores wins: a rule that does not depend on anything else.
        record["answer"] = self._labels[max(range(len(values)), key=values.__getitem__)]

    @staticmethod
    def _fill_cosines(record: Record, result: Vectors, ask: EmbedSpec) -> None:
        vectors = [*result.images[:1], *result.texts]
        lengths = [math.hypot(*vector) for vector in vectors]
        alike = len({len(vector) for vector in vectors}) == 1 and all(
            0 < length < math.inf for length in lengths
        )
        if not result.images or len(result.texts) != len(ask.texts) or not alike:
            record["error"] = {
                "kind": "bad_vectors",
                "message": f"{len(result.images)} image and {len(result.texts)} text vectors for "
                f"an image and {len(ask.texts)} texts, of different lengths, or not finite",
            }
            return
        record["score_kind"] = "similarity"
        record["scores"] = [
            math.fsum(map(operator.mul, vectors[0], text)) / (lengths[0] * length)
            for text, length in zip(vectors[1:], lengths[1:], strict=True)
        ]


def needs_size(spec: TaskSpec) -> bool:
    """Whether answers can be read only beside the size of their sample's image."""
    extractor = _extractor(spec)
    return bool(getattr(extractor, "needs_image_size", False))


def _extractor(spec: TaskSpec) -> Extractor | None:
    if not isinstance(spec.ask, GenerateSpec):
        return None
    return make_extractor(spec.ask.extractor, spec.ask.extractor_options, spec.labels)


def seen_fields(asked: PreparedSample) -> Mapping[str, Json]:
    """Return a sample's fields as an extractor sees them.

    ``image_size`` is width and height in pixels of the sample's first image as it was shown, where
    one was opened.
    """
    if asked.shown is None:
        return asked.sample.fields
    return {**asked.sample.fields, "image_size": list(asked.shown)}


def _finite(values: Sequence[Any]) -> tuple[float, ...] | None:
    """Return values as floats, each exactly; ``None`` when one is no finite number."""
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(map(math.isfinite, found)) else None


@lru_cache(maxsize=256)
def _label_reader(options: tuple[str, ...]) -> LabelReader:
    return LabelReader(options)


def normalised(scores: Scores, rule: str) -> tuple[float, ...]:
    """Return scores as the spec compares them: ``none``, per ``token`` or per ``byte``.

    Raises:
        UserError: for similarities and labels, which have no length to divide by.
    """
    if rule == "none":
        return scores.values
    lengths = scores.tokens if rule == "token" else scores.bytes
    if scores.kind != "logprob" or len(lengths) != len(scores.values):
        raise UserError(
            f"scores of kind {scores.kind!r} cannot be normalised per {rule}",
            fix="set choose.normalisation to none in the spec",
        )
    return tuple(
        value / max(1, length) for value, length in zip(scores.values, lengths, strict=True)
    )


def scored(record: Mapping[str, Any], spec: TaskSpec) -> ScoredSample:
    """Return a record as a metric sees it."""
    images = record["images"]
    scores = record.get("scores")
    values: tuple[float, ...] | None = None
    if scores is not None:
        values = tuple(scores)
        if isinstance(spec.ask, ChooseSpec) and spec.ask.normalisation != "none":
            lengths = tuple(record.get("tokens", ())), tuple(record.get("bytes", ()))
            kept = Scores(record["score_kind"], values, *lengths)
            values = normalised(kept, spec.ask.normalisation)
    name, each = record["id"], spec.data.each
    about = "" if each is None else f"#{record['fields'].get(each.field)}"
    return ScoredSample(
        id=name,
        cluster=record["cluster"],
        target=record["target"],
        answer=record["answer"],
        scores=values,
        labels=spec.labels,
        size=(images[0]["width"], images[0]["height"]) if images else None,
        groups={name: pair[0] for name, pair in record["groups"].items()},
        fields=record["fields"],
        stratum=record["stratum"],
        source=name.removesuffix(about) if about else name,
        score_kind=record.get("score_kind", ""),
    )


def prompt_hash(request: Request) -> str:
    """Return a short hash of a request's texts and image keys, as they were sent."""
    digest = hashlib.blake2b(digest_size=8)
    for turn in request.turns:
        digest.update(f"{turn.role}\x00{turn.text}\x00".encode())
        for image in turn.images:
            digest.update(image.key.encode())
    return digest.hexdigest()
