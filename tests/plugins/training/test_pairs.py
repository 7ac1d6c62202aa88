"""Losses that need more than log-probabilities: pairs, the model as it was, logits, weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_training.batches import Reference, batch_of
from harness_training.module import Item, TrainingModule
from harness_training.weights import Trained, prepare, weights

from harness.requests import Turn
from harness.training import Recipe
from tests.plugins.benchmarks.people import counterfactuals, shard
from tests.plugins.socialfusion.conftest import built, model, pictures
from tests.plugins.training.test_module import spoken
from tests.plugins.training.test_train import HERE, flags, train
from tests.plugins.training.test_train import weights as hashes

__all__ = ["built", "model", "pictures", "spoken"]
pytestmark = pytest.mark.torch


class Everything(Recipe):
    needs_logits = needs_pairs = needs_reference = True


@pytest.fixture
def items(spoken: Any, pictures: Any) -> list[Item]:
    made = []
    for number, (answer, other) in enumerate((("a cat", "yes"), ("no", "two people talking"))):
        images = (pictures[number],)
        joint = spoken.prompt((Turn("user", "what is this?", images),), (answer, other))
        made.append(
            Item(
                str(number),
                joint.prefix,
                joint.options[0],
                (images[0].key,),
                lambda s=images: s,  # type: ignore[misc]
                rejected=joint.options[1],
            )
        )
    return made


def changed(module: TrainingModule, trained: Trained) -> Reference:
    """Prepare a module, keep it as it is as a reference, and change what trains."""
    prepare(module.model, trained)
    training = [weight for _, _, weight in weights(module.model, trained)]
    reference = Reference(module, training)
    with torch.no_grad():
        for weight in training:
            weight.add_(0.05)
    return reference


def test_a_batch_has_pairs_logits_and_the_model_as_it_was(spoken: Any, items: list[Item]) -> None:
    module = TrainingModule(spoken, None).train()
    before = [module.eval()([item])[0] for item in (items[0], items[1].pair())]
    module.train()
    reference = changed(module, Trained(("connector", "lora"), rank=2, dropout=0.5))
    after = [module.eval()([item])[0] for item in (items[0], items[1].pair())]
    module.train()
    batch = batch_of(module, items, torch.ones(2), Everything(), reference)
    assert module.training
    assert batch.rejected is not None and batch.reference is not None  # noqa: PT018
    assert batch.reference_rejected is not None
    length = len(items[0].answer)
    torch.testing.assert_close(batch.reference.logprobs[0, :length], before[0][0])
    assert not torch.allclose(before[0], after[0], atol=1e-3)
    torch.testing.assert_close(batch.reference_rejected.logprobs[1], before[1][0])
    assert batch.taught.logprobs.requires_grad
    assert not batch.reference.logprobs.requires_grad
    logits = batch.taught.logits
    assert logits is not None
    picked = logits[0, 0].log_softmax(0)[items[0].answer[0]]
    torch.testing.assert_close(picked, batch.taught.logprobs[0, 0])
    assert batch.rejected.mask.sum(1).tolist() == [len(item.rejected) for item in items]


def test_weights_come_back_when_the_reference_fails(spoken: Any, items: list[Item]) -> None:
    module = TrainingModule(spoken, None).train()
    trained = Trained(("connector",))
    reference = changed(module, trained)
    entries = [weight.clone() for _, _, weight in weights(spoken, trained)]

    def fail() -> None:
        with reference.in_place():
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()
    assert all(
        torch.equal(item, weight)
        for item, (_, _, weight) in zip(entries, weights(spoken, trained), strict=True)
    )
    assert module.training


def test_token_weights_multiply_the_mask(spoken: Any, items: list[Item]) -> None:
    from dataclasses import replace

    module = TrainingModule(spoken, None).eval()
    shares = tuple(float(index) for index in range(len(items[0].answer)))
    weighed = [replace(items[0], token_weights=shares), items[1]]
    batch = batch_of(module, weighed, torch.ones(2), Recipe())
    assert batch.taught.mask[0, : len(shares)].tolist() == list(shares)
    assert batch.taught.mask[1].sum() == len(items[1].answer)
    logprobs = batch.taught.logprobs.detach()
    first = -sum(
        share * float(logprob) for share, logprob in zip(shares, logprobs[0], strict=False)
    )
    second = -float(logprobs[1, : len(items[1].answer)].mean())
    loss = Recipe().batch_loss(batch).item()
    assert loss == pytest.approx((first / sum(shares) + second) / 2)


@pytest.fixture
def two_concepts(faces: Path, tmp_path: Path) -> Path:
    """Return a folder of SocialCounterfactuals with sets of two occupations."""
    del faces  # changes to an own folder
    root = tmp_path / "sets"
    root.mkdir()
    names = [("chef", number) for number in range(3)] + [("nurse", number) for number in range(3)]
    shard(root, [row for name, number in names for row in counterfactuals(name, number)])
    return root


def wish(built: Path, root: Path, out: str, recipe: str, *more: str) -> list[str]:
    return flags(
        built, root, out, "--recipe", recipe, "--tasks", "scounter", "--data", f"scounter={root}",
        "--limit", "24", "--epochs", "1", *more,
    )  # fmt: skip


def test_dpo_trains_and_writes_what_it_rejected(
    built: Path, two_concepts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("-r", "pairs=set", "--lora-dropout", "0")
    assert train(*wish(built, two_concepts, "out", "dpo"), *more) == 0
    assert "pairs=set: " in " ".join(capsys.readouterr().out.split())
    chosen = json.loads((tmp_path / "out" / "epoch-000" / "chosen.json").read_text())
    assert len(chosen["rejected"]) == len(chosen["order"])
    assert set(chosen["rejected"]) == {"a chef", "a nurse"}
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    # The first step compares the model with itself: the loss begins at ln 2.
    assert record["epochs"][0]["loss"] == pytest.approx(0.693, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["dpo", "smoothing"])
def test_a_killed_training_ends_in_the_same_weights(
    built: Path, two_concepts: Path, tmp_path: Path, recipe: str
) -> None:
    more = ("--epochs", "2", *(("-r", "pairs=set") if recipe == "dpo" else ()))
    killed = wish(built, two_concepts, "killed", recipe, *more)
    command = [sys.executable, str(HERE / "kill.py"), "6", *killed]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert not (tmp_path / "killed" / "train.json").exists()
    assert train(*killed) == 0
    assert train(*wish(built, two_concepts, "whole", recipe, *more)) == 0
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


def test_a_reference_is_not_split_over_processes(
    built: Path, two_concepts: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("harness_training.plan.how_many_train", lambda _: 2)
    command = wish(built, two_concepts, "out", "dpo")
    assert train(*command, "--shard", "--micro-batch", "2", "--dry-run") == 2
    assert "compares with the model as it was at first" in capsys.readouterr().err
