"""Checks prefix sharing against reference scoring, and scores near ties by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.contrastive import logit_gap
from harness.engine.generation import Generation, GenerationTask
from harness.engine.prefix_tree import Prompt
from harness.engine.reference import answer_logits, score_reference
from harness.engine.scoring import Totals, score_alone

Item = TypeVar("Item")

SAMPLE = 4
TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "bfloat16": 1.5e-1}
"""Difference of a token's log-probability that rounding explains, by dtype."""
CLOSE = {"float32": 0.0, "float16": 1e-2, "bfloat16": 6e-2}
"""Lead of the best option over another that rounding may turn, by dtype: four standard
deviations of what batches and sharing change (benchmarks/engine_precision.py)."""


def tolerance(model: VisionLanguageModel) -> float:
    """Return how far a token's log-probability may be off."""
    return TOLERANCE.get(_dtype(model), max(TOLERANCE.values()))


def rescore_near_ties(
    model: VisionLanguageModel,
    prompts: Sequence[Prompt],
    totals: Totals,
    shares: Callable[[Prompt], bool],
) -> None:
    """Score prompts whose best options are nearly level by themselves, so that no batch decides.

    In float32 there is nothing to do: options that close are equal.

    Args:
        model: The model.
        prompts: Whose options were scored.
        totals: Their sums, changed in place.
        shares: Whether a prompt may be read apart from its options; others are scored by reference.
    """
    within = CLOSE.get(_dtype(model), max(CLOSE.values()))
    if not within:
        return
    near = {}
    for prompt in prompts:
        best = max(totals[prompt], default=0.0)
        close = [at for at, total in enumerate(totals[prompt]) if best - total <= within]
        if len(close) > 1:
            near[prompt] = close
    score_alone(model, [prompt for prompt in near if shares(prompt)], totals)
    items = [(prompt, at) for prompt in near if not shares(prompt) for at in near[prompt]]
    each = score_reference(
        model, [(prompt, prompt.options[at]) for prompt, at in items], Batches(1)
    )
    for (prompt, at), logprobs in zip(items, each, strict=True):
        totals[prompt][at] = sum(logprobs)


def _dtype(model: VisionLanguageModel) -> str:
    dtype = model.language_model.get_input_embeddings().weight.dtype
    return str(dtype).removeprefix("torch.")


def check_scores(model: VisionLanguageModel, prompts: Sequence[Prompt], totals: Totals) -> str:
    """Score one option of a few prompts by reference; return what differs, or nothing."""
    items = []
    for prompt in spread(prompts):
        # A long option passes through most of the machinery.
        number = max(range(len(prompt.options)), key=lambda at: len(prompt.options[at]))
        items.append((prompt, number, prompt.options[number]))
    references = score_reference(model, [(prompt, ids) for prompt, _, ids in items], Batches(1))
    for (prompt, number, ids), each in zip(items, references, strict=True):
        shared, alone = totals[prompt][number], sum(each)
        # Negated, so that NaN counts as a difference.
        if not abs(shared - alone) <= tolerance(model) * len(ids):
            return f"an option scored {shared:.6f} with a shared prefix and {alone:.6f} alone"
    return ""


def check_texts(
    model: VisionLanguageModel, writes: Sequence[GenerationTask], generations: Sequence[Generation]
) -> str:
    """Run a few greedy answers by reference; return what differs, or nothing.

    A token that is not the argmax is a difference when its gap is larger than rounding explains.
    """
    pairs = [
        (write, written)
        for write, written in zip(writes, generations, strict=True)
        if written.ids and not write.temperature
    ]
    for write, written in spread(pairs):
        allowed = 2 * tolerance(model)
        (logits,) = answer_logits(model, [(write.prompt, written.ids)])
        tokens = torch.tensor(written.ids, device=logits.device)
        if write.against is None:
            gaps = logits.amax(-1) - logits.gather(-1, tokens[:, None]).squeeze(-1)
        else:
            (free,) = answer_logits(model, [(write.against.prompt, written.ids)])
            gaps = logit_gap(logits, free, tokens, write.against.contrast, allowed)
            allowed *= 1 + 2 * write.against.contrast.alpha
        for gap in gaps.tolist():
            # Negated, so that NaN counts as a difference.
            if not gap <= allowed:
                return f"prefix sharing changed a greedy token: its logit is {gap:.6f} too low"
    return ""


def spread(items: Sequence[Item]) -> list[Item]:
    """Return up to :data:`SAMPLE` items, evenly spread."""
    count = min(SAMPLE, len(items))
    return [items[at * len(items) // count] for at in range(count)]
