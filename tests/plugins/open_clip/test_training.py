"""Dual encoders that train: the official prompt array, losses, adversary, adapters, refusals."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness_training import weights as trained_weights

from harness.cli.main import invoke, main
from harness.descriptors import parse_options
from harness.errors import UserError
from harness.models import Runtime
from harness.plugins import plugins
from harness.samples.images import LoadedImage
from harness.targets import load_target
from harness.training import Example, Pairs

pytestmark = pytest.mark.torch
CPU = Runtime(device="cpu", dtype="float32")
CASES = Path(__file__).parents[2] / "conformance" / "prompt_array_cases.json"
ARRAY: dict[str, Any] = {"prompt": {"tokens": 2}}
ADVERSARY: dict[str, Any] = {
    "queries": ["a chef", "a doctor", "a nurse"], "attribute": "gender",
    "values": ["female", "male"], "hidden": 8, "strength": 2.0,
}  # fmt: skip


def loaded(path: Path) -> Any:
    from harness_open_clip.factory import DualEncoder

    return DualEncoder({"path": str(path)}).load_model(CPU)


def recipe(name: str, **options: Any) -> Any:
    descriptor = plugins().recipes()[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name))


def pairs(pictures: list[LoadedImage], *texts: str) -> list[Any]:
    """Pairs of an image and a text, of a man and a woman in turn."""
    return [
        SimpleNamespace(
            text=text, weight=1.0, groups={"gender": ("male", "female")[at % 2]},
            open=lambda image=image: (image,),
        )
        for at, (image, text) in enumerate(zip(pictures, texts, strict=False))
    ]  # fmt: skip


def test_twenty_texts_have_the_official_prompt_array_s_vectors(original: Path) -> None:
    import torch

    cases = json.loads(CASES.read_text())
    model = loaded(original)
    model.add(ARRAY)
    tokens = model.parts()["prompt"].tokens
    assert tokens[1].tolist() == pytest.approx(cases["start"], abs=1e-6)
    torch.manual_seed(0)
    with torch.no_grad():
        tokens.copy_(torch.randn(2, 128) * 0.3)
        read = torch.nn.functional.normalize(model._encoder.texts(cases["texts"]), dim=-1)
    assert len(read) == 20
    assert (read - torch.tensor(cases["vectors"])).abs().max().item() < 1e-5


@pytest.mark.parametrize(
    "kind",
    [
        "clip",
        "siglip",
        "altclip",
        "chinese_clip",
        "align",
        "flava",
        "clipseg",
        "groupvit",
        "metaclip_2",
        "vision-text-dual-encoder",
    ],
)
def test_an_array_stands_before_texts_of_each_family(
    converted: Callable[[str], Path], kind: str
) -> None:
    import torch

    model = loaded(converted(kind))
    texts = ["a happy person", "two people talking"]
    plain, room = model._encoder.texts(texts), model._encoder.context
    model.add(ARRAY)
    assert model._encoder.context == room - 2
    both = model._encoder.texts(texts)
    assert both.shape == plain.shape
    assert not torch.allclose(both, plain)
    if kind != "siglip":  # a shorter text beside a longer one is read as it is alone
        assert torch.allclose(both[:1], model._encoder.texts(texts[:1]), atol=1e-4)
    both.sum().backward()
    gradient = model.parts()["prompt"].tokens.grad
    assert bool(gradient.any(dim=1).all())


def test_the_contrast_is_clip_s_own_where_all_texts_differ(
    original: Path, pictures: list[LoadedImage]
) -> None:
    import torch
    from open_clip.loss import ClipLoss

    batch = loaded(original).pairs(pairs(pictures, "a chef", "a nurse", "a doctor"))
    expected = recipe("contrastive").pairs_loss(batch)
    assert expected.item() == pytest.approx(
        ClipLoss()(batch.images, batch.texts, batch.scale).item(), abs=1e-6
    )
    images = torch.eye(3)
    texts = torch.stack([images[0], images[0], images[2]])
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    equal = Pairs(torch.ones(3), images, texts, same, torch.tensor(1.0))
    turned = Pairs(torch.ones(3), images[[1, 0, 2]], texts, same, torch.tensor(1.0))
    # Two images of one text have equal shares of it: which is which changes nothing.
    losses = [recipe("contrastive").pairs_loss(item).item() for item in (equal, turned)]
    assert losses[0] == pytest.approx(losses[1])


def test_the_adversary_learns_and_the_array_unlearns(
    original: Path, pictures: list[LoadedImage]
) -> None:
    import torch

    model = loaded(original)
    model.add({**ARRAY, "adversary": ADVERSARY})
    trained = trained_weights.Trained(("prompt", "adversary"), added=ARRAY)
    trained_weights.prepare(model, trained)
    expected = [
        name for part, name, _ in trained_weights.weights(model, trained) if part == "prompt"
    ]
    assert expected == ["tokens"]
    gradients = {}
    for strength in (0.0, 1.0):
        model.parts()["adversary"].strength = strength
        method = recipe("prompt_array", contrast=0.0)
        loss = method.pairs_loss(model.pairs(pairs(pictures, "a chef", "a nurse", "a doctor")))
        names = [weight for _, _, weight in trained_weights.weights(model, trained)]
        gradients[strength] = torch.autograd.grad(loss, names, allow_unused=True)
    assert not gradients[0.0][0].any()  # nothing is turned round
    assert gradients[1.0][0].any()
    for before, after in zip(gradients[0.0][1:], gradients[1.0][1:], strict=True):
        assert torch.equal(before, after)  # the adversary's own are as they were
    # A step along the turned gradient makes the adversary's loss greater.
    with torch.no_grad():
        model.parts()["prompt"].tokens -= 0.05 * gradients[1.0][0] / gradients[1.0][0].norm()
    again = method.pairs_loss(model.pairs(pairs(pictures, "a chef", "a nurse", "a doctor")))
    assert again.item() > loss.item()


def test_adapters_lie_in_every_layer_that_reads_them(
    original: Path, converted: Callable[[str], Path], pictures: list[LoadedImage]
) -> None:
    import torch

    for path, reads in ((original, "mlp."), (converted("clip"), "self_attn.q_proj")):
        model = loaded(path)
        trained = trained_weights.Trained(("lora",), rank=2)
        trained_weights.prepare(model, trained)
        named = list(trained_weights.weights(model, trained))
        assert any(reads in name for _, name, _ in named)
        batch = model.pairs(pairs(pictures, "a happy person", "two people talking"))
        torch.autograd.backward(recipe("contrastive").pairs_loss(batch))
        assert all(weight.grad is not None for _, _, weight in named)


def test_the_side_that_trains_is_told_by_its_names() -> None:
    image, text = recipe("contrastive", side="image"), recipe("contrastive", side="text")
    for name, is_image in (
        ("visual.transformer.resblocks.0.mlp.c_fc.weight", True),
        ("vision_model.encoder.layers.0.mlp.fc1.weight", True),
        ("image_projection.weight", True),
        ("transformer.resblocks.0.mlp.c_fc.weight", False),
        ("text_model.encoder.layers.0.mlp.fc1.weight", False),
        ("logit_scale", False),
    ):
        assert image.trains("encoder", name) is is_image
        assert text.trains("lora", name) is not is_image
    assert image.trains("prompt", "tokens")


def test_sets_stay_together_and_wrong_data_are_refused() -> None:
    pool = [
        Example(str(at), "t", text, {}, {"gender": "male"}, cluster=str(at % 4))
        for at, text in enumerate(("a chef", "a nurse") * 6)
    ]
    order = recipe("contrastive").epoch(0, pool, dict, random.Random(0)).order
    clusters = [pool[position].cluster for position in order]
    assert sorted(order) == list(range(12))
    assert sum(first != other for first, other in pairwise(clusters)) == 3
    with pytest.raises(UserError, match="every image has gender 'male'"):
        recipe("prompt_array").check(pool)
    with pytest.raises(UserError, match="race"):
        recipe("prompt_array", attribute="race").check(pool)
    with pytest.raises(UserError, match="nothing to contrast"):
        recipe("contrastive").check(pool[::2])


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({"prompt": {"tokens": 22}}, "22 prompt tokens, where a text has 24"),
        ({"prompt": {"tokens": 10**9}}, "prompt tokens"),
        ({"prompt": {}}, "no prompt can be made"),
        ({"adversary": {**ADVERSARY, "hidden": 10**9}}, "cannot be made"),
        ({"adversary": {**ADVERSARY, "values": ["one"]}}, "cannot be made"),
        ({"other": {}}, "other"),
    ],
)
def test_parts_that_cannot_be_made_are_refused(
    original: Path, added: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        loaded(original).add(added)


def test_a_training_of_all_weights_is_planned_without_loading_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--model", "open_clip", "--recipe", "contrastive", "--tasks", "scounter",
               "--limit", "4", "--batch-size", "4", "--out", str(tmp_path / "out")]  # fmt: skip
    assert invoke(main, [*command, "--train-parts", "full", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "sets=together, side=both" in text
    assert "trains      full" in text
    assert not (tmp_path / "out").exists()
