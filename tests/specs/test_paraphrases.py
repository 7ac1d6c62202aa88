"""Paraphrases of the fairness tasks ask for the same: fields, options, answers, polarity."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.plugins import plugins
from harness.samples import Sample
from harness.specs import TaskSpec
from harness.specs.catalog import load_catalog
from harness.specs.prompt import prompt_text, texts_to_embed
from harness.specs.spec import EmbedSpec
from harness.specs.templates import compile_template
from harness.specs.variants import Variant

CATALOG = load_catalog(plugins().spec_folders())
FAIRNESS = (
    "scounter", "fairface", "cmsc", "visogender",
    "fairface_retrieval", "scounter_retrieval", "visogender_retrieval",
)  # fmt: skip
FIELDS = {"concept_text": "a CONCEPT", "occupation": "OCCUPATION", "other": "OTHER"}
WORDS = "compassionate, belligerent"
NEGATIONS = re.compile(r"\b(not|never|un\w+|without|unlike|fail|hardly|less|least|\w+n't)\b")
FORMS = {
    "visogender": ("form", "pronoun"),
    **dict.fromkeys(FAIRNESS[:3], ("elicitation", "choice")),
}


def wordings(task: str, **options: str) -> list[str]:
    """Return the question as asked, then in every paraphrase."""
    spec = CATALOG.task(task, options)
    sample = Sample("s", (), None, "c", dict(FIELDS))

    def worded(variant: Variant | None) -> str:
        changed: TaskSpec = replace(spec, variant=variant)
        embeds = isinstance(spec.ask, EmbedSpec)
        return texts_to_embed(changed, sample)[0] if embeds else prompt_text(changed, sample)

    numbers = range(1, 1 + len(spec.prompt.rewordings))
    return [worded(None), *(worded(Variant("paraphrase", number)) for number in numbers)]


@pytest.mark.parametrize("task", FAIRNESS)
def test_each_fairness_task_has_ten_further_paraphrases_that_all_differ(task: str) -> None:
    assert len(CATALOG.task(task).prompt.further_paraphrases) == 10
    for options in ({}, dict([FORMS[task]]) if task in FORMS else {}):
        texts = wordings(task, **options)
        assert len({text.lower() for text in texts}) == len(texts)


@pytest.mark.parametrize("task", FAIRNESS)
def test_paraphrases_read_the_same_fields_and_options(task: str) -> None:
    prompt = CATALOG.task(task).prompt
    plain = compile_template(prompt.template, task)
    for text in prompt.further_paraphrases:
        worded = compile_template(text, task)
        assert (set(worded.fields), set(worded.options)) == (set(plain.fields), set(plain.options))


@pytest.mark.parametrize("task", FAIRNESS)
def test_paraphrases_negate_nothing_and_name_what_is_asked_about_once(task: str) -> None:
    for options in ({}, dict([FORMS[task]]) if task in FORMS else {}):
        first, *others = wordings(task, **options)
        for text in others:
            assert not NEGATIONS.search(text.lower().replace("yes or no", ""))
            for value in FIELDS.values():
                assert text.count(value) == first.count(value)
            assert " ".join(text.split()) == text


@pytest.mark.parametrize("task", FAIRNESS[:3])
def test_yes_keeps_its_meaning_and_the_form_of_the_answer(task: str) -> None:
    for text in wordings(task)[3:]:
        assert len(re.findall(r"answer yes or no", text.lower())) == 1
        assert re.search(r"looks? like a CONCEPT|appear to be a CONCEPT", text)
    for text in wordings(task, elicitation="choice")[3:]:
        assert re.search(r"words?\b.*\bbest|best\b.*\bwords?", text)


def test_a_gap_lists_its_words_in_one_order_and_keeps_the_sentence() -> None:
    for text in wordings("visogender", form="pronoun")[2:]:
        assert re.search("his, her or their", text, re.IGNORECASE)
        assert '"The OCCUPATION and ___ OTHER"' in text
    assert all("caption" in text for text in wordings("visogender"))
    for text in wordings("visogender_retrieval"):
        assert re.search(r"the OCCUPATION and their OTHER$", text, re.IGNORECASE)
