"""Losses of the recipes: values worked by hand, gradients against autograd of the formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from harness_recipes.focal import Focal
from harness_recipes.plain import FineTune

pytestmark = pytest.mark.torch
MASK = torch.tensor([[1.0, 1.0], [1.0, 0.0]])


def logits() -> torch.Tensor:
    return torch.tensor([[0.3, -0.2], [1.1, 0.0]], requires_grad=True)


def logprobs(values: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.logsigmoid(values)


@pytest.mark.parametrize(
    ("reduction", "wanted"),
    [
        ("sample", lambda nll: (2.0 * (nll[0, 0] + nll[0, 1]) / 2 + 0.5 * nll[1, 0]) / 2),
        ("token", lambda nll: (2.0 * (nll[0, 0] + nll[0, 1]) + 0.5 * nll[1, 0]) / 2),
    ],
)
def test_weights_multiply_each_sample_s_loss(reduction: str, wanted: Any) -> None:
    values = logits()
    loss = FineTune({"reduction": reduction}).loss(logprobs(values), MASK, torch.tensor([2.0, 0.5]))
    torch.autograd.backward(loss)
    other = logits()
    expected = wanted(-logprobs(other))
    torch.autograd.backward(expected)
    assert loss.item() == pytest.approx(expected.item())
    assert torch.allclose(values.grad, other.grad)  # type: ignore[arg-type]


def test_focal_loss_is_the_formula_and_gamma_zero_is_plain() -> None:
    values = logits()
    weights = torch.ones(2)
    loss = Focal({"gamma": 2.0}).loss(logprobs(values), MASK, weights)
    torch.autograd.backward(loss)
    other = logits()
    p = torch.sigmoid(other)
    each = -((1 - p) ** 2) * torch.log(p) * MASK
    expected = (each.sum(1) / MASK.sum(1)).mean()
    torch.autograd.backward(expected)
    assert loss.item() == pytest.approx(expected.item())
    assert torch.allclose(values.grad, other.grad, atol=1e-6)  # type: ignore[arg-type]
    plain = FineTune({}).loss(logprobs(logits()), MASK, weights)
    none = Focal({"gamma": 0.0}).loss(logprobs(logits()), MASK, weights)
    assert none.item() == pytest.approx(plain.item())


def test_focal_loss_of_a_sure_token_has_a_finite_gradient() -> None:
    values = torch.tensor([[80.0]], requires_grad=True)
    loss = Focal({"gamma": 0.5}).loss(logprobs(values), torch.ones(1, 1), torch.ones(1))
    torch.autograd.backward(loss)
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
