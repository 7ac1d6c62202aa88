from __future__ import annotations

import pytest
from harness_training.steps import EachMinuteSteps

from harness import progress


def test_a_log_hears_of_steps_over_epochs_with_their_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MINUTE", 0.0)
    messages: list[str] = []
    watcher = EachMinuteSteps(messages.append, "joint", 10)
    watcher.step({"micro_batch": 2.0})
    watcher.step({"step": 2.0, "loss": 0.5})
    watcher.epoch(0, {"concepts": 3})
    watcher.epoch(0, {"steps": 5})
    watcher.step({"step": 3.0})
    watcher.step({"step": 5.0, "loss": 0.1})
    watcher.say("memory ran out")
    assert messages[0] == "joint: 2 of 10 steps, loss 0.500"
    assert messages[1].startswith("joint: 8 of 10 steps, about ")
    assert messages[2:] == ["memory ran out"]
