from __future__ import annotations

import pytest

from harness.engine.tokenize import PromptError, common_length, tokenize_jointly

VOCABULARY = ["ab", "bc", "a", "b", "c", "d", " "]


def encode(text: str) -> list[int]:
    """Greedy longest match, so that text behind a prompt can merge with its end."""
    ids = []
    while text:
        piece = next(piece for piece in VOCABULARY if text.startswith(piece))
        ids.append(VOCABULARY.index(piece))
        text = text[len(piece) :]
    return ids


def test_options_begin_where_the_prompt_ends() -> None:
    joint = tokenize_jointly(encode, "d", ["a", "ab", "c"])
    assert joint.prefix == (5,)
    assert joint.options == ((2,), (0,), (4,))


def test_a_merge_across_the_boundary_moves_it_for_every_option() -> None:
    # "da" + "b" is d, ab: the prompt's last id changes, so both options start before it.
    joint = tokenize_jointly(encode, "da", ["b", "c"], end=9)
    assert joint.prefix == (5,)
    assert joint.options == ((0, 9), (2, 4, 9))


def test_a_gap_stands_before_options_and_is_no_answer_by_itself() -> None:
    assert tokenize_jointly(encode, "d", ["a", "c"], 9, " ").options == ((6, 2, 9), (6, 4, 9))

    def dropping(text: str) -> list[int]:
        return encode(text.replace("?", "").rstrip())

    with pytest.raises(PromptError, match=r"option 2 of 2, '\?', has no tokens") as raised:
        tokenize_jointly(dropping, "d", ["a", "?"], 9, " ")
    assert raised.value.kind == "empty_option"
    with pytest.raises(PromptError, match="has no tokens"):
        tokenize_jointly(lambda text: encode(text.replace("?", "")), "d", ["?"], 9, " ")


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u200b", "\ufeff\u2060", "\xa0"])
def test_an_option_that_shows_nothing_is_refused(text: str) -> None:
    with pytest.raises(PromptError, match=r"option 1 of 1, .* has no text"):
        tokenize_jointly(lambda text: [ord(item) for item in text], "d", [text])


def test_no_options_leave_the_prompt_whole() -> None:
    assert tokenize_jointly(encode, "da", []).prefix == (5, 2)


def test_common_length() -> None:
    assert common_length([1, 2, 3], [1, 2]) == 2
    assert common_length([], [1]) == 0
