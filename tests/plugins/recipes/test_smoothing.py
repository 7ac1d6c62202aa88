"""Label smoothing is torch's own, token by token, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from harness_recipes.smoothing import Smoothing
from torch.nn.functional import cross_entropy

from harness.training import Answers, Batch
from tests.made import recipe

pytestmark = pytest.mark.torch
TARGETS = torch.tensor([[2, 0, 3], [1, 1, 0]])
MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
WEIGHTS = torch.tensor([2.0, 0.5])


def batch(logits: torch.Tensor, mask: torch.Tensor = MASK) -> Batch:
    logprobs = logits.log_softmax(2).gather(2, TARGETS[..., None]).squeeze(2)
    return Batch(WEIGHTS, Answers(logprobs, mask, logits))


@pytest.mark.parametrize("reduction", ["sample", "token"])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.7])
def test_a_smoothed_loss_is_cross_entropy_with_label_smoothing(
    epsilon: float, reduction: str
) -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = Smoothing({"epsilon": epsilon, "reduction": reduction}).batch_loss(batch(logits))
    (gradient,) = torch.autograd.grad(loss, logits)
    tokens = cross_entropy(
        logits.flatten(0, 1), TARGETS.flatten(), label_smoothing=epsilon, reduction="none"
    ).view(2, 3)
    lengths = MASK.sum(1) if reduction == "sample" else torch.ones(2)
    expected = (WEIGHTS * (tokens * MASK).sum(1) / lengths).mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])


def test_tokens_that_weigh_nothing_add_nothing() -> None:
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    smoothing = recipe("smoothing", epsilon=0.2)
    weighed = batch(logits, MASK * torch.tensor([[0.5, 0.0, 0.0], [0.0, 1.0, 1.0]]))
    alone = cross_entropy(logits[0, :1], TARGETS[0, :1], label_smoothing=0.2)
    torch.testing.assert_close(smoothing.batch_loss(weighed), 2.0 * alone / 2)
