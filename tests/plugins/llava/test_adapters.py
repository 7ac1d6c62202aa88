"""Adapters over LLaVA in both formats give what the merged checkpoint gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_llava.factory import Llava

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Turn
from harness.samples.images import LoadedImage
from tests.plugins.llava.conftest import HF, SHARED
from tests.plugins.lora import compare, configure, rewrite, write

pytestmark = pytest.mark.torch
RUNTIME = Runtime(device="cpu", dtype="float32")
ORIGINAL = SHARED / "llava15_original_tiny"
LANGUAGE = r".*(?<!vision_model\.encoder\.)layers\.\d+\..*(q_proj|down_proj)"
EVERYWHERE = r".*layers\.\d+\..*(q_proj|v_proj|fc1)"


def load(folder: Path, **options: Any) -> Any:
    return Llava({"path": str(folder), **options}).load_model(RUNTIME)


@pytest.fixture
def turns(picture: Callable[..., LoadedImage]) -> list[Turn]:
    return [Turn("user", "Who?", (picture(40, 30),))]


def newer(name: str) -> str:
    """Names of the whole model since transformers 4.52, in those of the tiny checkpoint."""
    name = name.replace("language_model.model.", "model.language_model.")
    name = name.replace("language_model.lm_head", "lm_head")
    for part in ("vision_tower", "multi_modal_projector"):
        name = name.replace(f"{part}.", f"model.{part}.", 1)
    return name


def alone(name: str) -> str:
    return name.removeprefix("language_model.")


def original(name: str) -> str:
    """Names of the original format, in those of the tiny checkpoint in transformers' format."""
    for number, old in (("1", "0"), ("2", "2")):
        name = name.replace(f"multi_modal_projector.linear_{number}", f"model.mm_projector.{old}")
    name = name.replace("vision_tower.", "model.vision_tower.vision_tower.", 1)
    return name.removeprefix("language_model.")


@pytest.mark.parametrize(
    ("layers", "called", "more"),
    [
        (LANGUAGE, newer, {}),
        (LANGUAGE, str, {}),
        (LANGUAGE, alone, {}),
        (LANGUAGE, lambda name: alone(name).removeprefix("model."), {}),
        (LANGUAGE, lambda name: newer(name) + ".base_layer", {}),
        (EVERYWHERE, newer, {}),
        (EVERYWHERE, str, {}),
        (EVERYWHERE, original, {}),
        (EVERYWHERE, lambda name: newer(name).replace("vision_model.", ""), {}),
        (r"vision_tower.*(q_proj|v_proj)", newer, {"targets": r".*vision_tower.*(q|v)_proj"}),
        (r"vision_tower.*(k_proj)", lambda name: name.split("tower.")[1], {}),
        (r"multi_modal_projector.*", newer, {}),
        (LANGUAGE, newer, {"targets": r"model.language_model.*(q_proj|down_proj)"}),
        (LANGUAGE, str, {"targets": r"model.language_model.*(q_proj|down_proj)"}),
        (
            r".*language_model.*layers\.0.*q_proj",
            newer,
            {"layers_to_transform": [0], "exclude_modules": ".*vision.*"},
        ),
        (
            LANGUAGE,
            newer,
            {
                "whole": r"language_model\.(lm_head|model\.embed_tokens).*|multi_modal.*",
                "modules_to_save": ["lm_head", "embed_tokens", "multi_modal_projector"],
            },
        ),
        (LANGUAGE, original, {"extras": r"multi_modal_projector.*"}),
        (EVERYWHERE, original, {"extras": r"multi_modal_projector.*|vision_tower.*layer_norm1.*"}),
    ],
)
def test_an_adapter_under_any_names_is_the_merged_model(
    tmp_path: Path,
    *,
    turns: list[Turn],
    logits: Callable[..., Any],
    layers: str,
    called: Callable[[str], str],
    more: dict[str, Any],
) -> None:
    mapping = dict(more)
    if layers == LANGUAGE and called is not alone and "targets" not in mapping:
        mapping.setdefault("exclude_modules", r".*vision.*")
    written = write(HF, tmp_path, layers, called=called, **mapping)
    compare(logits, load, turns, HF, written)


