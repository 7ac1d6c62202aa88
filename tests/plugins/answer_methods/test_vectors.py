"""Methods on vectors: the official programs' numbers, and what a task sees of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_answer_methods.bend import bent, with_word
from harness_answer_methods.feature_clip import kept_dimensions
from harness_answer_methods.projection import calibrated, outside
from PIL import Image
from scipy.special import digamma

from harness.descriptors import parse_options
from harness.errors import UserError
from harness.evaluation.methods import find_method
from harness.plugins import plugins
from harness.requests import Choose, Embed, Failed, Request, Scores, Turn, Vectors
from harness.samples.images import LoadedImage
from harness.targets import load_target

CASES = Path(__file__).parents[2] / "conformance" / "vector_methods_cases.json"
IMAGE = LoadedImage(Image.new("RGB", (2, 2)), "sha", "key", 2, 2)


def unit(rows: Any) -> Any:
    array = np.asarray(rows, dtype=float)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def method(name: str, **options: Any) -> Any:
    descriptor = plugins().answer_methods()[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name))


def request(want: Any) -> Request:
    return Request("1", "s", "task", (Turn("user", "Who?", (IMAGE,)),), want)


def test_twenty_cases_are_those_of_the_official_programs() -> None:
    cases = json.loads(CASES.read_text())["cases"]
    assert len(cases) == 20
    for case in cases:
        prompts, subjects, texts = (
            np.array(case[name]) for name in ("prompts", "subjects", "texts")
        )
        assert unit(texts @ outside(prompts).T) == pytest.approx(
            np.array(case["projected"]), abs=1e-5
        )
        matrix = calibrated(prompts, subjects, case["strength"])
        assert unit(texts @ matrix.T) == pytest.approx(np.array(case["calibrated"]), abs=1e-5)
        pool, groups = np.array(case["pool"], dtype=np.float32), np.array(case["groups"])
        result = bent(unit(texts)[0], subjects[0], pool, groups, case["neighbours"])
        assert result == pytest.approx(np.array(case["bent"]), abs=1e-5)


def information(column: Any, values: Any, k: int = 3) -> float:
    """Ross (2014), equation 3: mutual information of a number and a class by k neighbours."""
    total = 0.0
    for at, (number, value) in enumerate(zip(column, values, strict=True)):
        same = np.delete(column, at)[np.delete(values, at) == value]
        radius = np.nextafter(np.sort(np.abs(same - number))[k - 1], 0)
        within = int((np.abs(column - number) <= radius).sum())
        total += digamma(len(column)) + digamma(k) - digamma(len(same) + 1) - digamma(within)
    return max(0.0, total / len(column))


def test_the_dimensions_that_go_are_those_of_most_information() -> None:
    rng = np.random.default_rng(3)
    values = np.arange(60) % 2
    images = rng.normal(size=(60, 20)).astype(np.float32)
    images[:, [4, 11, 17]] += 2.5 * values[:, None]
    messages = [information(images[:, at].astype(float), values) for at in range(20)]
    for drop in range(1, 4):
        expected = sorted(set(range(20)) - set(np.argsort(messages)[::-1][:drop]))
        assert kept_dimensions(images, values, drop).tolist() == expected


def test_a_choice_is_answered_by_cosines_with_treated_texts() -> None:
    treated = method("projection", prompts="a man|a woman")
    requested = request(Choose(("a nurse", "a pilot")))
    direct, prompts, image = treated.further(requested)
    assert direct.want == Embed(("a nurse", "a pilot"), as_options=True)
    assert (direct.turns, prompts.want) == ((), Embed(("a man", "a woman")))
    assert (image.want, image.images) == (Embed(), (IMAGE,))
    man, woman, nurse, pilot, seen = unit(np.random.default_rng(1).normal(size=(5, 6))).tolist()
    answers = [
        Vectors((), (tuple(nurse), tuple(pilot))),
        Vectors((), (tuple(man), tuple(woman))),
        Vectors((tuple(seen),)),
    ]
    result = treated.combine(requested, Scores("similarity", (0.0, 0.0)), answers)
    basis = np.linalg.qr(np.array([man, woman]).T)[0]
    expected = unit(np.array([nurse, pilot]) - np.array([nurse, pilot]) @ basis @ basis.T)
    assert result.kind == "similarity"
    assert result.values == pytest.approx(expected @ np.array(seen))


def test_matched_texts_are_taken_as_they_stand_and_vectors_stay_vectors() -> None:
    treated = method("projection", prompts="a man|a woman")
    assert treated.further(request(Choose(("a", "b"), match=True)))[0].want == Embed(("a", "b"))
    requested = request(Embed(("a text",)))
    assert len(treated.further(requested)) == 2
    rows = [tuple(row) for row in unit(np.random.default_rng(2).normal(size=(4, 5))).tolist()]
    result = treated.combine(
        requested,
        Vectors((rows[0],), (rows[1],)),
        [Vectors((), (rows[1],)), Vectors((), (*rows[2:],))],
    )
    assert result.images[0] == pytest.approx(rows[0])
    assert np.array(rows[2:]) @ np.array(result.texts[0]) == pytest.approx(0, abs=1e-12)


def test_a_text_within_the_span_has_no_direction_left() -> None:
    treated = method("projection", prompts="a man|a woman")
    requested = request(Embed(("a man",)))
    man, woman = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    result = treated.combine(requested, Vectors((man,), (man,)),
                            [Vectors((), (man,)), Vectors((), (man, woman))])  # fmt: skip
    assert isinstance(result, Failed)
    assert result.kind == "no_direction"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("projection", {"prompts": ""}, "0 texts, where 2"),
        ("projection", {"prompts": "a man|a man"}, "one text twice"),
        ("calibrated_projection", {"sentence": "a VALUE"}, "lacks VALUE or SUBJECT"),
        ("calibrated_projection", {"strength": 0.0}, "0 is not above 0"),
        ("clip_clip", {}, "the pool is not a finished evaluation"),
        ("bend", {"pool": "nowhere"}, "the pool is not a finished evaluation"),
        ("prompt_debias", {"own_text": "  "}, "the text is empty"),
    ],
)
def test_wrong_options_are_one_message(name: str, options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        method(name, **options)


@pytest.mark.parametrize(
    ("name", "option", "example"),
    [("projection", "prompts", "a man"), ("calibrated_projection", "values", "male|female"),
     ("calibrated_projection", "subjects", "person|doctor")],
)  # fmt: skip
def test_the_fix_for_a_list_shows_what_that_option_lists(
    name: str, option: str, example: str
) -> None:
    with pytest.raises(UserError, match=f"'{option}'") as raised:
        method(name, **{option: ""})
    assert example in str(raised.value.fix)


def test_prompts_that_span_everything_are_refused() -> None:
    with pytest.raises(UserError, match="span all 3 dimensions"):
        outside(np.eye(3))


@pytest.mark.parametrize("name", ["clip_clip", "bend"])
def test_a_changed_pool_is_another_method(name: str, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text("one pool\n")
    before = find_method(name, {"pool": str(tmp_path)}).identity
    assert before == find_method(name, {"pool": str(tmp_path)}).identity
    (tmp_path / "samples.jsonl").write_text("another\n")
    assert find_method(name, {"pool": str(tmp_path)}).identity != before
    assert "files" not in find_method("projection", {}).identity


def test_a_word_stands_before_the_last() -> None:
    assert with_word("a photo of a doctor", "male") == "a photo of a male doctor"
    assert with_word("doctor", "female") == "female doctor"
