"""Extractors: what counts as an answer, as unparsed, as a refusal."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json, load_target, parse_options
from harness.errors import UserError
from harness.requests.descriptors import EXTRACTORS
from harness.requests.extractor import Extracted

BY_ID = {descriptor.id: descriptor for descriptor in EXTRACTORS}


def make(name: str, labels: tuple[str, ...] = (), **options: Json) -> Any:
    descriptor = BY_ID[name]
    given = parse_options(descriptor.options, options, owner=name)
    extractor = load_target(descriptor)(given, labels)
    return lambda text: extractor(text, {})


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("35 60", [0.355, 0.605]),
        ("(35, 60)", [0.355, 0.605]),
        ("x=35 y=60.", [0.355, 0.605]),
        ("35-60", [0.355, 0.605]),
        ("0 99", [0.005, 0.995]),
        ("35.5, 60", [0.355, 0.605]),
        ("35. 60.", [0.355, 0.605]),
        ("-5 120", [0.0, 1.0]),
        ("9" * 400 + " 1", [1.0, 0.015]),
    ],
)
def test_point_takes_two_numbers(text: str, point: list[float]) -> None:
    assert make("point")(text).answer == pytest.approx(point)


@pytest.mark.parametrize(
    "text", ["", "left", "35", "35 60 70", "the 2nd of 3 at 4", "\u0663 \u0664"]
)
def test_point_does_not_guess(text: str) -> None:
    assert make("point")(text) == Extracted(None, "unparsed")


def test_point_takes_shares_with_a_scale_of_one() -> None:
    assert make("point", scale=1)("(0.35, .6)").answer == pytest.approx([0.35, 0.6])
    assert make("point", scale=1)("0 1").answer == [0.0, 1.0]
    with pytest.raises(UserError, match="above 0"):
        make("point", scale=0)


@given(st.text(max_size=80))
def test_extractors_never_fail_and_stay_in_range(text: str) -> None:
    found = make("point")(text)
    assert (found.answer is None) == bool(found.problem)
    if found.answer is not None:
        assert all(0 <= share <= 1 and math.isfinite(share) for share in found.answer)
    named = make("label", ("happy", "no relation"))(text)
    assert named.answer in {None, "happy", "no relation"}
    assert (named.answer is None) == bool(named.problem)


RELATIONS = ("intimate", "non-intimate", "no_relation")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Intimate", "intimate"),
        ("It is NON-INTIMATE.", "non-intimate"),
        ("non intimate", "non-intimate"),
        ("They have no relation, none: no relation!", "no_relation"),
        ("no_relation", "no_relation"),
    ],
)
def test_label_is_one_whole_name(text: str, label: str) -> None:
    assert make("label", RELATIONS)(text).answer == label


@pytest.mark.parametrize("text", ["", "intimately", "intimate or no relation", "relation"])
def test_label_is_unparsed_with_none_or_two(text: str) -> None:
    assert make("label", RELATIONS)(text) == Extracted(None, "unparsed")


def test_label_prefers_the_longer_name() -> None:
    extract = make("label", ("stop", "stop inverted", "c++"))
    assert extract("a stop inverted sign").answer == "stop inverted"
    assert extract("C++").answer == "c++"


@pytest.mark.parametrize("labels", [(), ("a b", "A_b"), ("",)])
def test_label_needs_labels_it_can_tell_apart(labels: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="needs labels"):
        make("label", labels)


def test_without_labels_the_message_says_what_to_do() -> None:
    with pytest.raises(UserError, match="a task that is no choice has none") as caught:
        make("label", ())
    assert "ask with choose and its labels" in caught.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't tell whether they look happy.",
        "I cannot say 3 or 4",
        "I\u2019m unable to answer 35 60",
        "  Sorry.",
        "As an AI model, happy 1 2",
    ],
)
def test_a_refusal_is_told_by_its_start(text: str) -> None:
    assert make("point")(text).problem == "refusal"
    assert make("label", ("happy",))(text).problem == "refusal"


def test_an_answer_that_mentions_a_refusal_later_is_an_answer() -> None:
    assert make("label", ("happy", "sorry face"))("happy, I cannot be sure").answer == "happy"
    assert make("label", ("sorryful",))("sorryful").answer == "sorryful"
