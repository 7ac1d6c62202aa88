from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.engine import scoring
from harness.engine.batching import Batches
from harness.engine.generation import Write, generate_greedily
from harness.engine.prefixes import Prefix
from harness.engine.scoring import Ask, score_options

pytestmark = pytest.mark.torch

OPTIONS = ((5,), (5, 6), (7, 8, 9, 2), (5, 6, 11), (1, 2, 3, 4, 5, 6, 7))


@torch.inference_mode()
def naive(model: Any, prefix: Prefix, option: tuple[int, ...]) -> float:
    """One plain forward pass for one option."""
    said = model.get_input_embeddings()(torch.tensor(option))
    whole = torch.cat([prefix.embed(), said])[None]
    scores = model(inputs_embeds=whole).logits[0].float().log_softmax(-1)
    return sum(float(scores[prefix.length - 1 + at, token]) for at, token in enumerate(option))


def asks(prefixes: list[Prefix]) -> list[Ask]:
    return [Ask(prefix, OPTIONS[: 1 + at % 5]) for at, prefix in enumerate(prefixes)]


@pytest.mark.parametrize("rows", [None, 1, 3, 64])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_shared_prefixes_score_like_one_pass_per_option(  # noqa: PLR0917
    model: Any,
    prefixes: list[Prefix],
    rows: int | None,
    fixed: bool,
    packed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert scoring.takes_masks(model)
    monkeypatch.setattr(scoring, "takes_masks", lambda _: packed)
    given = asks(prefixes)
    found = score_options(model, given, Batches(rows, fixed=fixed))
    for ask, values in zip(given, found, strict=True):
        wanted = [naive(model, ask.prefix, option) for option in ask.options]
        assert values == pytest.approx(wanted, abs=1e-4)


def test_order_does_not_change_scores(model: Any, prefixes: list[Prefix]) -> None:
    given = asks(prefixes)
    forth = score_options(model, given, Batches())
    back = score_options(model, given[::-1], Batches())[::-1]
    for one, other in zip(forth, back, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_deterministic_scores_are_equal_to_the_last_bit(model: Any, prefixes: list[Prefix]) -> None:
    given = asks(prefixes)
    one = score_options(model, given, Batches(1, fixed=True))
    assert one == score_options(model, given, Batches(64, fixed=True))


def test_a_prefix_that_comes_twice_is_read_once(model: Any, prefixes: list[Prefix]) -> None:
    calls: list[int] = []

    def embed() -> torch.Tensor:
        calls.append(1)
        return prefixes[1].embed()

    prefix = Prefix("same", prefixes[1].length, embed)
    found = score_options(model, [Ask(prefix, OPTIONS[:2]), Ask(prefix, OPTIONS[1:3])], Batches())
    assert len(calls) == 1
    assert found[0][1] == found[1][0]


def test_greedy_equals_transformers(model: Any, prefixes: list[Prefix]) -> None:
    writes = [Write(prefix, 12) for prefix in prefixes]
    found = generate_greedily(model, writes, Batches(3), ends=frozenset({2}), decode=str)
    for prefix, written in zip(prefixes, found, strict=True):
        wanted = model.generate(
            inputs_embeds=prefix.embed()[None],
            attention_mask=torch.ones(1, prefix.length, dtype=torch.long),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=2,
            pad_token_id=0,
        )[0].tolist()
        ended = wanted[-1] == 2
        assert written.ids == tuple(wanted[:-1] if ended else wanted)
        assert written.ended == ended


def test_answers_end_before_a_stop_string(model: Any, prefixes: list[Prefix]) -> None:
    def decode(ids: tuple[int, ...]) -> str:
        return " ".join(str(token) for token in ids)

    free = generate_greedily(
        model, [Write(prefixes[0], 6)], Batches(), ends=frozenset(), decode=decode
    )[0]
    stop = f" {free.ids[2]}"
    cut = generate_greedily(
        model, [Write(prefixes[0], 6, (stop, ""))], Batches(), ends=frozenset(), decode=decode
    )[0]
    assert cut.text == free.text[: free.text.find(stop)]
    assert cut.ended
    assert not free.ended


def test_an_end_id_ends_an_answer(model: Any, prefixes: list[Prefix]) -> None:
    free = generate_greedily(
        model, [Write(prefixes[0], 4)], Batches(), ends=frozenset(), decode=str
    )[0]
    cut = generate_greedily(
        model, [Write(prefixes[0], 4)], Batches(), ends=frozenset({free.ids[0]}), decode=str
    )[0]
    assert cut.ids == ()
    assert cut.ended
