"""What trained fits the model again, whether or not the model's own adapters were merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_training.module import Item, TrainingModule
from harness_training.weights import Trained, choose_weights, load, prepare, save, weights

from harness.errors import UserError
from harness.requests import Turn
from tests.plugins.socialfusion.conftest import built, pictures

__all__ = ["built", "pictures"]
pytestmark = pytest.mark.torch
LORA = Trained(("connector", "lora"), rank=2)


def spoken(built: Path, *, merge: bool) -> Any:
    from harness_socialfusion import checkpoint
    from harness_socialfusion.sources import Source
    from harness_socialfusion.spoken import SpokenModel

    model = checkpoint.load(built / "saved", merge=merge).eval()
    return SpokenModel(model, encoder=Source("e", None, "", ""), score_eos=True)


def answers(model: Any, pictures: Any) -> torch.Tensor:
    images = (pictures[0],)
    joint = model.prompt((Turn("user", "what is this?", images),), ("two people talking",))
    item = Item("0", joint.prefix, joint.options[0], (images[0].key,), lambda: images)
    with torch.no_grad():
        result: torch.Tensor = TrainingModule(model, None).eval()([item])[0]
    return result


@pytest.mark.parametrize("trained_merged", [True, False])
def test_trained_weights_fit_beside_adapters_merged_or_not(
    built: Path, pictures: Any, tmp_path: Path, trained_merged: bool
) -> None:
    item = spoken(built, merge=trained_merged)
    untrained = answers(item, pictures)
    prepare(item, LORA)
    torch.manual_seed(0)
    with torch.no_grad():
        for _, _, weight in weights(item, LORA):
            weight.add_(torch.randn_like(weight) * 0.05)
    save(item, LORA, tmp_path)
    expected = answers(item, pictures)
    assert not torch.allclose(expected, untrained, atol=1e-2)
    other = spoken(built, merge=not trained_merged)
    load(other, tmp_path)
    assert torch.allclose(answers(other, pictures), expected, atol=1e-5)


def test_adapters_that_the_model_came_with_stay_as_they_are(built: Path) -> None:
    model = spoken(built, merge=False)
    prepare(model, LORA)
    module = TrainingModule(model, None).train()
    training = {id(item) for _, _, item in weights(model, LORA)}
    assert training
    for name, weight in module.named_parameters():
        assert weight.requires_grad == (id(weight) in training), name


def test_weights_that_a_recipe_leaves_out_stay_and_are_not_saved(
    built: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    model = spoken(built, merge=True)
    prepare(model, LORA)
    everything = {(part, name) for part, name, _ in weights(model, LORA)}
    chosen = choose_weights(model, LORA, lambda part, name: "bias" in name or part == "lora")
    left = {(part, name) for part, name, _ in weights(model, chosen)}
    assert left == {(part, name) for part, name in everything if "bias" in name or part == "lora"}
    assert left != everything
    parts = {"connector": model.parts()["connector"], "lora": model.parts()["language_model"]}
    for part, name in everything:
        weight = dict(parts[part].named_parameters())[name]
        assert weight.requires_grad == ((part, name) in left)
    with torch.no_grad():
        for _, _, weight in weights(model, chosen):
            weight.fill_(0.25)
    save(model, chosen, tmp_path)
    tensors = load_file(tmp_path / "connector.safetensors")
    assert set(tensors) == {name for part, name in left if part == "connector"}
    other = spoken(built, merge=True)
    assert load(other, tmp_path) == chosen
    assert all(bool((weight == 0.25).all()) for _, _, weight in weights(other, chosen))


def test_a_choice_of_nothing_is_refused(built: Path) -> None:
    model = spoken(built, merge=True)
    prepare(model, LORA)
    with pytest.raises(UserError, match="trains none of the weights of connector, lora"):
        choose_weights(model, LORA, lambda *_: False)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["connector"], "a file of lora, which is not named"),
        (["connector", "lora", "tower"], "no part 'tower'"),
        ([], "a file of"),
    ],
)
def test_a_folder_with_a_part_that_would_be_left_out_is_refused(
    built: Path, tmp_path: Path, parts: list[str], message: str
) -> None:
    model = spoken(built, merge=True)
    prepare(model, LORA)
    save(model, LORA, tmp_path)
    file = tmp_path / "trained.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"parts": parts}))
    with pytest.raises(UserError, match=message):
        load(spoken(built, merge=True), tmp_path)


def test_a_record_of_another_shape_is_refused(built: Path, tmp_path: Path) -> None:
    (tmp_path / "trained.json").write_text('"connector"')
    with pytest.raises(UserError, match=r"trained\.json: not a JSON object"):
        load(spoken(built, merge=True), tmp_path)


def test_a_part_of_which_nothing_trains_leaves_no_file_and_needs_none(
    built: Path, tmp_path: Path
) -> None:
    model = spoken(built, merge=True)
    prepare(model, LORA)
    chosen = choose_weights(model, LORA, lambda part, _: part == "connector")
    save(model, chosen, tmp_path)
    assert not (tmp_path / "lora.safetensors").exists()
    assert load(spoken(built, merge=True), tmp_path) == chosen
    (tmp_path / "connector.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        load(spoken(built, merge=True), tmp_path)
