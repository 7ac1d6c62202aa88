from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from harness_socialfusion import checkpoint
from harness_socialfusion.connector import Connector, merge_neighbours
from harness_socialfusion.settings import ConnectorSettings, read_settings
from safetensors.torch import load_file, save_file
from torch.nn import functional

from harness.engine.tokenize import IMAGE
from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage

pytestmark = pytest.mark.torch

QUESTIONS = ("what is this?", "two people, or a dog? yes or no")
ANSWERS = ("a cat", "maybe a fish!")


def pairs(model: Any) -> tuple[list[Any], list[Any]]:
    both = [
        model.pair([Turn("user", question)], answer)
        for question, answer in zip(QUESTIONS, ANSWERS, strict=True)
    ]
    return [item for item, _ in both], [other for _, other in both]


def test_features_are_the_towers_own_patch_tokens(model: Any, pictures: list[LoadedImage]) -> None:
    features = model.encode([picture.pixels for picture in pictures[:2]])
    assert features.shape == (2, 16, 16)
    visual = model.encoder.visual
    visual.output_tokens = True
    with torch.no_grad():
        prepare = visual(model.encoder.prepare([picture.pixels for picture in pictures[:2]]))[1]
    visual.output_tokens = False
    assert torch.allclose(features, prepare, atol=1e-6)


def test_loss_is_the_cross_entropy_of_the_answers(model: Any, pictures: list[LoadedImage]) -> None:
    features = model.encode([picture.pixels for picture in pictures[:2]])
    prompts, answers = pairs(model)
    total, count = 0.0, 0
    for at in range(2):
        prompt = model.embed(prompts[at], list(model.connect(features[at : at + 1])))
        assert len(prompt) == model.length(prompts[at])
        message = model.language_model.get_input_embeddings()(torch.tensor(answers[at]))
        logits = model.language_model(inputs_embeds=torch.cat([prompt, message])[None]).logits[0]
        behind = logits[len(prompt) - 1 : -1]
        aims = torch.tensor(answers[at])
        total += functional.cross_entropy(behind, aims, reduction="sum").item()
        count += len(answers[at])
    assert answers[0][-1] == model.tokenizer.eos_token_id
    loss = model.loss(features, prompts, answers)
    assert loss.item() == pytest.approx(total / count, abs=1e-5)


def test_the_loss_trains_connector_and_adapters_alone(
    built: Path, pictures: list[LoadedImage]
) -> None:
    model = checkpoint.load(built / "saved").train()
    assert not model.encoder.training
    features = model.encode([picture.pixels for picture in pictures[:2]])
    torch.autograd.backward(model.loss(features, *pairs(model)))
    trained = list(model.trainable_parameters())
    assert trained
    assert all(weight.grad is not None for weight in trained)
    listed = {id(weight) for weight in trained}
    remainder = [weight for weight in model.parameters() if id(weight) not in listed]
    assert all(weight.grad is None for weight in remainder)


def test_several_images_go_where_their_marks_are(model: Any, pictures: list[LoadedImage]) -> None:
    displayed = list(model.connect(model.encode([picture.pixels for picture in pictures[:2]])))
    ids = (1, IMAGE, 5, 6, IMAGE)
    embedded = model.embed(ids, displayed)
    assert len(embedded) == model.length(ids) == 3 + 2 * 16
    assert torch.equal(embedded[1:17], displayed[0])
    assert torch.equal(embedded[19:], displayed[1])


def test_a_saved_model_gives_the_same_numbers(
    model: Any, built: Path, tmp_path: Path, pictures: list[LoadedImage]
) -> None:
    features = model.encode([picture.pixels for picture in pictures[:2]])
    before = model.log_likelihood(features, *pairs(model))[0]
    checkpoint.save(model, tmp_path / "again", base=built / "saved")
    for folder in (tmp_path / "encoder", tmp_path / "language_model"):
        folder.symlink_to(built / folder.name)
    again = checkpoint.load(tmp_path / "again").eval()
    assert torch.equal(before, again.log_likelihood(features, *pairs(again))[0])
    merged = checkpoint.load(tmp_path / "again", merge=True).eval()
    after = merged.log_likelihood(features, *pairs(merged))[0]
    assert torch.allclose(before, after, atol=1e-4)
    assert read_settings(tmp_path / "again").image_tokens == 16


def test_no_machine_path_is_saved(built: Path) -> None:
    for path in (built / "saved").rglob("*.json"):
        assert str(built) not in path.read_text()


@pytest.mark.parametrize("kind", ["linear", "mlp", "attention"])
@pytest.mark.parametrize("merge", [1, 2])
def test_connectors_have_the_shapes_they_say(kind: str, merge: int) -> None:
    settings = ConnectorSettings(kind=kind, layers=2, merge=merge, queries=5)
    connector = Connector(settings, width_in=6, out=8, grid=(4, 4))
    result = connector(torch.randn(3, 16, 6))
    assert result.shape == (3, connector.tokens, 8)
    assert connector.tokens == (5 if kind == "attention" else 16 // merge**2)


def test_neighbours_are_merged_as_they_lie_in_the_picture() -> None:
    tokens = torch.arange(16.0).reshape(1, 16, 1)
    merged = merge_neighbours(tokens, (4, 4), 2)
    assert merged[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_a_grid_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UserError, match="merged"):
        Connector(ConnectorSettings(merge=3), width_in=6, out=8, grid=(4, 4))


@pytest.mark.parametrize("name", ["connector.safetensors", "adapter/adapter_model.safetensors"])
def test_foreign_and_missing_tensors_are_refused(root: Path, name: str) -> None:
    path = root / "saved" / name
    state = load_file(path)
    state["foreign"] = state.pop(min(state))
    save_file(state, path)
    with pytest.raises(UserError, match=r"(?s)1 tensor is missing.*1 tensor is not this model's"):
        checkpoint.load(root / "saved")


def test_another_shape_is_refused(root: Path) -> None:
    path = root / "saved" / "connector.safetensors"
    state = {name: weight[:1].clone() for name, weight in load_file(path).items()}
    save_file(state, path)
    with pytest.raises(UserError, match="shape"):
        checkpoint.load(root / "saved")


def test_a_language_model_that_lacks_tensors_is_refused(root: Path) -> None:
    path = root / "language_model" / "model.safetensors"
    state = load_file(path)
    state.pop("model.norm.weight")
    save_file(state, path, metadata={"format": "pt"})
    settings = (root / "saved" / "socialfusion.json").read_text()
    sha256 = read_settings(root / "saved").language_model.sha256
    (root / "saved" / "socialfusion.json").write_text(settings.replace(sha256, ""))
    with pytest.raises(UserError, match="missing"):
        checkpoint.load(root / "saved")
