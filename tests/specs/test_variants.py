"""Variants: which there are, what they ask, and that only listed options have an order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.samples import Sample
from harness.specs import TaskSpec
from harness.specs.loader import parts, with_options
from harness.specs.prompt import lists_options, options_as_sent, prompt_text
from harness.specs.variants import Variant, check_found, variants_of
from tests.specs.specs_for_tests import changed

SAMPLE = Sample("s", (), "sad", "c", {"who": "Ada"})


def mood(prompt: str = "in?") -> TaskSpec:
    return with_options(changed("in?", prompt), {"odd": "include"})


LISTING = "in? One of {{ options | join(', ') }}."


def asked(spec: TaskSpec, kinds: str) -> list[str]:
    found = variants_of(spec, kinds, lists_options=lists_options(spec))
    return [prompt_text(one, SAMPLE) for one in found]


def test_paraphrases_are_the_spec_s_own() -> None:
    assert asked(mood(), "paraphrases") == ["How does Ada feel?"]
    assert asked(mood(), "paraphrases=5") == ["How does Ada feel?"]


def test_rotations_move_the_listed_options_on() -> None:
    assert asked(mood(LISTING), "rotations=9") == [
        "Which mood is Ada in? One of sad, odd, glad one.",
        "Which mood is Ada in? One of odd, glad one, sad.",
    ]


def test_the_order_of_options_that_are_not_listed_is_no_variant() -> None:
    assert variants_of(mood(), "rotations,shuffles", lists_options=False) == []


def test_scores_are_asked_in_the_order_of_labels_whatever_is_listed() -> None:
    spec = mood(LISTING)
    for one in variants_of(spec, "rotations,shuffles", lists_options=True):
        assert options_as_sent(one, SAMPLE) == options_as_sent(spec, SAMPLE)


@given(st.lists(st.text(), unique=True), st.integers(0, 50), st.text())
def test_every_order_holds_each_option_once(options: list[str], number: int, sample: str) -> None:
    for variant in (Variant("rotation", number), Variant("shuffle", number)):
        assert sorted(variant.ordered(options, sample)) == sorted(options)
        assert variant.ordered(options, sample) == variant.ordered(options, sample)


def test_a_variant_has_a_fingerprint_and_a_name_of_its_own() -> None:
    spec = mood()
    other = replace(spec, variant=Variant("paraphrase", 1))
    assert other.name == "mood, paraphrase 1"
    assert {key for key in parts(spec) if parts(spec)[key] != parts(other)[key]} == {"variant"}


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ("paraphrase", "no kind of variant 'paraphrase'\n  fix: did you mean 'paraphrases'"),
        ("rotations=0", "'0' is not a whole number above 0"),
        ("shuffles=x", "'x' is not a whole number above 0"),
    ],
)
def test_a_wrong_kind_is_named(kinds: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        variants_of(mood(), kinds, lists_options=True)
    assert said in str(caught.value)


def test_a_kind_that_asks_nothing_otherwise_is_said() -> None:
    found = variants_of(mood(), "paraphrases,rotations", lists_options=False)
    check_found("paraphrases", found)
    with pytest.raises(UserError, match="lists its options"):
        check_found("paraphrases,rotations", found)
    with pytest.raises(UserError, match="no task of this run has paraphrases"):
        check_found("paraphrases", [])
