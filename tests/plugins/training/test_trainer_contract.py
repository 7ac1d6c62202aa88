"""The private methods of transformers' Trainer that training overrides, as it calls them."""

from __future__ import annotations

import inspect

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.slow]

PRIVATE = {
    "_get_grad_norm": ("self", "model", "grad_norm"),
    "_load_from_checkpoint": ("self", "resume_from_checkpoint", "model"),
    "_load_optimizer_and_scheduler": ("self", "checkpoint"),
    "_save_checkpoint": ("self", "model", "trial"),
    "_save_optimizer_and_scheduler": ("self", "output_dir"),
}
ADVICE = "raise the upper bound of transformers only with harness_training/loop.py adapted"


@pytest.mark.parametrize("name", PRIVATE)
def test_trainer_has_each_private_method_that_training_overrides(name: str) -> None:
    from transformers import Trainer

    method = getattr(Trainer, name, None)
    assert method is not None, f"Trainer.{name} is gone: {ADVICE}"
    assert tuple(inspect.signature(method).parameters) == PRIVATE[name], ADVICE
    assert f"self.{name}(" in inspect.getsource(Trainer), f"Trainer calls {name} no more: {ADVICE}"


def test_every_override_of_a_private_method_is_named_here() -> None:
    from harness_training.loop import EpochTrainer
    from transformers import Trainer

    overridden = {
        name for name in vars(EpochTrainer)
        if name.startswith("_") and not name.startswith("__") and hasattr(Trainer, name)
    }  # fmt: skip
    assert overridden == set(PRIVATE)
