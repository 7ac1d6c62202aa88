"""Several processes: what they share is made once, and what is not supported is refused."""

from __future__ import annotations

import pytest
from harness_training.processes import Processes, how_many, processes

from harness.errors import UserError


def test_one_process_needs_nobody() -> None:
    alone = Processes()
    assert alone.first
    alone.wait()
    assert alone.sum(0.1) == 0.1
    with alone.first_before_others():
        pass


@pytest.mark.parametrize("name", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_a_model_split_over_processes_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert how_many() == 2
    monkeypatch.setenv(name, "true")
    message = f"accelerate's own sharding is not supported \\({name} is set"
    with pytest.raises(UserError, match=message) as refused:
        processes("cpu")
    assert "--shard" in str(refused.value)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "2"}, "RANK is not set, and WORLD_SIZE is"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two', which is not a number"),
        ({"WORLD_SIZE": "2", "RANK": "-1"}, "RANK is '-1', which is not a number"),
    ],
)
def test_an_environment_that_no_launcher_leaves_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message) as refused:
        processes("cpu")
    assert "torchrun" in str(refused.value)
