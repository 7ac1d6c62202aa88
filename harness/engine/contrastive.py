"""Contrastive decoding: the logits of a prompt set against those of one without images."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from harness.engine.prefix_tree import Prompt
from harness.requests import Contrast


@dataclass(frozen=True, slots=True)
class ContrastPrompt:
    """The prompt whose logits count against an answer's own, and how strongly."""

    prompt: Prompt
    contrast: Contrast


def contrasted(with_image: Tensor, free: Tensor, alpha: Tensor, cutoff: Tensor) -> Tensor:
    """Return ``(1 + alpha) * own - alpha * free`` (..., V); -inf where a token is not plausible.

    A token is plausible whose probability under ``with_image`` is at least ``cutoff`` times the
    likeliest one's (official code of arXiv 2403.05262: ``vcd_sample.py``).

    Args:
        with_image: Logits (..., V).
        free: Logits of the other prompt, of the same shape.
        alpha: From 0, (..., 1).
        cutoff: From 0, (..., 1); 0 leaves every token.
    """
    floor = with_image.amax(-1, keepdim=True) + cutoff.log()
    logits = (1 + alpha) * with_image - alpha * free
    return logits.masked_fill((with_image < floor) | with_image.isneginf(), -math.inf)


def logit_gap(
    with_image: Tensor, free: Tensor, tokens: Tensor, contrast: Contrast, slack: float
) -> Tensor:
    """Return how far contrasted logits of tokens (T,) are below the best ones.

    Args:
        with_image: Logits (T, V).
        free: Logits of the other prompt (T, V).
        tokens: What was written.
        contrast: Strength and cutoff.
        slack: Rounding error of a logit, which may move a token over the cutoff.
    """
    alpha = with_image.new_tensor([contrast.alpha])
    surely = with_image.new_tensor([min(1.0, contrast.cutoff * math.exp(slack))])
    perhaps = with_image.new_tensor([contrast.cutoff * math.exp(-slack)])
    best = contrasted(with_image, free, alpha, surely).amax(-1)
    chosen = contrasted(with_image, free, alpha, perhaps).gather(-1, tokens[:, None])
    return best - chosen.squeeze(-1)
