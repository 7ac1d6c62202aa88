"""Weights split over processes compute, change and are read as whole ones; here by one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_training.fsdp import all_processes, load_state_here, meet, split, state_here, whole
from harness_training.module import Item, TrainingModule
from harness_training.weights import (
    Trained,
    chosen_parts,
    keep_whole_numbers,
    prepare,
    read_part,
    restore,
    save,
    weights,
)
from torch import distributed

from harness.engine.answerer import EngineAnswerer
from harness.engine.contract import VisionLanguageModel
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Request, Turn
from tests.plugins.llava.conftest import tiled
from tests.plugins.socialfusion.conftest import built
from tests.plugins.training.test_losses_of_models import (
    ASKED,
    CPU,
    bunny,
    hf_vlm,
    llava,
    qwen3_vl,
    qwen_vl,
    socialfusion,
)

__all__ = ["built", "tiled"]
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module", autouse=True)
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    meeting = tmp_path_factory.mktemp("meeting") / "store"
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def divide(module: TrainingModule) -> None:
    split(module, all_processes())
    meet(module)


def prepared(
    model: VisionLanguageModel, parts: str = "auto", precision: str = "float32"
) -> tuple[TrainingModule, Trained]:
    trained = Trained(chosen_parts(model, parts), rank=2)
    torch.manual_seed(0)
    prepare(model, trained)
    keep_whole_numbers(model, trained)
    return TrainingModule(model, None, precision), trained


def examples(model: VisionLanguageModel) -> list[Item]:
    items = []
    for number, (question, images, answer) in enumerate(ASKED):
        joint = model.prompt((Turn("user", question, images),), (answer,))
        keys = tuple(image.key for image in images)
        items.append(
            Item(str(number), joint.prefix, joint.options[0], keys, partial(tuple, images))
        )
    return items


def scores(module: TrainingModule) -> list[float]:
    """Return what an evaluation in the middle of a training hears."""
    question, images, _ = ASKED[0]
    turns = (Turn("user", question, images),)
    request = Request("0", "0", "t", turns, Choose(("yes", "two people")))
    runtime = Runtime(device="cpu", deterministic=True)
    answers = module.eval().during(lambda: EngineAnswerer(module.model, runtime).answer([request]))
    result: Any = answers[0].result
    return list(result.values)


def steps(module: TrainingModule, trained: Trained, count: int = 2) -> torch.optim.Optimizer:
    """Train a little, with gradients clipped."""
    entries = [weight for _, _, weight in weights(module.model, trained)]
    optimiser = torch.optim.AdamW(entries, lr=1e-3, fused=False)
    continued(module, optimiser, count)
    return optimiser


def continued(module: TrainingModule, optimiser: torch.optim.Optimizer, count: int) -> None:
    param_group = optimiser.param_groups[0]["params"]
    for _ in range(count):
        optimiser.zero_grad()
        logprobs, mask = module.train()(examples(module.model))
        torch.autograd.backward(-(logprobs * mask).sum())
        torch.nn.utils.clip_grad_norm_(param_group, 1.0)
        optimiser.step()


def trained_weights(module: TrainingModule, trained: Trained) -> list[torch.Tensor]:
    return [whole(weight.detach()) for _, _, weight in weights(module.model, trained)]


@pytest.mark.parametrize(
    "make",
    [
        socialfusion,
        hf_vlm,
        *(pytest.param(item, marks=pytest.mark.slow) for item in (llava, bunny, qwen_vl, qwen3_vl)),
    ],
)
def test_a_split_model_answers_and_trains_as_a_whole_one(
    make: Callable[[Path, Path], Any], built: Path, tmp_path: Path
) -> None:
    compare(lambda: make(built, tmp_path / str(len(list(tmp_path.iterdir())))))


@pytest.mark.parametrize(
    "kind", ["llava_next", pytest.param("llava_onevision", marks=pytest.mark.slow)]
)
def test_a_token_that_ends_lines_is_split_and_trains(
    tiled: Callable[[str], Path], kind: str
) -> None:
    from harness_llava.factory import Llava

    folder = tiled(kind)
    compare(lambda: Llava({"path": str(folder)}))


def compare(make: Callable[[], Any]) -> None:
    collected = []
    for is_split in (False, True):
        module, trained = prepared(make().load_model(CPU))
        if is_split:
            divide(module)
        before = scores(module)
        steps(module, trained)
        collected.append((before, scores(module), trained_weights(module, trained)))
    (before, after, plain), (split_before, split_after, parts) = collected
    assert split_before == pytest.approx(before, abs=1e-5)
    assert split_after == pytest.approx(after, abs=1e-4)
    assert before != after
    for first, other in zip(plain, parts, strict=True):
        assert (first - other).abs().max() < 1e-6


@pytest.mark.parametrize("parts", ["full", "connector"])
def test_what_trains_may_be_all_or_little_and_recomputed(built: Path, parts: str) -> None:
    collected = []
    for is_split in (False, True):
        module, trained = prepared(socialfusion(built, built).load_model(CPU), parts)
        module.recompute()
        if is_split:
            divide(module)
        steps(module, trained)
        collected.append(trained_weights(module, trained))
    for first, other in zip(*collected, strict=True):
        assert (first - other).abs().max() < 1e-6


def test_a_split_training_continues_from_its_files_bit_for_bit(built: Path, tmp_path: Path) -> None:
    module, trained = prepared(socialfusion(built, built).load_model(CPU))
    divide(module)
    optimiser = steps(module, trained)
    save(module.model, trained, tmp_path)
    torch.save(state_here(optimiser), tmp_path / "optimiser.pt")
    continued(module, optimiser, 1)

    again, _ = prepared(socialfusion(built, built).load_model(CPU))
    divide(again)
    restore(again.model, trained, tmp_path)
    entries = [weight for _, _, weight in weights(again.model, trained)]
    other = torch.optim.AdamW(entries, lr=1e-3, fused=False)
    load_state_here(other, torch.load(tmp_path / "optimiser.pt", weights_only=True))
    continued(again, other, 1)
    for first, two in zip(
        trained_weights(module, trained), trained_weights(again, trained), strict=True
    ):
        assert torch.equal(first, two)


def test_weights_are_saved_and_read_back_split_or_whole(built: Path, tmp_path: Path) -> None:
    module, trained = prepared(socialfusion(built, built).load_model(CPU))
    save(module.model, trained, tmp_path / "whole")
    divide(module)
    save(module.model, trained, tmp_path / "split")
    save(module.model, trained, tmp_path / "nothing", writes=False)
    for part in trained.parts:
        name = f"{part}.safetensors"
        first, two = (read_part(tmp_path / folder / name) for folder in ("whole", "split"))
        assert first.keys() == two.keys()
        assert all(torch.equal(first[key], two[key]) for key in first)
    assert not (tmp_path / "nothing").exists()
    before = trained_weights(module, trained)
    steps(module, trained)
    restore(module.model, trained, tmp_path / "whole")
    for old, new in zip(before, trained_weights(module, trained), strict=True):
        assert torch.equal(old, new)


def test_samples_without_images_reach_what_images_use(built: Path) -> None:
    """Else processes with images would wait for those without."""
    module, trained = prepared(socialfusion(built, built).load_model(CPU))
    divide(module)
    joint = module.model.prompt((Turn("user", "what?", ()),), ("yes",))
    logprobs, _ = module.train()([Item("0", joint.prefix, joint.options[0], (), tuple)])
    torch.autograd.backward(logprobs.sum())
    grads = {part: weight.grad for part, _, weight in weights(module.model, trained)}
    assert all(grad is not None for grad in grads.values())
    assert not whole(grads["connector"]).any()  # type: ignore[arg-type]


def test_weights_that_would_train_apart_in_each_process_are_refused(
    built: Path, tmp_path: Path
) -> None:
    module, _ = prepared(hf_vlm(built, tmp_path).load_model(CPU))
    module.model.language_model.lm_head.requires_grad_(requires_grad=True)
    with pytest.raises(UserError, match="weights outside the model's parts"):
        split(module, all_processes())


def test_parts_that_are_made_anew_are_refused(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _ = prepared(socialfusion(built, built).load_model(CPU))
    others = deepcopy(dict(module.model.parts()))
    monkeypatch.setattr(module.model, "parts", lambda: others)
    with pytest.raises(UserError, match="rebuilds its parts"):
        split(module, all_processes())
