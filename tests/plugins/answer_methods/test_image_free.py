"""Calibration and contrast against numbers worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from harness_answer_methods.image_free import Debias, ImageFree, PostHoc
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.errors import UserError
from harness.evaluation.score import normalised
from harness.requests import Choose, Contrast, Embed, Failed, Generate, Request, Scores, Text, Turn
from harness.samples.images import LoadedImage

PICTURE = LoadedImage(Image.new("RGB", (2, 2)), "sha", "key", 2, 2)


def request(want: Any = None, *, pictures: tuple[LoadedImage, ...] = (PICTURE,)) -> Request:
    turns = (Turn("system", "You look."), Turn("user", "Is it a nurse?", pictures))
    return Request("1", "s", "task", turns, want or Choose(("yes", "no")), seed=4)


def debias(alpha: float = 1.0, cutoff: float = 0.1) -> Debias:
    return Debias({"alpha": alpha, "cutoff": cutoff})


def logs(*shares: float) -> Scores:
    return Scores("logprob", tuple(map(math.log, shares)), (1, 2), (3, 2))


def combined(method: ImageFree, answer: Any, free: Any) -> Any:
    return method.combine(request(), answer, [free])


def test_calibration_divides_by_the_image_free_share() -> None:
    # p = .6 .4; p_cf = .75 .25 (from .3 .1); p / p_cf = .8 1.6, normalised 1/3 2/3.
    result = combined(PostHoc({"epsilon": 1e-12}), logs(0.6, 0.4), logs(0.3, 0.1))
    assert [math.exp(value) for value in result.values] == pytest.approx([1 / 3, 2 / 3])
    assert (result.tokens, result.bytes) == ((), ())  # no sums over tokens: nothing to divide by


def test_calibration_adds_epsilon_after_normalising() -> None:
    # p_cf = .75 .25, with .25 added 1 .5; .6 / 1 = .6, .4 / .5 = .8, normalised 3/7 4/7.
    result = combined(PostHoc({"epsilon": 0.25}), logs(0.6, 0.4), logs(0.3, 0.1))
    assert [math.exp(value) for value in result.values] == pytest.approx([3 / 7, 4 / 7])


def test_contrast_moves_away_from_the_image_free_scores() -> None:
    expected, free = Scores("logprob", (-1.0, -2.0)), Scores("logprob", (-0.5, -3.0))
    first, second = combined(debias(0.5), expected, free).values
    assert first - second == pytest.approx(-1.25 + 1.5)
    first, second = combined(debias(0.0), expected, free).values
    assert first - second == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(-90, 0), st.floats(-90, 0)), min_size=2, max_size=5))
def test_what_a_method_gives_are_log_probabilities_of_the_options(
    pairs: list[tuple[float, float]],
) -> None:
    expected, free = (
        Scores("logprob", values, (1,) * len(values)) for values in zip(*pairs, strict=True)
    )
    for method in (debias(1.0), debias(7.5), PostHoc({"epsilon": 1e-4})):
        given_back = combined(method, expected, free)
        assert math.fsum(map(math.exp, given_back.values)) == pytest.approx(1)
        assert max(given_back.values) <= 1e-12
        with pytest.raises(UserError, match="without lengths"):
            normalised(given_back, "token")


@given(st.lists(st.floats(-30, 0), min_size=2, max_size=5))
def test_calibration_against_an_even_prior_changes_no_order(values: list[float]) -> None:
    expected = Scores("logprob", tuple(values))
    free = Scores("logprob", (-1.0,) * len(values))
    result = combined(PostHoc({"epsilon": 1e-4}), expected, free).values
    assert max(range(len(values)), key=result.__getitem__) in [
        index for index, value in enumerate(values) if value >= max(values) - 1e-9
    ]
    assert math.fsum(map(math.exp, result)) == pytest.approx(1)


def test_the_question_is_asked_again_without_its_pictures() -> None:
    [again] = PostHoc({"epsilon": 1e-4}).further(request())  # type: ignore[misc]
    assert again.images == ()
    assert [turn.text for turn in again.turns] == ["You look.", "Is it a nurse?"]
    assert again.want == Choose(("yes", "no"))


def test_a_written_answer_is_asked_for_with_a_contrast_and_taken_as_it_is() -> None:
    method, requested = debias(0.5, 0.2), request(Generate(8, ("\n",), 0.7))
    expected = method.own(requested)
    assert expected.want == Generate(8, ("\n",), 0.7, Contrast(0.5, 0.2))
    assert (expected.id, expected.turns, expected.seed) == (
        requested.id,
        requested.turns,
        requested.seed,
    )
    assert method.further(requested) == []
    assert method.combine(requested, Text("a nurse"), []) == Text("a nurse")
    assert method.own(request()) == request()


@pytest.mark.parametrize(
    ("method", "asked", "kind"),
    [
        (debias(), request(Embed()), "unsupported"),
        (debias(), request(pictures=()), "no_image"),
        (debias(), request(Generate(8), pictures=()), "no_image"),
        (PostHoc({"epsilon": 1e-4}), request(Generate(8)), "unsupported"),
        (PostHoc({"epsilon": 1e-4}), request(pictures=()), "no_image"),
    ],
)
def test_what_cannot_be_treated_is_a_fault(method: ImageFree, asked: Request, kind: str) -> None:
    result = method.further(asked)
    assert isinstance(result, Failed)
    assert result.kind == kind


def test_an_answer_without_scores_is_a_fault() -> None:
    expected = Text("yes")
    result = PostHoc({"epsilon": 1e-4}).combine(request(), expected, [expected])
    assert isinstance(result, Failed)
    assert result.kind == "unsupported"


@pytest.mark.parametrize("kind", ["similarity", "label"])
def test_a_model_without_log_probabilities_is_refused_at_its_first_answer(kind: Any) -> None:
    expected = Scores(kind, (0.1, 0.2))
    with pytest.raises(UserError, match=f"{kind}.*needs log-probabilities"):
        combined(PostHoc({"epsilon": 1e-4}), expected, expected)


def test_options_outside_their_range_are_refused() -> None:
    with pytest.raises(UserError, match="not above 0"):
        PostHoc({"epsilon": 0.0})
    with pytest.raises(UserError, match="below 0"):
        debias(alpha=-1.0)
    with pytest.raises(UserError, match="not between 0 and 1"):
        debias(cutoff=1.5)
