from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from harness.engine.batching import Batches
from harness.engine.contrastive import ContrastPrompt
from harness.engine.generation import Generation, GenerationTask, generate
from harness.engine.prefix_tree import Prompt
from harness.engine.tokenize import IMAGE
from harness.requests import Contrast

pytestmark = pytest.mark.torch


def spaced(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


@torch.inference_mode()
def written(
    model: Any, writes: Sequence[GenerationTask], batches: Batches | None = None, **keywords: Any
) -> list[Generation]:
    keywords = {"ends": frozenset({2}), "decode": spaced, **keywords}
    return generate(model, writes, batches or Batches(), **keywords)


def bare(prompts: Sequence[Prompt]) -> list[Prompt]:
    return [Prompt(prompt.ids, prompt.images) for prompt in prompts]


@pytest.mark.parametrize("rows", [None, 1, 3])
@pytest.mark.parametrize("shared", [False, True])
def test_greedy_equals_transformers(
    any_model: Any, prompts: list[Prompt], rows: int | None, shared: bool
) -> None:
    writes = [GenerationTask(prompt, 4 + at) for at, prompt in enumerate(bare(prompts))]
    output = written(any_model, writes, Batches(rows), shared=shared)
    for write, item in zip(writes, output, strict=True):
        with torch.inference_mode():
            inputs = write.prompt.inputs(any_model)
        wanted = any_model.language_model.generate(
            inputs_embeds=inputs.embeds[None],
            attention_mask=torch.ones(1, inputs.length, dtype=torch.long),
            max_new_tokens=write.limit,
            do_sample=False,
            eos_token_id=2,
            pad_token_id=0,
        )[0].tolist()
        ended = wanted[-1] == 2
        assert item.ids == tuple(wanted[:-1] if ended else wanted)
        assert item.ended == ended


def test_answers_to_one_image_are_written_in_one_row(model: Any, prompts: list[Prompt]) -> None:
    shared = [prompt for prompt in bare(prompts) if prompt.images and prompt.images[0][0] == "a"]
    model.passes.clear()
    written(model, [GenerationTask(prompt, 6) for prompt in shared], ends=frozenset())
    assert model.passes[2:] == [(1, len(shared))] * 5


def test_a_budget_and_a_fixed_shape_change_no_text(any_model: Any, prompts: list[Prompt]) -> None:
    writes = [GenerationTask(prompt, 5) for prompt in bare(prompts)]
    free = written(any_model, writes)
    assert written(any_model, writes, Batches(room=400)) == free
    assert written(any_model, writes, Batches(2, fixed=True)) == free


def test_answers_end_before_a_stop_string(model: Any, prompts: list[Prompt]) -> None:
    prompt = bare(prompts)[0]
    (free,) = written(model, [GenerationTask(prompt, 6)], ends=frozenset())
    stop = f" {free.ids[2]}"
    (cut,) = written(model, [GenerationTask(prompt, 6, (stop, ""))], ends=frozenset())
    assert cut.text == free.text[: free.text.find(stop)]
    assert cut.ended
    assert not free.ended


def test_an_end_id_ends_an_answer(model: Any, prompts: list[Prompt]) -> None:
    prompt = bare(prompts)[0]
    (free,) = written(model, [GenerationTask(prompt, 4)], ends=frozenset())
    (cut,) = written(model, [GenerationTask(prompt, 4)], ends=frozenset({free.ids[0]}))
    assert cut.ids == ()
    assert cut.ended


def test_a_seed_draws_the_same_answer_in_any_company(model: Any, prompts: list[Prompt]) -> None:
    writes = [
        GenerationTask(prompt, 8, temperature=1.5, seed=at)
        for at, prompt in enumerate(bare(prompts))
    ]
    together = written(model, writes)
    assert together[3] == written(model, [writes[3]])[0]
    other = GenerationTask(writes[3].prompt, 8, temperature=1.5, seed=99)
    assert written(model, [other])[0] != together[3]


# --- contrasted answers ---------------------------------------------------------------------------


def contrasts(
    prompts: Sequence[Prompt], alpha: float, cutoff: float, **keywords: Any
) -> list[GenerationTask]:
    """Return what is to be written about images, every third without a contrast."""
    collected = []
    for at, prompt in enumerate(item for item in bare(prompts) if item.images):
        free = Prompt(tuple(token for token in prompt.ids if token != IMAGE))
        against = ContrastPrompt(free, Contrast(alpha, cutoff)) if at % 3 else None
        collected.append(GenerationTask(prompt, 3 + at % 3, against=against, seed=at, **keywords))
    return collected


def by_hand(model: Any, write: GenerationTask) -> tuple[int, ...]:
    """Return greedy tokens chosen in numpy, both prompts read anew for each."""

    def logits(prompt: Prompt, ids: Sequence[int]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            inputs = prompt.inputs(model)
            embeds = torch.cat([inputs.embeds, model.embed(torch.tensor(ids, dtype=torch.long))])
            return model.language_model(inputs_embeds=embeds[None]).logits[0, -1].double().numpy()  # type: ignore[no-any-return]

    ids: list[int] = []
    while len(ids) < write.limit:
        computed = logits(write.prompt, ids)
        if write.against is not None:
            contrast = write.against.contrast
            free = logits(write.against.prompt, ids)
            share = np.exp(computed - computed.max())
            scores = (1 + contrast.alpha) * computed - contrast.alpha * free
            computed = np.where(share >= contrast.cutoff, scores, -np.inf)
        token = int(computed.argmax())
        if token == 2:
            break
        ids.append(token)
    return tuple(ids)


def test_contrasted_answers_equal_those_by_hand(any_model: Any, prompts: list[Prompt]) -> None:
    writes = contrasts(prompts, 1.5, 0.02)
    wanted = [by_hand(any_model, write) for write in writes]
    plain = written(any_model, contrasts(prompts, 0.0, 0.0))
    assert wanted != [item.ids for item in plain]
    for rows, shared in ((None, True), (1, True), (4, True), (None, False)):
        output = written(any_model, writes, Batches(rows), shared=shared)
        assert [item.ids for item in output] == wanted
    backwards = written(any_model, writes[::-1], Batches(room=500))
    assert [item.ids for item in backwards[::-1]] == wanted


@pytest.mark.parametrize(("alpha", "cutoff"), [(0.0, 0.3), (2.0, 1.0)])
def test_no_contrast_is_plain_writing(
    model: Any, prompts: list[Prompt], alpha: float, cutoff: float
) -> None:
    writes = contrasts(prompts, alpha, cutoff)
    plain = [GenerationTask(write.prompt, write.limit) for write in writes]
    assert written(model, writes) == written(model, plain)


def test_a_seed_draws_the_same_contrasted_answer(model: Any, prompts: list[Prompt]) -> None:
    writes = contrasts(prompts, 1.0, 0.0, temperature=1.5)
    together = written(model, writes)
    assert written(model, writes, Batches(2)) == together
    assert written(model, [writes[4]])[0] == together[4]
    plain = [replace(write, against=None) for write in writes]
    assert written(model, plain) != together
    unweighed = contrasts(prompts, 0.0, 0.0, temperature=1.5)
    assert written(model, unweighed) == written(model, plain)


def test_no_picture_is_read_for_what_is_set_against(model: Any, prompts: list[Prompt]) -> None:
    write = contrasts(prompts, 1.0, 0.0)[1]
    assert write.against is not None
    model.passes.clear()
    written(model, [write, replace(write, prompt=bare(prompts)[0], against=None)])
    shape = (1, len(write.against.prompt.ids))
    assert shape in model.passes
