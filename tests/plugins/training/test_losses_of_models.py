"""Every model that trains: its loss in a batch is what single forward passes come to by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_training.module import Item, TrainingModule
from harness_training.weights import Trained, chosen_parts, prepare, weights

from harness.engine.contract import VisionLanguageModel
from harness.models import Runtime
from harness.requests import Turn
from harness.training import Recipe
from tests.plugins.hf_vlm.tiny import picture, qwen
from tests.plugins.socialfusion.conftest import built

__all__ = ["built"]
pytestmark = pytest.mark.torch
CHECKPOINTS = Path(__file__).parents[2] / "conformance" / "checkpoints"
CPU = Runtime(device="cpu", dtype="float32")
ASKED = (
    ("what is this?", (picture(1),), "yes"),
    ("which face?", (picture(2, 30, 60), picture(1)), "two people talking"),
    ("what is the person on the left doing?", (picture(3),), "no maybe"),
)
WEIGHTS = (1.0, 0.5, 2.0)


def socialfusion(built: Path, _: Path) -> Any:
    import harness

    subject: Any = harness.find_model("socialfusion", options={"path": str(built / "saved")})
    return subject.model(None)


def llava(_: Path, __: Path) -> Any:
    from harness_llava.factory import Llava

    return Llava({"path": str(CHECKPOINTS / "llava15_hf_tiny")})


def bunny(_: Path, __: Path) -> Any:
    from harness_bunny.factory import Bunny

    return Bunny({"path": str(CHECKPOINTS / "bunny_llama_tiny")})


def qwen_vl(_: Path, __: Path) -> Any:
    from harness_qwen_vl.factory import QwenVL

    return QwenVL({"path": str(CHECKPOINTS / "qwen_vl_v1_tiny")})


def qwen3_vl(_: Path, folder: Path) -> Any:
    from harness_qwen_vl.factory import QwenVL

    return QwenVL({"path": str(qwen(folder / "qwen3_vl", "qwen3_vl"))})


def hf_vlm(_: Path, folder: Path) -> Any:
    from harness_hf_vlm.factory import HfVlm

    from tests.plugins.hf_vlm.families import llava as tiny

    return HfVlm({"path": str(tiny(folder / "llava"))})


def by_hand(model: VisionLanguageModel, turns: tuple[Turn, ...], answer: str) -> float:
    """Return the mean negative log-likelihood of an answer and its end, alone in its row."""
    joint = model.prompt(turns, (answer,))
    aims = list(joint.options[0])
    if aims[-1] not in model.ends:
        aims.append(model.end)
    features = model.connect(model.encode([image for turn in turns for image in turn.images]))
    inputs = model.inputs(joint.prefix, features)
    embedded = model.embed(torch.tensor(aims))
    behind = torch.arange(len(aims)) + inputs.following
    extras = {
        name: torch.cat([content, content.new_zeros(len(aims), *content.shape[1:])])[None]
        for name, content in inputs.extras.items()
    }
    logits = model.forward(
        torch.cat([inputs.embeds, embedded])[None],
        mask=torch.ones(1, inputs.length + len(aims), dtype=torch.long),
        positions=torch.cat([inputs.positions, behind.expand(len(inputs.positions), -1)], 1)[
            :, None
        ],
        cache=None,
        extras=extras,
    )
    scores = logits[0, inputs.length - 1 : -1].double().numpy()
    losses = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(aims)), aims]
    return float(losses.mean())


@pytest.mark.parametrize("make", [socialfusion, llava, bunny, qwen_vl, qwen3_vl, hf_vlm])
def test_the_loss_is_what_it_is_by_hand(
    make: Callable[[Path, Path], Any], built: Path, tmp_path: Path
) -> None:
    model: VisionLanguageModel = make(built, tmp_path).load_model(CPU)
    items, wanted = [], 0.0
    for number, (question, images, answer) in enumerate(ASKED):
        turns = (Turn("user", question, images),)
        joint = model.prompt(turns, (answer,))
        taught = joint.options[0]
        taught = taught if taught[-1] in model.ends else (*taught, model.end)
        keys = tuple(image.key for image in images)
        items.append(Item(str(number), joint.prefix, taught, keys, partial(tuple, images)))
        with torch.no_grad():
            wanted += WEIGHTS[number] * by_hand(model, turns, answer) / len(ASKED)
    trained = Trained(chosen_parts(model, "auto"), rank=2)
    prepare(model, trained)
    logprobs, mask = TrainingModule(model, None).train()(items)
    loss = Recipe().loss(logprobs, mask, torch.tensor(WEIGHTS))
    assert float(loss.detach()) == pytest.approx(wanted, abs=1e-4)
    torch.autograd.backward(loss)
    # A fresh adapter's second matrix is zero, and with it the first one's gradient.
    reached = {
        part
        for part, _, weight in weights(model, trained)
        if weight.grad is not None and weight.grad.any()
    }
    assert reached == set(trained.parts)
