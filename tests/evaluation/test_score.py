"""Responses to records, and records to what metrics see."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.evaluation.requests import PreparedSample
from harness.evaluation.score import Scorer, scored
from harness.evaluation.summarise import summarise
from harness.requests import (
    Choose,
    Embed,
    Generate,
    Reasoning,
    Request,
    Response,
    Scores,
    Text,
    Vectors,
)
from harness.runs.record import Counts
from harness.runs.sample_record import SampleRecord, Written
from harness.samples import Sample
from harness.specs import (
    ChooseSpec,
    DataSpec,
    EmbedSpec,
    GenerateSpec,
    MetricSpec,
    PromptSpec,
    TaskSpec,
)
from harness.specs.spec import Each

SPEC = TaskSpec(
    id="t", version=1, title="T", summary="", citation="", licence="", intended_use="",
    data=DataSpec("", "", "", None, {}, "", keep=("concept",)), prompt=PromptSpec(""),
    ask=EmbedSpec(("a nurse", "a chef")), answer="", unit="image",
    metrics=(MetricSpec(id="ndkl", column="NDKL", direction="lower", main=True),),
)  # fmt: skip
SAMPLE = Sample("p1#nurse", (), None, "c", fields={"concept": "nurse"}, stratum="s")


def recorded(vectors: Vectors) -> SampleRecord:
    request = Request(SAMPLE.id, SAMPLE.id, "t", (), Embed(("a nurse", "a chef")))
    return Scorer(SPEC).record(PreparedSample(SAMPLE, request), Response(SAMPLE.id, vectors))


def test_vectors_become_cosines_of_the_image_with_each_text() -> None:
    record = recorded(Vectors(((3.0, 4.0),), ((1.0, 0.0), (0.0, -2.0))))
    assert record.error is None
    assert record.scores == Scores("similarity", (0.6, -0.8))
    assert scored(record, SPEC).scores == (0.6, -0.8)


@pytest.mark.parametrize(
    "vectors",
    [
        Vectors((), ((1.0,), (1.0,))),
        Vectors(((1.0, 0.0),), ((1.0, 0.0),)),
        Vectors(((1.0, 0.0),), ((1.0, 0.0), (1.0,))),
        Vectors(((0.0, 0.0),), ((1.0, 0.0), (1.0, 0.0))),
        Vectors(((float("nan"), 0.0),), ((1.0, 0.0), (1.0, 0.0))),
    ],
)
def test_vectors_that_have_no_cosine_are_an_error_of_the_sample(vectors: Vectors) -> None:
    record = recorded(vectors)
    assert record.error is not None
    assert record.error.kind == "bad_vectors"
    assert "scores" not in record.to_json()


def test_a_picture_asked_about_several_values_keeps_its_own_name() -> None:
    record = recorded(Vectors(((1.0,),), ((1.0,), (1.0,))))
    assert scored(record, SPEC).source == "p1#nurse"
    each = replace(SPEC.data, each=Each("concept", ("nurse", "chef"), {}))
    result = scored(record, replace(SPEC, data=each))
    assert (result.source, result.stratum) == ("p1", "s")


# --- answers in words, scores as given, reasoning ------------------------------------------------

RELATIONS = ("intimate", "non-intimate", "no_relation")
CHOICE = replace(
    SPEC,
    data=replace(SPEC.data, keep=()),
    ask=ChooseSpec(RELATIONS),
    metrics=(
        MetricSpec(id="map", column="mAP", direction="higher", main=True),
        MetricSpec(id="accuracy", column="Accuracy", direction="higher"),
    ),
)
WRITTEN = replace(
    CHOICE,
    ask=GenerateSpec(16, "option_letter"),
    metrics=(MetricSpec(id="accuracy", column="Accuracy", direction="higher", main=True),),
)


def answered(
    spec: TaskSpec, result: Any, target: str = "intimate", **keywords: Any
) -> SampleRecord:
    want: Any = Generate(16) if isinstance(spec.ask, GenerateSpec) else Choose(RELATIONS)
    sample = Sample("s", (), target, "c", fields={"A": "cat", "B": "dog"})
    request = Request("s", "s", "t", (), want, **keywords)
    return Scorer(spec).record(PreparedSample(sample, request), Response("s", result))


@pytest.mark.parametrize(
    ("text", "answer", "problem"),
    [
        ("Non intimate.", "non-intimate", ""),
        ("This looks non-intimate.", "non-intimate", ""),
        ("This looks intimate.", "intimate", ""),
        ("No relation", "no_relation", ""),
        ("friends", None, "unparsed"),
        ("I'm sorry, I can't.", None, "refusal"),
    ],
)
def test_a_choice_in_words_is_read_as_written_labels_are(
    text: str, answer: str | None, problem: str
) -> None:
    record = answered(CHOICE, Text(text, "length"))
    assert record.error is None
    assert (record.answer, record.problem) == (answer, problem)
    assert record.written == Written(text, "length")
    assert record.scores == Scores("label", tuple(float(name == answer) for name in RELATIONS))


def test_a_choice_that_names_no_option_is_wrong_and_counted() -> None:
    records = [answered(CHOICE, Text("intimate")), answered(CHOICE, Text("who knows"))]
    summary = summarise(CHOICE, [records])
    assert (summary.counts.scored, summary.counts.errors, summary.counts.unparsed) == (2, 0, 1)
    accuracy = next(metric for metric in summary.metrics if metric.id == "accuracy")
    assert accuracy.value == 0.5


@pytest.mark.parametrize(
    "values", [(3e-9, 1.0, 0.1 + 0.2), (np.float32(0.1), np.float64(1e-30), 1)]
)
def test_scores_stand_in_the_record_as_given(values: Any) -> None:
    record = answered(CHOICE, Scores("similarity", values))
    assert record.scores == Scores("similarity", tuple(map(float, values)))
    back = SampleRecord.from_json(json.loads(json.dumps(record.to_json())))
    assert back == record
    assert scored(back, CHOICE).scores == tuple(map(float, values))


def test_the_metric_ranks_small_shares_as_scikit_learn_does() -> None:
    from sklearn.metrics import average_precision_score

    draw = np.random.default_rng(4)
    targets = draw.integers(0, 3, 400)
    logits = draw.normal(0, 12, (400, 3))
    logits[np.arange(400), targets] += 6
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    blocks = [
        [
            answered(CHOICE, Scores("similarity", tuple(row)), RELATIONS[target])._replace(
                id=str(at), cluster=str(at)
            )
            for at, (row, target) in enumerate(zip(shares, targets, strict=True))
        ]
    ]
    value = next(metric for metric in summarise(CHOICE, blocks).metrics if metric.id == "map").value
    wanted = np.mean([average_precision_score(targets == k, shares[:, k]) for k in range(3)])
    assert value == pytest.approx(wanted, abs=1e-12)
    # It would not be so with six decimals.
    coarse = np.round(shares, 6)
    tied = np.mean([average_precision_score(targets == k, coarse[:, k]) for k in range(3)])
    assert abs(tied - wanted) > 1e-3


@pytest.mark.parametrize("values", [("a", 1, 2), (None, 1, 2), (1, 2), (1, 2, float("inf"))])
def test_scores_that_are_no_numbers_are_an_error_of_the_sample(values: Any) -> None:
    record = answered(CHOICE, Scores("similarity", values))
    assert record.error is not None
    assert record.error.kind == "bad_scores"


STRIP = Reasoning("strip")


def test_no_letter_is_picked_out_of_reasoning() -> None:
    text = "<think>It could be A. Or is the answer B? Yes.</think>\n\nB"
    record = answered(WRITTEN, Text(text), "B", reasoning=STRIP)
    assert (record.answer, record.problem) == ("B", "")
    assert record.written == Written("B", "stop", "It could be A. Or is the answer B? Yes.")
    assert "unfinished" not in record.to_json()


def test_reasoning_that_used_up_its_tokens_is_unparsed_and_counted_apart() -> None:
    record = answered(WRITTEN, Text("<think>A? The answer is B", "length"), "B", reasoning=STRIP)
    assert (record.answer, record.problem) == (None, "unparsed")
    assert record.written is not None
    assert record.written.unfinished == "used up its tokens while reasoning"
    cut = answered(WRITTEN, Text("B", "length"), "B")
    counts = summarise(WRITTEN, [[record, cut]]).counts
    assert (counts.scored, counts.unparsed, counts.unfinished, counts.cut) == (2, 1, 1, 2)


def test_a_models_own_word_that_reasoning_never_ended_is_heeded() -> None:
    verbatim = replace(WRITTEN, ask=GenerateSpec(16, "verbatim"))
    record = answered(verbatim, Text("", "length", "let me see", unfinished=True), "B")
    assert (record.answer, record.problem) == (None, "unparsed")
    assert record.written is not None
    assert record.written.reasoning == "let me see"


def test_long_reasoning_is_cut_in_the_record_and_that_is_said() -> None:
    record = answered(WRITTEN, Text("B", reasoning="x" * 9000), "B")
    assert record.written is not None
    assert (len(record.written.reasoning), record.written.reasoning_cut) == (8000, 1000)


@pytest.mark.parametrize("mode", ["auto", "keep"])
def test_markers_that_nobody_said_to_strip_are_noted(mode: Any) -> None:
    scorer = Scorer(WRITTEN)
    sample = Sample("s", (), "B", "c", fields={"A": "cat", "B": "dog"})
    request = Request("s", "s", "t", (), Generate(16), reasoning=Reasoning(mode))
    record = scorer.record(
        PreparedSample(sample, request), Response("s", Text("<think>A</think> B"))
    )
    assert record.text == "<think>A</think> B"
    assert ["reasoning=strip" in note for note in scorer.notes()] == [True] * (mode == "auto")


def test_old_records_are_read_as_they_stand() -> None:
    record = answered(CHOICE, Scores("logprob", (-1.5, -0.25, -3.0)))
    old = {**record.to_json(), "scores": [-1.5, -0.25, -3.0]}
    assert scored(SampleRecord.from_json(old), CHOICE).scores == (-1.5, -0.25, -3.0)
    assert Counts(1, 1, 0, 0, 0, 1) == Counts(1, 1, 0, 0, 0, 1, 0, 0, 0)
