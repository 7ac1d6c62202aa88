"""The loss that trains is the likelihood that evaluates, whatever stands in the batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.engine.answerer import EngineAnswerer
from harness.engine.training import Item, TrainingModule
from harness.models import Runtime
from harness.requests import Choose, Request, Scores, Turn
from tests.plugins.socialfusion.conftest import model, pictures

__all__ = ["model", "pictures"]
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
        shown = (pictures[number],)
        items.append(
            Item(str(number), joint.prefix, joint.options[0], (shown[0].key,), lambda s=shown: s)  # type: ignore[misc]
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


def test_what_does_not_train_stays_as_it_is_asked(spoken: Any) -> None:
    spoken.parts()["vision_tower"].requires_grad_(requires_grad=False)
    module = TrainingModule(spoken, None).train()
    assert not spoken.parts()["vision_tower"].training
    assert spoken.parts()["connector"].training
    module.eval()
