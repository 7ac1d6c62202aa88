"""Responses to records, and records to what metrics see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.evaluation.ask import Asked
from harness.evaluation.score import Scorer, scored
from harness.requests import Embed, Request, Response, Vectors
from harness.samples import Sample
from harness.specs import DataSpec, EmbedSpec, MetricSpec, PromptSpec, TaskSpec
from harness.specs.spec import Each

SPEC = TaskSpec(
    id="t", version=1, title="T", summary="", citation="", licence="", intended_use="",
    data=DataSpec("", "", "", None, {}, "", keep=("concept",)), prompt=PromptSpec(""),
    ask=EmbedSpec(("a nurse", "a chef")), answer="", unit="image",
    metrics=(MetricSpec(id="ndkl", column="NDKL", direction="lower", main=True),),
)  # fmt: skip
SAMPLE = Sample("p1#nurse", (), None, "c", fields={"concept": "nurse"}, stratum="s")


def recorded(vectors: Vectors) -> dict[str, Any]:
    request = Request(SAMPLE.id, SAMPLE.id, "t", (), Embed(("a nurse", "a chef")))
    return Scorer(SPEC).record(Asked(SAMPLE, request), Response(SAMPLE.id, vectors))


def test_vectors_become_cosines_of_the_image_with_each_text() -> None:
    record = recorded(Vectors(((3.0, 4.0),), ((1.0, 0.0), (0.0, -2.0))))
    assert record["error"] is None
    assert record["score_kind"] == "similarity"
    assert record["scores"] == [0.6, -0.8]
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
    assert record["error"]["kind"] == "bad_vectors"
    assert "scores" not in record


def test_a_picture_asked_about_several_values_keeps_its_own_name() -> None:
    record = recorded(Vectors(((1.0,),), ((1.0,), (1.0,))))
    assert scored(record, SPEC).source == "p1#nurse"
    each = replace(SPEC.data, each=Each("concept", ("nurse", "chef"), {}))
    found = scored(record, replace(SPEC, data=each))
    assert (found.source, found.stratum) == ("p1", "s")
