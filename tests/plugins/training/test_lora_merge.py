"""Adapters in the weights answer as beside them, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from harness_training.lora_merge import merged
from harness_training.module import TrainingModule
from harness_training.weights import Trained, prepare, weights

from tests.plugins.socialfusion.conftest import built, pictures
from tests.plugins.training.test_weights import answers, spoken

__all__ = ["built", "pictures"]
pytestmark = pytest.mark.torch
LORA = Trained(("connector", "lora"), rank=2)


@pytest.fixture
def adapted(built: Path) -> Any:
    """Beside adapters of its own, with ours not zero."""
    model = spoken(built, merge=False)
    prepare(model, LORA)
    torch.manual_seed(0)
    with torch.no_grad():
        for _, _, weight in weights(model, LORA):
            weight.add_(torch.randn_like(weight) * 0.05)
    TrainingModule(model, None).eval()
    return model


def bits(model: Any) -> dict[str, torch.Tensor]:
    return {name: item.clone() for name, item in model.language_model.named_parameters()}


def test_answers_are_the_same_and_every_bit_comes_back(adapted: Any, pictures: Any) -> None:
    before, beside = bits(adapted), answers(adapted, pictures)
    with merged(adapted.parts()["language_model"]):
        inside = answers(adapted, pictures)
        changed = [
            name for name, item in bits(adapted).items() if not torch.equal(item, before[name])
        ]
    assert torch.allclose(inside, beside, atol=1e-5)
    assert changed
    assert all("base_layer" in name for name in changed)
    assert all(torch.equal(item, before[name]) for name, item in bits(adapted).items())
    assert torch.equal(answers(adapted, pictures), beside)


def test_weights_come_back_after_an_error(adapted: Any) -> None:
    before = bits(adapted)
    with pytest.raises(KeyError), merged(adapted.parts()["language_model"]):
        raise KeyError
    assert all(torch.equal(item, before[name]) for name, item in bits(adapted).items())


def test_half_precision_is_left_alone(adapted: Any) -> None:
    adapted.language_model.bfloat16()
    before = bits(adapted)
    with merged(adapted.parts()["language_model"]):
        assert all(torch.equal(item, before[name]) for name, item in bits(adapted).items())
