"""Tokens of an edited prompt beside its source's, against tables made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from harness_counterfactuals.alignment import align, tokens_of
from harness_counterfactuals.templates import fill

from harness.errors import UserError


class Words:
    """A tokenizer whose tokens are words; ``-ing`` is a token of its own."""

    model_max_length = 10

    def __call__(self, text: str, **options: bool) -> dict[str, Any]:
        assert options["return_offsets_mapping"]
        offsets, at = [(0, 0)], 0
        for word in text.split(" "):
            cut = len(word) - 3 if word.endswith("ing") else len(word)
            offsets += [(at, at + cut)] + ([(at + cut, at + len(word))] if cut < len(word) else [])
            at += len(word) + 1
        return {"offset_mapping": [*offsets, (0, 0)]}


def aligned(template: str, source: str, edited: str, *, refine: bool = False) -> Any:
    first, second = (
        tokens_of(fill(template, {"race": words}), Words()) for words in (source, edited)
    )
    return align(first, second, "race", refine=refine)


def same(*places: int) -> list[tuple[int, int, float]]:
    return [(at, at, 1.0) for at in places]


def test_words_of_equal_length_stand_for_each_other() -> None:
    result = aligned("a {race} man", "Black", "White")
    assert list(result.weights) == same(*range(10))
    assert result.own == ()


def test_a_word_is_divided_among_two_and_the_rest_moves() -> None:
    # begin a Black man end + 5 padding; begin a Middle Eastern man end + 4 padding
    result = aligned("a {race} man", "Black", "Middle Eastern")
    assert list(result.weights) == [
        *same(0, 1),
        (2, 2, 0.5),
        (2, 3, 0.5),
        (3, 4, 1.0),
        (4, 5, 1.0),
        *((at, at + 1, 1.0) for at in range(5, 9)),
        (9, 9, 1.0),  # no padding is left for it: the last takes it too
    ]
    assert result.own == ()


def test_two_words_become_one_and_no_attention_is_lost() -> None:
    result = aligned("a {race} man", "Middle Eastern", "Black")
    assert (2, 2, 1.0) in result.weights
    assert (3, 2, 1.0) in result.weights
    by_source = {i: sum(w for item, _, w in result.weights if item == i) for i in range(10)}
    assert set(by_source.values()) == {1.0}


def test_words_that_take_nobodys_place_keep_their_own_maps() -> None:
    result = aligned("a man {race} today", "", "in dancing shoes")
    assert result.own == (3, 4, 5, 6)  # in danc -ing shoes
    assert (3, 7, 1.0) in result.weights  # today


def test_refining_keeps_the_maps_of_edited_words() -> None:
    result = aligned("a {race} man", "Black", "White", refine=True)
    assert result.own == (2,)
    assert 2 not in {j for _, j, _ in result.weights}


def test_articles_stand_for_articles() -> None:
    result = aligned("{a race} man", "Black", "Asian")
    assert list(result.weights) == same(*range(10))


def test_too_many_tokens_are_refused_with_their_count() -> None:
    with pytest.raises(UserError, match="is 12 tokens long, and the text encoder reads 10"):
        aligned("a b c d e f g h i {race}", "Black", "White")