@pytest.mark.parametrize(
    ("layers", "called", "more"),
    [
        (LANGUAGE, str, {"extras": r"model\.mm_projector.*"}),
        (LANGUAGE, str, {"whole": r"model\.mm_projector.*", "modules_to_save": ["mm_projector"]}),
        (LANGUAGE, lambda name: "model.language_model." + name.removeprefix("model."), {}),
        (LANGUAGE, lambda name: "language_model." + name, {}),
        (r"model\.mm_projector.*", str, {}),
    ],
)
def test_an_adapter_over_the_original_format_is_the_merged_model(
    tmp_path: Path,
    *,
    turns: list[Turn],
    logits: Callable[..., Any],
    layers: str,
    called: Callable[[str], str],
    more: dict[str, Any],
) -> None:
    options = {"exclude_modules": ".*vision.*", **more}
    written = write(ORIGINAL, tmp_path, layers, called=called, **options)
    compare(logits, load, turns, ORIGINAL, written)


def test_a_tower_beside_the_original_format_is_adapted(
    tmp_path: Path, turns: list[Turn], logits: Callable[..., Any]
) -> None:
    written = write(
        ORIGINAL,
        tmp_path,
        r"vision_model.*(q_proj|fc2)",
        called=lambda name: f"model.vision_tower.vision_tower.{name}",
        targets=r".*vision_model.*(q_proj|fc2)",
        weights="clip-tiny/model.safetensors",
    )
    compare(logits, load, turns, ORIGINAL, written)


@pytest.mark.parametrize("kind", ["llava_next", "llava_onevision"])
def test_a_tiled_llava_takes_what_lies_between_the_parts_too(
    tmp_path: Path,
    turns: list[Turn],
    logits: Callable[..., Any],
    tiled: Callable[[str], Path],
    kind: str,
) -> None:
    base = tiled(kind)
    written = write(base, tmp_path, r".*(q_proj|linear_1)", extras=r"(model\.)?image_newline")
    compare(logits, load, turns, base, written)


def test_features_of_an_adapted_tower_are_kept_apart(
    tmp_path: Path, turns: list[Turn], logits: Callable[..., Any]
) -> None:
    written = write(HF, tmp_path, EVERYWHERE, called=newer)
    adapted, plain = load(HF, adapter=str(written.adapter)), load(HF)
    assert adapted.features_key != plain.features_key
    images = turns[0].images
    assert not torch.allclose(adapted.encode(images)[0], plain.encode(images)[0], atol=1e-3)


def test_every_file_that_is_applied_is_in_the_identity(tmp_path: Path) -> None:
    written = write(HF, tmp_path, LANGUAGE, called=original, extras=r"multi_modal_projector.*")
    options = {"path": str(HF), "adapter": str(written.adapter)}
    before = Llava(options).identity(RUNTIME)
    extras = written.adapter / "non_lora_trainables.bin"
    loaded = torch.load(extras, weights_only=True)
    torch.save({name: tensor + 1 for name, tensor in loaded.items()}, extras)
    assert Llava(options).identity(RUNTIME) != before


def test_a_tower_whose_tensors_were_taken_out_is_missed(tmp_path: Path) -> None:
    written = write(HF, tmp_path, LANGUAGE, called=newer)
    with pytest.raises(UserError, match=r"3 tensors are missing in the file"):
        load(HF, adapter=str(written.adapter))
    configure(written, exclude_modules=r".*vision_tower.*")
    load(HF, adapter=str(written.adapter))


def test_an_adapter_of_a_larger_model_is_refused(tmp_path: Path) -> None:
    written = write(HF, tmp_path, LANGUAGE, called=alone)
    rewrite(
        written,
        lambda content: (
            content | {n.replace("layers.1", "layers.77"): t + 1 for n, t in content.items()}
        ),
    )
    with pytest.raises(UserError, match=r"4 tensors are for no layer of this model"):
        load(HF, adapter=str(written.adapter))
