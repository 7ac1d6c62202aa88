from __future__ import annotations

import gc
from typing import Any

import pytest
import torch

from harness.engine.batching import Batches, NoMemory
from harness.engine.kv_cache import position_bytes
from harness.engine.prefix_tree import Prompt
from harness.engine.reference import score_reference
from harness.engine.scoring import score_options

pytestmark = pytest.mark.torch


def naive(model: Any, prompt: Prompt, option: tuple[int, ...]) -> float:
    """One plain forward pass of the language model for one option."""
    embedded = model.embed(torch.tensor(option))
    inputs = prompt.inputs(model)
    cat = torch.cat([inputs.embeds, embedded])[None]
    scores = model.language_model(inputs_embeds=cat).logits[0].float().log_softmax(-1)
    return sum(float(scores[inputs.length - 1 + at, token]) for at, token in enumerate(option))


@torch.inference_mode()
def wanted(model: Any, prompts: list[Prompt]) -> list[Any]:
    return [
        pytest.approx([naive(model, prompt, option) for option in prompt.options], abs=1e-4)
        for prompt in prompts
    ]


@torch.inference_mode()
def scores(model: Any, prompts: list[Prompt], batches: Batches) -> list[list[float]]:
    totals = score_options(model, prompts, batches)
    return [totals[prompt] for prompt in prompts]


@pytest.mark.parametrize("rows", [None, 1, 3])
@pytest.mark.parametrize("positions", [1, 64, 4096])
def test_shared_prefixes_score_like_one_pass_per_option(
    any_model: Any, prompts: list[Prompt], rows: int | None, positions: int
) -> None:
    scored = scores(any_model, prompts, Batches(rows, positions=positions))
    assert scored == wanted(any_model, prompts)


def test_order_does_not_change_scores(any_model: Any, prompts: list[Prompt]) -> None:
    forth = scores(any_model, prompts, Batches())
    back = scores(any_model, prompts[::-1], Batches())[::-1]
    for first, other in zip(forth, back, strict=True):
        assert first == pytest.approx(other, abs=1e-5)


def test_fixed_batches_give_the_same_bytes_at_any_size(
    any_model: Any, prompts: list[Prompt]
) -> None:
    assert scores(any_model, prompts, Batches(1, fixed=True)) == scores(
        any_model, prompts, Batches(64, fixed=True)
    )


def test_the_slow_way_says_the_same(any_model: Any, prompts: list[Prompt]) -> None:
    items = [(prompt, option) for prompt in prompts for option in prompt.options]
    with torch.inference_mode():
        each = iter(score_reference(any_model, items, Batches(4)))
    results = [[sum(next(each)) for _ in prompt.options] for prompt in prompts]
    assert results == wanted(any_model, prompts)


def test_what_prompts_share_is_read_once(model: Any, prompts: list[Prompt]) -> None:
    shared = [prompt for prompt in prompts if prompt.images and prompt.images[0][0] == "a"]
    model.passes.clear()
    scores(model, shared, Batches())
    prefix = 1 + len(shared[0].images[0][1])
    assert model.passes[0] == (1, prefix)
    assert len(model.passes) == 2  # the prefix, and one trie behind it
    paths = {(*prompt.ids[2:], *option[:-1]) for prompt in shared for option in prompt.options}
    distinct = {path[:end] for path in paths for end in range(1, len(path) + 1)}
    assert model.passes[1] == (1, len(distinct))


def live_bytes() -> int:
    """Return the bytes of keys and values in all caches of this process."""
    from transformers.cache_utils import CacheLayerMixin

    entries = {}
    for get_object in gc.get_objects():
        if issubclass(type(get_object), CacheLayerMixin) and get_object.keys is not None:
            for tensor in (get_object.keys, get_object.values):
                assert tensor is not None
                storage = tensor.untyped_storage()
                entries[storage.data_ptr()] = storage.nbytes()
    return sum(entries.values())


def test_live_keys_and_values_stay_within_the_budget(
    any_model: Any, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = [0]
    forward = any_model.forward

    def watch(embeds: torch.Tensor, **keywords: Any) -> torch.Tensor:
        logits: torch.Tensor = forward(embeds, **keywords)
        most[0] = max(most[0], live_bytes())
        return logits

    monkeypatch.setattr(any_model, "forward", watch)
    each = position_bytes(any_model.language_model)
    free = scores(any_model, prompts, Batches(positions=4096))
    unbounded, most[0] = most[0], 0
    room = 160
    bounded = scores(any_model, prompts, Batches(positions=4096, room=room))
    assert most[0] <= room * each < unbounded
    for first, other in zip(free, bounded, strict=True):
        assert first == pytest.approx(other, abs=1e-4)
    with pytest.raises(NoMemory, match="budget"):
        scores(any_model, prompts, Batches(room=20))


def test_memory_that_runs_out_changes_no_score(
    any_model: Any, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = any_model.forward

    def small(embeds: torch.Tensor, **keywords: Any) -> torch.Tensor:
        if embeds.shape[0] * embeds.shape[1] > 50:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        logits: torch.Tensor = forward(embeds, **keywords)
        return logits

    monkeypatch.setattr(any_model, "forward", small)
    assert scores(any_model, prompts, Batches()) == wanted(any_model, prompts)
