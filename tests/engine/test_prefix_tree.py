from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.prefix_tree import ROOT, Prefix, Prompt, build_prefix_tree
from harness.engine.tokenize import IMAGE, Ids

pytestmark = pytest.mark.torch

token = st.integers(0, 3)
SHOWN = {key: torch.zeros(20, 1) for key in "ab"}


@st.composite
def prompt(draw: st.DrawFn) -> Prompt:
    keys = draw(st.text("ab", max_size=2))
    ids = [draw(token)]
    for _ in keys:
        ids += [IMAGE, *draw(st.lists(token, max_size=3))]
    options = draw(st.lists(st.lists(token, min_size=1, max_size=3).map(tuple), max_size=3))
    return Prompt(tuple(ids), tuple((key, SHOWN[key]) for key in keys), tuple(options))


def read_back(prefix: Prefix, before: tuple[object, ...]) -> list[tuple[object, ...]]:
    """Return prompt, number and symbols of every option, as the tree spells them."""
    folder = before + prefix.prompt.symbols[prefix.start : prefix.end]
    collected: list[tuple[object, ...]] = []
    for trie in prefix.tries:
        paths: dict[int, Ids] = {ROOT: ()}
        layout = trie.layout
        for node, (token, parent) in enumerate(zip(layout.tokens, layout.parents, strict=True)):
            paths[node] = (*paths[parent], token)
            assert layout.depths[node] == len(paths[node]) - 1
        for at, number, aims in layout.scored:
            node, last = aims[-1]
            prompt = trie.prompts[at]
            collected.append((prompt, trie.first + number, (*folder, *paths[node], last)))
        ends = zip(trie.prompts, layout.ends, strict=True)
        collected += [
            (prompt, None, (*folder, *paths[node])) for prompt, node in ends if not prompt.options
        ]
        assert sorted(layout.columns) == list(range(len(layout)))
        for node, column in enumerate(layout.columns):
            assert layout.inputs[:, column].tolist() == [layout.tokens[node], layout.depths[node]]
            assert layout.sees[column].sum() == layout.depths[node] + 1
            assert layout.parents[node] in {ROOT, *range(node)}
    for child in prefix.children:
        assert child.start == prefix.end
        collected += read_back(child, folder)
    return collected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(prompt(), min_size=1, max_size=6),
    st.sampled_from([None, 1, 5, 100]),
    st.integers(1, 4),
)
def test_a_tree_spells_every_option_of_every_prompt_once(
    prompts: list[Prompt], nodes: int | None, each: int
) -> None:
    prefixes = build_prefix_tree(prompts, nodes, each)
    results = [item for prefix in prefixes for item in read_back(prefix, ())]
    wanted: list[tuple[object, ...]] = [
        (first, number, (*first.symbols, *option))
        for first in prompts
        for number, option in enumerate(first.options)
    ]
    wanted += [(first, None, first.symbols) for first in prompts if not first.options]
    assert sorted(map(repr, results)) == sorted(map(repr, wanted))
    for trie in (trie for prefix in prefixes for trie in prefix.tries):
        assert len(set(trie.prompts)) <= each
        assert nodes is None or len(trie) <= nodes or len(trie.prompts) == 1


def test_shots_are_read_once_for_all_questions() -> None:
    def ask(key: str, last: int) -> Prompt:
        return Prompt((1, IMAGE, 2, IMAGE, last), (("a", SHOWN["a"]), (key, SHOWN[key])))

    (shots,) = build_prefix_tree([ask("a", 3), ask("b", 3), ask("b", 4)], 100, 100)
    assert (shots.start, shots.end) == (0, 3)
    assert [(prefix.start, prefix.end) for prefix in shots.children] == [(3, 5), (3, 4)]
    assert [len(trie) for prefix in shots.children for trie in prefix.tries] == [0, 2]
