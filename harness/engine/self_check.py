"""Answers computed again the slow way: a sample of all, and those that rounding could turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.contrastive import behind
from harness.engine.generation import Write, Written
from harness.engine.prefix_tree import Prompt
from harness.engine.reference import answer_logits, score_alone
from harness.engine.scoring import Totals

Item = TypeVar("Item")

SAMPLE = 4
TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 1.5e-1}
"""Difference of a token's log-probability that rounding explains, by the number type."""
CLOSE = {"float32": 0.0, "float16": 1e-2, "bfloat16": 6e-2}
"""Lead of the best option over another that rounding may turn, by the number type: four standard
deviations of what batches and sharing change (benchmarks/engine_precision.py)."""


def tolerance(model: VisionLanguageModel) -> float:
    """Return how far a token's log-probability may be off."""
    return TOLERANCE.get(_dtype(model), max(TOLERANCE.values()))


def settle(model: VisionLanguageModel, prompts: Sequence[Prompt], totals: Totals) -> None:
    """Score options that nearly share the lead alone, so that batches do not choose between them.

    In float32 there is nothing to settle: what is so close is equal.

    Args:
        model: The model.
        prompts: Whose options were scored.
        totals: Their sums, changed in place.
    """
    within = CLOSE.get(_dtype(model), max(CLOSE.values()))
    if not within:
        return
    items = []
    for prompt in prompts:
        best = max(totals[prompt], default=0.0)
        close = [at for at, total in enumerate(totals[prompt]) if best - total <= within]
        items += [(prompt, at) for at in close] if len(close) > 1 else []
    each = score_alone(model, [(prompt, prompt.options[at]) for prompt, at in items], Batches(1))
    for (prompt, at), found in zip(items, each, strict=True):
        totals[prompt][at] = sum(found)


def _dtype(model: VisionLanguageModel) -> str:
    dtype = model.language_model.get_input_embeddings().weight.dtype
    return str(dtype).removeprefix("torch.")


def check_scores(model: VisionLanguageModel, prompts: Sequence[Prompt], totals: Totals) -> str:
    """Score one option of a few prompts alone; return what is wrong, or nothing."""
    items = []
    for prompt in spread(prompts):
        # A long option passes through most of the machinery.
        number = max(range(len(prompt.options)), key=lambda at: len(prompt.options[at]))
        items.append((prompt, number, prompt.options[number]))
    slow = score_alone(model, [(prompt, ids) for prompt, _, ids in items], Batches(1))
    for (prompt, number, ids), each in zip(items, slow, strict=True):
        fast, wanted = totals[prompt][number], sum(each)
        # Negated, so that NaN counts as a difference.
        if not abs(fast - wanted) <= tolerance(model) * len(ids):
            return f"an option scored {fast:.6f} with a shared prefix and {wanted:.6f} alone"
    return ""


def check_texts(
    model: VisionLanguageModel, writes: Sequence[Write], found: Sequence[Written]
) -> str:
    """Read a few greedy answers alone; return what is wrong, or nothing.

    A token that is not the likeliest is a difference when it is behind by more than rounding.
    """
    pairs = [
        (write, written)
        for write, written in zip(writes, found, strict=True)
        if written.ids and not write.temperature
    ]
    for write, written in spread(pairs):
        allowed = 2 * tolerance(model)
        (logits,) = answer_logits(model, [(write.prompt, written.ids)])
        tokens = torch.tensor(written.ids, device=logits.device)
        if write.against is None:
            lost = logits.amax(-1) - logits.gather(-1, tokens[:, None]).squeeze(-1)
        else:
            (free,) = answer_logits(model, [(write.against.prompt, written.ids)])
            lost = behind(logits, free, tokens, write.against.contrast, allowed)
            allowed *= 1 + 2 * write.against.contrast.alpha
        for one in lost.tolist():
            if not one <= allowed:
                return f"a token written with a shared prefix is {one:.6f} behind when alone"
    return ""


def spread(items: Sequence[Item]) -> list[Item]:
    """Return up to :data:`SAMPLE` items from all over."""
    count = min(SAMPLE, len(items))
    return [items[at * len(items) // count] for at in range(count)]
