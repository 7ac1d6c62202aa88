"""From responses to sample records, and from records to what metrics see."""

from __future__ import annotations

import hashlib
import math
import operator
import struct
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import fmean
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.collectors import make_metric
from harness.evaluation.requests import PreparedSample
from harness.metrics import ScoredSample
from harness.metrics.contract import SampleScore
from harness.requests import (
    AnnotatorAnswer,
    Choose,
    Failed,
    Request,
    Response,
    Scores,
    Text,
    Vectors,
)
from harness.requests.extractor import Extracted, Extractor
from harness.requests.extractors.label import LabelReader
from harness.requests.guard import make_extractor
from harness.requests.reasoning import holds_reasoning, split
from harness.runs.sample_record import SampleRecord, Written
from harness.specs import ChooseSpec, EmbedSpec, GenerateSpec, TaskSpec

MOST_REASONING = 8000
"""Characters of an answer's reasoning that a record keeps; ``reasoning_cut`` counts the others."""
ALONE = "samples with fewer than two annotators, which nobody is compared on"
_OPEN = "used up its tokens while reasoning"
_ENDED = "ended in the middle of its reasoning"


@dataclass(slots=True)
class _Reading:
    """What is read from a response, until the record is made."""

    answer: Json = None
    problem: str = ""
    error: Failed | None = None
    written: Written | None = None
    scores: Scores | None = None
    vectors: str = ""


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

    def record(self, prepared: PreparedSample, response: Response | None) -> SampleRecord:
        """Return the record; a fault of the sample or of the model is its ``error``."""
        sample, request, reading = prepared.sample, prepared.request, _Reading()
        if prepared.error is not None:
            reading.error = Failed(prepared.error.kind, str(prepared.error))
        elif request is not None:
            self._fill(reading, prepared, response)
        record = SampleRecord(
            id=sample.id,
            cluster=sample.cluster,
            target=sample.target,
            answer=reading.answer,
            problem=reading.problem,
            error=reading.error,
            fields={name: sample.fields.get(name) for name in self._spec.data.keep},
            stratum=sample.stratum,
            groups=sample.groups,
            images=prepared.images,
            notes=prepared.notes,
            prompt="" if prepared.error is not None or request is None else prompt_hash(request),
            sent=prepared.sent,
            written=reading.written,
            scores=reading.scores,
            vectors=reading.vectors,
        )
        if self._score and record.error is None and sample.target is not None:
            return record._replace(score=float(self._score(scored(record, self._spec))))
        return record

    def annotated(
        self, prepared: PreparedSample, answers: Sequence[AnnotatorAnswer]
    ) -> SampleRecord:
        """Return the record of a sample that its annotators answer in a model's place."""
        if prepared.error is not None:
            return self.record(prepared, None)
        record = self.record(replace(prepared, request=None), None)
        record = record._replace(annotators=tuple(answers), score=None)
        if not answers:
            return record._replace(notes={**record.notes, ALONE: 1})
        if not self._score:
            return record
        scores = [float(self._score(sample)) for sample in scored_each(record, self._spec)]
        return record._replace(score=fmean(scores))

    def notes(self) -> list[str]:
        """Return remarks for the record on how answers were read."""
        return list(self._notes)

    def _fill(self, reading: _Reading, prepared: PreparedSample, response: Response | None) -> None:
        request, ask = prepared.request, self._spec.ask
        assert request is not None
        result = response.result if response is not None else None
        if result is None:
            reading.error = Failed("no_answer", "the model did not answer")
        elif isinstance(result, Failed):
            reading.error = result
        elif isinstance(result, Scores) and isinstance(ask, ChooseSpec):
            self._fill_scores(reading, result, ask)
        elif isinstance(result, Text) and result.refused and not isinstance(ask, EmbedSpec):
            reading.written, reading.problem = Written(result.text, "stop"), "refusal"
            if isinstance(ask, ChooseSpec):
                reading.scores = Scores("label", (0.0,) * len(self._labels))
        elif isinstance(result, Text) and isinstance(ask, ChooseSpec):
            self._fill_words(reading, self._kept(reading, result, request), request, ask)
        elif isinstance(result, Vectors) and isinstance(ask, EmbedSpec):
            self._fill_cosines(reading, result, ask)
        elif isinstance(result, Text) and self._extractor is not None:
            text = self._kept(reading, result, request)
            extracted = Extracted(None, "unparsed")
            if not text.unfinished:
                extracted = self._extractor(text.text, seen_fields(prepared))
            reading.answer, reading.problem = extracted.answer, extracted.problem
        else:
            kind = type(result).__name__
            reading.error = Failed(
                "wrong_answer", f"the model answered with {kind}, which this task does not take"
            )

    def _kept(self, reading: _Reading, result: Text, request: Request) -> Text:
        """Return a text without reasoning, and put all of it into the record."""
        markers = request.reasoning.markers()
        parts = split(result.text, markers)
        inside = "\n".join(part for part in (result.reasoning, parts.reasoning) if part)
        unfinished = result.unfinished or parts.unfinished
        reading.written = Written(
            parts.answer,
            result.finish,
            inside[:MOST_REASONING],
            max(0, len(inside) - MOST_REASONING),
            "" if not unfinished else _OPEN if result.finish == "length" else _ENDED,
        )
        if not unfinished and not markers and request.reasoning.mode == "auto":
            self._look(parts.answer)
        return Text(parts.answer, result.finish, inside, unfinished)

    def _look(self, text: str) -> None:
        """Note a text that has markers of reasoning which nobody said to strip."""
        markers = "" if self._notes else holds_reasoning(text)
        if markers:
            self._notes.append(
                f"answers hold reasoning ({markers}) and were read with it; "
                "-o reasoning=strip takes it out, -o reasoning=keep says that it belongs there"
            )

    def _fill_words(self, reading: _Reading, text: Text, request: Request, ask: ChooseSpec) -> None:
        """Read the option that a text names: 1 for it and 0 elsewhere, 0 everywhere for none."""
        assert isinstance(request.want, Choose)
        extracted = Extracted(None, "unparsed")
        if not text.unfinished:
            try:
                extracted = _label_reader(tuple(request.want.options)).read(text.text)
            except ValueError:
                reading.error = Failed(
                    "options_alike",
                    "options that differ in no more than case and joints cannot be told apart in "
                    "words",
                )
                return
        values = tuple(
            float(place == extracted.answer) for place in range(len(request.want.options))
        )
        self._fill_scores(reading, Scores("label", values), ask)
        if extracted.answer is None and reading.error is None:
            reading.answer, reading.problem = None, extracted.problem

    def _fill_scores(self, reading: _Reading, result: Scores, ask: ChooseSpec) -> None:
        scores = _finite(result.values)
        if scores is None or len(scores) != len(self._labels):
            counted = f"{len(result.values)} scores for {len(self._labels)} options"
            problem = "a score is not a finite number" if scores is None else counted
            reading.error = Failed("bad_scores", problem)
            return
        # As given: rounded, small shares of a sure model would tie before a metric ranks them.
        reading.scores = Scores(result.kind, scores, result.tokens, result.bytes)
        values = normalised(reading.scores, ask.normalisation)
        # The first of equal scores wins: a rule that does not depend on anything else.
        reading.answer = self._labels[max(range(len(values)), key=values.__getitem__)]

    @staticmethod
    def _fill_cosines(reading: _Reading, result: Vectors, ask: EmbedSpec) -> None:
        vectors = [*result.images[:1], *result.texts]
        lengths = [math.hypot(*vector) for vector in vectors]
        alike = len({len(vector) for vector in vectors}) == 1 and all(
            0 < length < math.inf for length in lengths
        )
        if not result.images or len(result.texts) != len(ask.texts) or not alike:
            reading.error = Failed(
                "bad_vectors",
                f"{len(result.images)} image and {len(result.texts)} text vectors for "
                f"an image and {len(ask.texts)} texts, of different lengths, or not finite",
            )
            return
        cosines = tuple(
            math.fsum(map(operator.mul, vectors[0], text)) / (lengths[0] * length)
            for text, length in zip(vectors[1:], lengths[1:], strict=True)
        )
        reading.scores = Scores("similarity", cosines)
        if ask.keep_vectors:
            unit = (value / length for vector, length in zip(vectors, lengths, strict=True)
                    for value in vector)  # fmt: skip
            reading.vectors = b64encode(
                struct.pack(f"<{len(vectors) * len(vectors[0])}f", *unit)
            ).decode()


