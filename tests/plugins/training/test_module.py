"""The loss that trains is the likelihood that evaluates, whatever stands in the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from harness_training.module import Item, TrainingModule
from harness_training.weights import Trained, prepare, weights
from transformers.modeling_layers import GradientCheckpointingLayer

import harness
from harness.engine.answerer import EngineAnswerer
from harness.engine.features import FeatureCache
from harness.models import Runtime
from harness.requests import Choose, Request, Scores, Turn
from tests.plugins.socialfusion.conftest import built, model, pictures

__all__ = ["built", "model", "pictures"]
pytestmark = pytest.mark.torch
ANSWERS = ("a cat", "two people talking", "yes")


@pytest.fixture
def spoken(model: Any) -> Any:
    from harness_socialfusion.sources import Source
    from harness_socialfusion.spoken import SpokenModel

    return SpokenModel(model, encoder=Source("e", None, "", ""), score_eos=True)


def test_log_probabilities_are_those_of_an_evaluation(spoken: Any, pictures: Any) -> None:
    questions = ("what is this?", "Answer: yes no maybe two people?", "a?")
    requests, items = [], []
    for number, (question, answer) in enumerate(zip(questions, ANSWERS, strict=True)):
        turns = (Turn("user", question, (pictures[number],)),)
        requests.append(Request(str(number), str(number), "t", turns, Choose((answer,))))
        joint = spoken.prompt(turns, (answer,))
        images = (pictures[number],)
        items.append(
            Item(str(number), joint.prefix, joint.options[0], (images[0].key,), lambda s=images: s)  # type: ignore[misc]
        )
    module = TrainingModule(spoken, None).eval()
    with torch.no_grad():
        logprobs, mask = module(items)
        alone = [module([item]) for item in items]
    for row, response in enumerate(EngineAnswerer(spoken, Runtime()).answer(requests)):
        assert isinstance(response.result, Scores)
        total = float((logprobs[row] * mask[row]).sum())
        assert total == pytest.approx(response.result.values[0], abs=1e-4)
        assert float(alone[row][0].sum()) == pytest.approx(total, abs=1e-4)
        assert int(mask[row].sum()) == response.result.tokens[0]


@pytest.mark.parametrize(
    "parts",
    [("connector", "lora"), ("connector",), ("vision_tower", "connector", "language_model")],
)
def test_activations_computed_again_give_the_same_gradients(
    built: Path, pictures: Any, parts: tuple[str, ...]
) -> None:
    subject: Any = harness.find_model("socialfusion", options={"path": str(built / "saved")})
    spoken = subject.model(None).load_model(Runtime())
    trained = Trained(parts, rank=2)
    torch.manual_seed(0)
    prepare(spoken, trained)
    images = (pictures[0],)
    joint = spoken.prompt((Turn("user", "what is this?", images),), ("a cat",))
    item = Item("0", joint.prefix, joint.options[0], (images[0].key,), lambda: images)
    module = TrainingModule(spoken, None).train()
    layer = next(
        layer for layer in module.modules() if isinstance(layer, GradientCheckpointingLayer)
    )
    passes: list[int] = []
    # Behind the first of a layer's own parts, which are computed again as well.
    next(iter(layer.children())).register_forward_hook(lambda *_: passes.append(1))
    collected = []
    for _ in range(2):
        module.zero_grad(set_to_none=True)
        passes.clear()
        logprobs, _ = module.train()([item])
        torch.autograd.backward(-logprobs.sum())
        grads = [weight.grad for _, _, weight in weights(spoken, trained)]
        collected.append((logprobs.detach(), grads, len(passes)))
        module.recompute()
    (plain, before, once), (again, after, twice) = collected
    assert (once, twice) == (1, 2)
    assert torch.equal(plain, again)
    assert any(grad is not None and grad.any() for grad in before)
    for first, other in zip(before, after, strict=True):
        assert (first is None and other is None) or torch.equal(first, other)  # type: ignore[arg-type]


def test_what_does_not_train_stays_as_it_is_asked(spoken: Any) -> None:
    spoken.parts()["vision_tower"].requires_grad_(requires_grad=False)
    module = TrainingModule(spoken, None).train()
    assert not spoken.parts()["vision_tower"].training
    assert spoken.parts()["connector"].training
    module.eval()


def test_images_that_are_remembered_are_not_opened_again(
    spoken: Any, pictures: Any, tmp_path: Path
) -> None:
    opened: list[str] = []

    def item(number: int) -> Item:
        images = (pictures[number],)
        joint = spoken.prompt((Turn("user", "what is this?", images),), ("a cat",))

        def look() -> Any:
            opened.append(str(number))
            return images

        return Item(str(number), joint.prefix, joint.options[0], (images[0].key,), look)

    module = TrainingModule(spoken, FeatureCache(tmp_path, {})).eval()
    module.remember(item(number) for number in (0, 1, 0))
    assert opened == ["0", "1"]
    again = FeatureCache(tmp_path, {})
    assert pictures[0].key in again
    assert pictures[2].key not in again
    with torch.no_grad():
        result, _ = module([item(0), item(1)])
        assert opened == ["0", "1"]
        assert torch.equal(result, TrainingModule(spoken, None).eval()([item(0), item(1)])[0])


def test_without_a_place_for_features_nothing_is_encoded_ahead(spoken: Any) -> None:
    def look() -> Any:
        raise AssertionError

    module = TrainingModule(spoken, FeatureCache(None, {}))
    module.remember([Item("0", (1,), (2,), ("k",), look)])
