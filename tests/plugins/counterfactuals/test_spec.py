"""Specs of counterfactual sets: what they say, and what is refused, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_counterfactuals.plan import image_count, planned_sets, set_count
from harness_counterfactuals.spec import load_spec, read_spec, shipped
from harness_counterfactuals.templates import fill

from harness.errors import UserError
from harness.specs.yaml_loader import parse_yaml

from .specs import PLAIN, spec_with

RACES = PLAIN["attributes"]["race"]


def refused(folder: Path, match: str, **changes: Any) -> UserError:
    with pytest.raises(UserError, match=match) as caught:
        spec_with(folder, **changes)
    assert ".yaml:" in str(caught.value)  # every refusal has its line
    return caught.value


def concept(*prompts: Any) -> dict[str, Any]:
    return {"chef": {"prompts": list(prompts)}}


def test_slots_take_words_with_their_article_and_say_where_they_stand() -> None:
    prompt = fill("a photo of {a race} {gender}", {"race": "Asian", "gender": "woman"})
    assert prompt.text == "a photo of an Asian woman"
    assert [(span.slot, prompt.text[span.start : span.end]) for span in prompt.spans] == [
        ("a race", "an"),
        ("race", "Asian"),
        ("gender", "woman"),
    ]


def test_a_slot_without_words_takes_its_blank_away() -> None:
    assert fill("a person {aid}, smiling", {"aid": ""}).text == "a person, smiling"


def test_every_combination_is_planned_and_bases_differ_in_the_edited_attribute(
    tmp_path: Path,
) -> None:
    spec = spec_with(tmp_path)
    sets = list(planned_sets(spec))
    assert (len(sets), sum(item.images for item in sets)) == (set_count(spec), image_count(spec))
    assert [base.name for base in sets[0].bases] == ["chef-0000/woman", "chef-0000/man"]
    for base in sets[0].bases:
        assert [image.attributes["race"] for image in base.images] == list(RACES)
        assert len({image.attributes["gender"] for image in base.images}) == 1


def test_the_source_rotates_over_sets_or_is_the_one_that_the_spec_names(tmp_path: Path) -> None:
    rotating = [
        planned_set.bases[0].source for planned_set in planned_sets(spec_with(tmp_path, sets=4))
    ]
    assert rotating == [0, 1, 2, 0]
    fixed = planned_sets(spec_with(tmp_path, source="black"))
    assert [planned_set.bases[0].source for planned_set in fixed] == [1, 1]


def test_names_seeds_and_splits_do_not_depend_on_what_else_is_made(tmp_path: Path) -> None:
    few = list(planned_sets(spec_with(tmp_path)))
    more = PLAIN["concepts"] | {"actor": {"prompts": ["{a race} {gender} acts"]}}
    many = {
        planned_set.name: planned_set
        for planned_set in planned_sets(spec_with(tmp_path, concepts=more, sets=5))
    }
    assert all(many[planned_set.name] == planned_set for planned_set in few)


def test_sets_are_dealt_to_splits_as_the_reader_cmsc_deals_them(tmp_path: Path) -> None:
    from harness_benchmarks.readers.splits import Dealer

    dealer = Dealer({"split_by": "set", "shares": "70/10/20"})
    for planned_set in planned_sets(spec_with(tmp_path, sets=40)):
        assert dealer.takes(planned_set.split, planned_set.name, "chef")


def test_templates_of_values_are_one_template(tmp_path: Path) -> None:
    expected = {value: f"a photo of a {words} {{gender}}" for value, words in RACES.items()}
    expected["asian"] = expected["asian"].replace("a Asian", "an Asian")
    assert spec_with(tmp_path, concepts=concept(expected)).concepts[0].prompts == (
        "a photo of {a race} {gender}",
    )


def test_templates_that_differ_in_more_than_the_edited_words_are_refused(tmp_path: Path) -> None:
    expected = {value: f"a photo of a {words} {{gender}}" for value, words in RACES.items()}
    expected["black"] += " smiling"
    error = refused(tmp_path, "differ in more than the edited words", concepts=concept(expected))
    assert "smiling" in str(error)


def test_words_of_the_edit_that_are_not_in_the_prompt_are_refused_with_the_nearest(
    tmp_path: Path,
) -> None:
    expected = {value: f"a {words} {{gender}}" for value, words in RACES.items()}
    expected["asian"] = "an Asain {gender}"
    error = refused(tmp_path, "'Asian' of the edit", concepts=concept(expected))
    assert "did you mean 'Asain'?" in error.fix
    error = refused(tmp_path, "'race' do not occur", concepts=concept("a tall {gender}, (Asain)"))
    assert "did you mean 'Asain'?" in error.fix
    error = refused(tmp_path, "'race' do not occur", concepts=concept("a {gender}, at work!"))
    assert error.fix.endswith("known: a, at, work")  # words alone: no signs, no slots
    error = refused(tmp_path, "'asain' occurs", editor={"reweight": {"asain": 2}})
    assert "did you mean 'Asian'?" in error.fix
    error = refused(tmp_path, "'rase'", concepts=concept("{a rase} {gender}"))
    assert "did you mean 'race'?" in error.fix


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"attributes": {"race": {}}}, "'race' has no values"),
        ({"attributes": {"race": None}}, "'race' has no values"),
        ({"attributes": {"race": {"a": "Asian"}}}, "a single value"),
        ({"attributes": {"race": {"a": "Asian", "b": "asian"}}}, "the same words"),
        ({"attributes": {"file": {"a": "x", "b": "y"}}, "edited": "file"}, "column"),
        ({"edited": "rase"}, "unknown attribute 'rase'"),
        ({"source": "blak"}, "unknown value of 'race' 'blak'"),
        ({"concepts": concept("{race} {gender}{")}, "brace"),
        ({"concepts": concept({"asian": "x"})}, "has no template"),
        ({"concepts": {"a/b": {"prompts": ["{race} {gender}"]}}}, "not a name of a concept"),
        ({"image": {"width": 30}}, "width is 30"),
        ({"splits": {"train": 50, "val": 10, "test": 20}}, "80 percent"),
        ({"editor": {"cross": 2}}, "must be at most 1"),
        ({"editor": {"instruction": "x"}}, "not a setting of the editor 'prompt_to_prompt'"),
        ({"editor": {"kind": "instruct_pix2pix", "model": "a/b"}}, "needs 'instruction'"),
        (
            {"editor": {"kind": "instruct_pix2pix", "model": "a/b", "instruction": "be old"}},
            "does not contain",
        ),
        ({"editor": {"blend": {"words": ["chief"]}}}, "'chief' occurs in no prompt"),
        ({"editor": {"blend": {"words": ["{rase}"]}}}, "attribute in braces"),
        ({"editor": {"reweight": {"smiling": 2}}}, "'smiling' occurs in no prompt"),
        ({"filters": [{"filter": "no_such"}]}, "unknown filter 'no_such'"),
        ({"generater": {}}, "unknown key 'generater'"),
    ],
)
def test_wrong_specs_are_refused_at_their_line(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    refused(tmp_path, match, **changes)


@pytest.mark.parametrize("missing", ["purpose", "licence"])
def test_protected_traits_need_purpose_and_licence(tmp_path: Path, missing: str) -> None:
    refused(tmp_path, f"protected trait, and the spec states no {missing}", **{missing: None})


def test_other_traits_need_neither(tmp_path: Path) -> None:
    neutral = {
        "purpose": None,
        "licence": None,
        "attributes": {"hat": {"red": "red hat", "blue": "blue hat"}},
        "edited": "hat",
        "concepts": {"desk": {"prompts": ["a photo of a {hat} on a desk"]}},
    }
    assert spec_with(tmp_path, **neutral).purpose == ""


def test_the_spec_of_the_page_is_valid() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "make-counterfactuals.md"
    text = page.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    spec = read_spec(parse_yaml(text))
    assert next(planned_sets(spec)).bases[0].images[1].prompt.text == (
        "a photo of a cyclist with a dark blue helmet on a road in daylight"
    )


@pytest.mark.parametrize("name", shipped())
def test_shipped_specs_are_valid_and_say_what_is_inferred(name: str) -> None:
    spec = load_spec(name)
    assert "INFERRED" in spec.note
    assert spec.purpose
    assert spec.licence


def test_the_shipped_cmsc_has_the_concepts_of_the_reader() -> None:
    from harness_benchmarks.readers.cmsc import CONCEPTS

    spec = load_spec("cmsc")
    groups: dict[str, list[str]] = {}
    for concept in spec.concepts:
        groups.setdefault(concept.group, []).append(concept.name)
    assert {name: tuple(concepts) for name, concepts in groups.items()} == CONCEPTS
    assert image_count(spec) > 60_000


def test_filters_and_words_about_a_spec_change_no_image(tmp_path: Path) -> None:
    first = spec_with(tmp_path)
    assert spec_with(tmp_path, title="Another", drop="image").sha256 == first.sha256
    assert spec_with(tmp_path, editor={"cross": 0.5}).sha256 != first.sha256


def test_an_unknown_shipped_spec_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown spec 'csmc'"):
        load_spec("csmc")
