from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from harness.engine.batching import Batches
from harness.engine.generation import Write, Written, generate
from harness.engine.tree import Prompt

pytestmark = pytest.mark.torch


def spaced(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


@torch.inference_mode()
def written(
    model: Any, writes: Sequence[Write], batches: Batches | None = None, **given: Any
) -> list[Written]:
    given = {"ends": frozenset({2}), "decode": spaced, **given}
    return generate(model, writes, batches or Batches(), **given)


def bare(prompts: Sequence[Prompt]) -> list[Prompt]:
    return [Prompt(prompt.ids, prompt.images) for prompt in prompts]


@pytest.mark.parametrize("rows", [None, 1, 3])
@pytest.mark.parametrize("shared", [False, True])
def test_greedy_equals_transformers(
    any_model: Any, prompts: list[Prompt], rows: int | None, shared: bool
) -> None:
    writes = [Write(prompt, 4 + at) for at, prompt in enumerate(bare(prompts))]
    found = written(any_model, writes, Batches(rows), shared=shared)
    for write, one in zip(writes, found, strict=True):
        with torch.inference_mode():
            given = write.prompt.inputs(any_model)
        wanted = any_model.language_model.generate(
            inputs_embeds=given.embeds[None],
            attention_mask=torch.ones(1, given.length, dtype=torch.long),
            max_new_tokens=write.limit,
            do_sample=False,
            eos_token_id=2,
            pad_token_id=0,
        )[0].tolist()
        ended = wanted[-1] == 2
        assert one.ids == tuple(wanted[:-1] if ended else wanted)
        assert one.ended == ended


def test_answers_to_one_image_are_written_in_one_row(model: Any, prompts: list[Prompt]) -> None:
    shared = [prompt for prompt in bare(prompts) if prompt.images and prompt.images[0][0] == "a"]
    model.passes.clear()
    written(model, [Write(prompt, 6) for prompt in shared], ends=frozenset())
    assert model.passes[2:] == [(1, len(shared))] * 5


def test_a_budget_and_a_fixed_shape_change_no_text(any_model: Any, prompts: list[Prompt]) -> None:
    writes = [Write(prompt, 5) for prompt in bare(prompts)]
    free = written(any_model, writes)
    assert written(any_model, writes, Batches(room=400)) == free
    assert written(any_model, writes, Batches(2, fixed=True)) == free


def test_answers_end_before_a_stop_string(model: Any, prompts: list[Prompt]) -> None:
    prompt = bare(prompts)[0]
    (free,) = written(model, [Write(prompt, 6)], ends=frozenset())
    stop = f" {free.ids[2]}"
    (cut,) = written(model, [Write(prompt, 6, (stop, ""))], ends=frozenset())
    assert cut.text == free.text[: free.text.find(stop)]
    assert cut.ended
    assert not free.ended


def test_an_end_id_ends_an_answer(model: Any, prompts: list[Prompt]) -> None:
    prompt = bare(prompts)[0]
    (free,) = written(model, [Write(prompt, 4)], ends=frozenset())
    (cut,) = written(model, [Write(prompt, 4)], ends=frozenset({free.ids[0]}))
    assert cut.ids == ()
    assert cut.ended


def test_a_seed_draws_the_same_answer_in_any_company(model: Any, prompts: list[Prompt]) -> None:
    writes = [Write(prompt, 8, temperature=1.5, seed=at) for at, prompt in enumerate(bare(prompts))]
    together = written(model, writes)
    assert together[3] == written(model, [writes[3]])[0]
    other = Write(writes[3].prompt, 8, temperature=1.5, seed=99)
    assert written(model, [other])[0] != together[3]