def needs_size(spec: TaskSpec) -> bool:
    """Whether answers can be read only beside the size of their sample's image."""
    extractor = _extractor(spec)
    return bool(getattr(extractor, "needs_image_size", False))


def _extractor(spec: TaskSpec) -> Extractor | None:
    if not isinstance(spec.ask, GenerateSpec):
        return None
    return make_extractor(spec.ask.extractor, spec.ask.extractor_options, spec.labels)


def seen_fields(prepared: PreparedSample) -> Mapping[str, Json]:
    """Return a sample's fields as an extractor sees them.

    ``image_size`` is width and height in pixels of the sample's first image as it was shown, where
    one was opened.
    """
    if prepared.shown is None:
        return prepared.sample.fields
    return {**prepared.sample.fields, "image_size": list(prepared.shown)}


def _finite(values: Sequence[Any]) -> tuple[float, ...] | None:
    """Return values as floats, each exactly; ``None`` when one is no finite number."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


_label_reader = lru_cache(maxsize=256)(LabelReader)


def normalised(scores: Scores, rule: str) -> tuple[float, ...]:
    """Return scores as the spec compares them: ``none``, per ``token`` or per ``byte``.

    Raises:
        UserError: for scores without lengths to divide by: similarities, labels, and what a method
            makes of whole options.
    """
    if rule == "none":
        return scores.values
    lengths = scores.tokens if rule == "token" else scores.bytes
    if scores.kind != "logprob" or len(lengths) != len(scores.values):
        raise UserError(
            f"scores of kind {scores.kind!r} without lengths cannot be normalised per {rule}",
            fix="set choose.normalisation to none in the spec, or leave out --method",
        )
    return tuple(
        value / max(1, length) for value, length in zip(scores.values, lengths, strict=True)
    )


def scored(record: SampleRecord, spec: TaskSpec) -> ScoredSample:
    """Return a record as a metric sees it."""
    scores = record.scores
    rule = spec.ask.normalisation if isinstance(spec.ask, ChooseSpec) else "none"
    each = spec.data.each
    about = "" if each is None else f"#{record.fields.get(each.field)}"
    first = record.images[0] if record.images else None
    return ScoredSample(
        id=record.id,
        cluster=record.cluster,
        target=record.target,
        answer=record.answer,
        scores=None if scores is None else normalised(scores, rule),
        labels=spec.labels,
        size=None if first is None else (first.width, first.height),
        groups={name: group.value for name, group in record.groups.items()},
        fields=record.fields,
        stratum=record.stratum,
        source=record.id.removesuffix(about) if about else record.id,
        score_kind="" if scores is None else scores.kind,
        vectors=record.vectors,
    )


def scored_each(record: SampleRecord, spec: TaskSpec) -> list[ScoredSample]:
    """Return a record as metrics see it: once, or once for each annotator against the others."""
    sample = scored(record, spec)
    if record.annotators is None:
        return [sample]
    return [answered for _, answered in each_annotator(sample, record.annotators)]


def each_annotator(
    sample: ScoredSample, annotators: Sequence[AnnotatorAnswer]
) -> Iterator[tuple[ScoredSample, ScoredSample]]:
    """Yield a sample against all annotators but one, and the same as that one answered it."""
    answers = [one for one in annotators for _ in range(one.times)]
    for position, answer in enumerate(answers):
        against = replace(sample, id=f"{sample.id}#annotator {position}", target=answer.target)
        shares = tuple(float(label == answer.answer) for label in sample.labels)
        kind = "label" if shares else ""
        yield (
            against,
            replace(against, answer=answer.answer, scores=shares or None, score_kind=kind),
        )


def prompt_hash(request: Request) -> str:
    """Return a short hash of a request's texts and image keys, as they were sent."""
    digest = hashlib.blake2b(digest_size=8)
    for turn in request.turns:
        digest.update(f"{turn.role}\x00{turn.text}\x00".encode())
        for image in turn.images:
            digest.update(image.key.encode())
    return digest.hexdigest()
