from __future__ import annotations

from harness.engine.tokens import common_length, tokenize_jointly

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


def test_no_options_leave_the_prompt_whole() -> None:
    assert tokenize_jointly(encode, "da", []).prefix == (5, 2)


def test_common_length() -> None:
    assert common_length([1, 2, 3], [1, 2]) == 2
    assert common_length([], [1]) == 0
