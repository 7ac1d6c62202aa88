"""A check of a model that trains: gradients reach each part, and a few steps lower the loss."""

from __future__ import annotations

from typing import Any

from harness.errors import UserError
from harness.requests import Turn

from harness_authoring.contract import ContractError, NotApplicableError
from harness_authoring.models.asking import QUESTIONS, draw_image
from harness_authoring.models.candidate import Candidate

_ANSWERS = ("yes", "a person who is happy")
_STEPS, _RATE = 6, 1e-3


def trains(candidate: Candidate) -> None:
    """Give each part that trains a finite gradient, and lower the loss of two samples."""
    if "train" not in candidate.descriptor.offers:
        raise NotApplicableError("it does not offer to train")
    try:
        model = candidate.engine_model()
    except UserError as error:  # some checkpoints of a family cannot
        raise NotApplicableError(f"it says: {error.message}") from error
    import torch

    try:
        with torch.enable_grad():
            _train(model)
    finally:
        model.close()


def _train(model: Any) -> None:
    import torch
    from harness.training.contract import Recipe
    from harness_training import weights as trained_weights
    from harness_training.batches import batch_of
    from harness_training.module import TrainingModule

    parts = trained_weights.chosen_parts(model, "auto")
    if not parts:
        raise ContractError(
            f"it declares to train {', '.join(model.trains)}, and has none of these parts"
        )
    trained = trained_weights.Trained(parts, rank=2, dropout=0.0)
    torch.manual_seed(0)
    trained_weights.prepare(model, trained)
    trained_weights.keep_whole_numbers(model, trained)
    module, recipe = TrainingModule(model, None).train(), Recipe()
    items = [_item(model, number) for number in range(len(_ANSWERS))]
    training = list(trained_weights.weights(model, trained))
    optimiser = torch.optim.AdamW([weight for _, _, weight in training], lr=_RATE)
    losses = []
    for step in range(_STEPS):
        loss = recipe.batch_loss(batch_of(module, items, torch.ones(len(items)), recipe))
        if not bool(torch.isfinite(loss)):
            raise ContractError(f"the loss is {float(loss.detach())} at step {step + 1}")
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        if not step:
            _check_gradients(parts, training)
        optimiser.step()
        losses.append(float(loss.detach()))
    if not losses[-1] < losses[0]:
        raise ContractError(f"{_STEPS} steps on two samples leave the loss at {losses[-1]:.4f}, "
                            f"from {losses[0]:.4f}")  # fmt: skip


def _item(model: Any, number: int) -> Any:
    from harness_training.module import Item

    images = (draw_image(20 + number),)
    joint = model.prompt((Turn("user", QUESTIONS[number], images),), (_ANSWERS[number],))
    answer = joint.options[0]
    answer = answer if answer and answer[-1] in model.ends else (*answer, model.end)
    keys = tuple(image.key for image in images)
    return Item(str(number), joint.prefix, answer, keys, lambda: images)


def _check_gradients(parts: tuple[str, ...], training: list[tuple[str, str, Any]]) -> None:
    import torch

    for part in parts:
        gradients = [weight.grad for name, _, weight in training if name == part]
        reached = [one for one in gradients if one is not None]
        if not any(bool(one.any()) for one in reached):
            raise ContractError(f"no gradient reaches {part}: is it encoded under no_grad?")
        if not all(bool(torch.isfinite(one).all()) for one in reached):
            raise ContractError(f"a gradient of {part} is not finite")
