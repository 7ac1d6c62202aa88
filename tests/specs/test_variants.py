"""Variants: which there are, what they ask, and that only listed options have an order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.errors import UserError
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.task import Task
from harness.plugins import plugins
from harness.samples import Sample
from harness.specs import TaskSpec, fingerprint
from harness.specs.catalog import load_catalog
from harness.specs.loader import parts, with_options
from harness.specs.prompt import lists_options, options_as_sent, prompt_text, texts_to_embed
from harness.specs.variants import Variant, check_found, variants_of
from tests.specs.specs_for_tests import changed

SAMPLE = Sample("s", (), "sad", "c", {"who": "Ada"})


def mood(prompt: str = "in?") -> TaskSpec:
    return with_options(changed("in?", prompt), {"odd": "include"})


BEFORE = {
    "cmsc": ("dc196e4feba77d28", "c69aba5f3e5fc96b"),
    "fairface": ("4aef14a5a739aaa8", "834f6e13a80ec97f"),
    "scounter": ("a9fc4f7fff5e4f4c", "ca6910d65faf5633"),
    "visogender": ("5ca61eb0b299dd31", "ee58a17c3cd1f0e0"),
}
LISTING = "in? One of {{ options | join(', ') }}."


def asked(spec: TaskSpec, kinds: str) -> list[str]:
    result = variants_of(spec, kinds, lists_options=lists_options(spec))
    return [prompt_text(item, SAMPLE) for item in result]


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
    for item in variants_of(spec, "rotations,shuffles", lists_options=True):
        assert options_as_sent(item, SAMPLE) == options_as_sent(spec, SAMPLE)


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


def reworded(spec: TaskSpec, *texts: str) -> TaskSpec:
    return replace(spec, prompt=replace(spec.prompt, further_paraphrases=texts))


def test_further_paraphrases_are_numbered_after_the_others() -> None:
    texts = ["How does Ada feel?", "Ada is how?", "What mood has Ada?"]
    spec = reworded(mood(), "{{ who }} is how?", "What mood has {{ who }}?")
    assert asked(spec, "paraphrases") == texts
    assert asked(spec, "paraphrases=2") == texts[:2]


def test_a_further_paraphrase_enters_the_fingerprint_of_its_own_variant_alone() -> None:
    plain, spec = mood(), reworded(mood(), "{{ who }} is how?")
    longer, other = reworded(spec, "{{ who }} is how?", "More?"), reworded(spec, "Other?")
    for variant in (None, Variant("paraphrase", 1), Variant("rotation", 1)):
        same = [parts(replace(item, variant=variant)) for item in (plain, spec, longer, other)]
        assert same == same[:1] * 4
    second = [
        parts(replace(item, variant=Variant("paraphrase", 2))) for item in (spec, longer, other)
    ]
    assert second[0] == second[1] != second[2]
    assert {key for key in second[0] if second[0][key] != parts(spec)[key]} == {"variant"}


def test_a_demo_evaluation_is_found_again_after_paraphrases_were_added() -> None:
    task = harness.load_task("raf_db", profile="demo")
    for variant in (None, Variant("paraphrase", 1)):
        spec = replace(task.spec, variant=variant)
        before, after = (
            plan_task(Task(item, task.settings), Selection(limit=3)).fingerprint
            for item in (spec, reworded(spec, "A face: which expression?"))
        )
        assert before == after


def test_fairness_tasks_keep_the_fingerprints_they_had_with_two_paraphrases() -> None:
    catalog = load_catalog(plugins().spec_folders())
    variant = Variant("paraphrase", 1)
    for name, (plain, first) in BEFORE.items():
        spec = catalog.task(name)
        assert fingerprint({**parts(spec)})[:16] == plain
        assert fingerprint({**parts(replace(spec, variant=variant))})[:16] == first


def test_a_paraphrase_of_a_text_to_embed_is_what_is_embedded() -> None:
    spec = load_catalog(plugins().spec_folders()).task("fairface_retrieval")
    sample = Sample("s", (), None, "c", {"concept_text": "a chef"})
    assert texts_to_embed(spec, sample) == ("This is a photo of a chef",)
    variant = replace(spec, variant=Variant("paraphrase", 2))
    assert texts_to_embed(variant, sample) == ("Photo of a chef",)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ("paraphrase", "unknown kind of variant 'paraphrase'\n  fix: did you mean 'paraphrases'"),
        ("rotations=0", "'0' is not a whole number above 0"),
        ("shuffles=x", "'x' is not a whole number above 0"),
    ],
)
def test_a_wrong_kind_is_named(kinds: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        variants_of(mood(), kinds, lists_options=True)
    assert message in str(caught.value)


def test_a_kind_that_asks_nothing_otherwise_is_said() -> None:
    result = variants_of(mood(), "paraphrases,rotations", lists_options=False)
    check_found("paraphrases", result)
    with pytest.raises(UserError, match="lists its options"):
        check_found("paraphrases,rotations", result)
    with pytest.raises(UserError, match="no task of this run has paraphrases"):
        check_found("paraphrases", [])
