"""Sample records: a line and its type are the same thing, and the schema describes both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.errors import UserError
from harness.requests import AnnotatorAnswer, Failed, Scores
from harness.runs.sample_record import (
    KEYS,
    ImageFile,
    SampleRecord,
    SentPrompt,
    Written,
    read_samples,
)
from harness.samples import Group
from harness.specs.schema import schema

FULL = SampleRecord(
    id="a", cluster="c", target="yes", answer="no", problem="unparsed",
    error=Failed("no_answer", "the model did not answer"), fields={"concept": "nurse"},
    stratum="s", groups={"gender": Group("female", "human")}, images=(ImageFile("0" * 64, 3, 4),),
    notes={"box beyond its image": 2}, prompt="0" * 16,
    sent=SentPrompt((("user", "Who?"),), ("yes", "no")),
    written=Written("B", "length", "Hm", 7, "used up"),
    scores=Scores("logprob", (-1.0, -2.0), (1, 2), (3, 4)), score=0.5,
    vectors="AAAA",
    annotators=(AnnotatorAnswer("B", ["A", "C"], 2),),
)  # fmt: skip
BARE = SampleRecord("a", "c", None)


@pytest.mark.parametrize("record", [FULL, BARE])
def test_a_record_is_its_line(record: SampleRecord) -> None:
    line = json.loads(json.dumps(record.to_json()))
    assert SampleRecord.from_json(line) == record
    Draft202012Validator(schema("sample")).validate(line)


def test_keys_come_in_one_order_and_only_where_they_say_something() -> None:
    assert list(BARE.to_json()) == [
        *("id", "cluster", "target", "answer", "problem", "error", "fields", "stratum", "groups"),
        "images",
    ]
    assert list(FULL.to_json())[10:] == [
        *("notes", "prompt", "sent", "text", "finish", "reasoning", "reasoning_cut", "unfinished"),
        *("score_kind", "scores", "tokens", "bytes", "score", "vectors", "annotators"),
    ]


def test_the_schema_names_every_key() -> None:
    assert set(FULL.to_json()) == KEYS == set(schema("sample")["properties"])
    Draft202012Validator.check_schema(schema("sample"))


def test_a_key_of_a_later_version_is_kept() -> None:
    line = {**BARE.to_json(), "later": [1]}
    assert SampleRecord.from_json(line).to_json() == line


@pytest.mark.parametrize(
    "change",
    [{"error": "x"}, {"groups": []}, {"groups": {"a": 1}}, {"images": [1]}, {"id": 1}, {"sent": 1}],
)
def test_a_line_of_another_shape_is_refused_at_its_place(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    lines = [BARE.to_json(), {**BARE.to_json(), **change}]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match=r"samples\.jsonl:2: not a sample record"):
        list(read_samples(tmp_path))
