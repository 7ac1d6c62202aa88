"""Towers of every model plugin can be probed, and a training's weights are what is measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_analyses.encoders import find_encoder
from harness_analyses.features import Column
from harness_training.run import TOWER
from PIL import Image

from harness.analysis.results import read_analysis
from harness.cli.main import entry
from harness.config.settings import load_settings
from harness.errors import UserError
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.plugins import plugins
from harness.samples.images import LoadedImage
from harness.specs.catalog import load_catalog
from tests.plugins.hf_vlm import families

pytestmark = pytest.mark.torch
RELEASED = Path(__file__).parents[2] / "conformance" / "checkpoints"


def made(name: str) -> Callable[[Path], str]:
    return lambda folder: f"model:hf_vlm,path={getattr(families, name)(folder)}"


def released(model: str, name: str) -> Callable[[Path], str]:
    return lambda _: f"model:{model},path={RELEASED / name}"


TOWERS = {
    "llava, transformers' format": released("llava", "llava15_hf_tiny"),
    "llava, original format": released("llava", "llava15_original_tiny"),
    "qwen_vl": released("qwen_vl", "qwen_vl_v1_tiny"),
    "bunny": released("bunny", "bunny_llama_tiny"),
    "open_clip": lambda _: "model:open_clip,preset=demo",
    "hf_vlm, idefics3": made("idefics3"),
    "hf_vlm, qwen2_vl": made("qwen2_vl"),
}


def image(seed: int) -> LoadedImage:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)
    return LoadedImage(pixels, str(seed), str(seed), 64, 64)


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_of_any_model_has_layers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    task = Task(load_catalog(plugins().spec_folders()).task("raf_db", {}), settings)
    (tmp_path / "made").mkdir()
    encoder = find_encoder(TOWERS[name](tmp_path / "made"), settings, Runtime(device="cpu"), task)
    tower = encoder.load()
    assert len(tower.layers) >= 2
    columns = list(tower.columns("all", "mean").values())
    together = tower.features([image(0), image(1)], columns)
    for column in columns:
        first, other = (result[column] for result in together)
        assert first.ndim == 1
        assert np.isfinite(first).all()
        assert np.abs(first - other).max() > 1e-6
        alone = tower.features([image(1)], [column])[0][column]
        np.testing.assert_allclose(alone, other, rtol=1e-3, atol=1e-4)


def test_a_processor_that_takes_no_picture_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    task = Task(load_catalog(plugins().spec_folders()).task("raf_db", {}), settings)
    # Its processor lacks the size of patches, which the llava plugin does not need.
    name = f"model:hf_vlm,path={RELEASED / 'llava15_hf_tiny'}"
    with pytest.raises(UserError, match="the encoder model:hf_vlm takes no image"):
        find_encoder(name, settings, Runtime(device="cpu"), task).load()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(list(arguments))
    return int(str(ended.value.code or 0))


def newest(results: Path) -> Any:
    ordered = sorted(results.rglob("analysis.json"), key=lambda path: path.stat().st_mtime_ns)
    return read_analysis(ordered[-1].parent)


def test_a_trained_tower_is_the_one_that_is_looked_into(
    built: Path, faces: Path, trained: Callable[..., Path]
) -> None:
    folder = trained(TOWER)
    settings = load_settings()
    task = Task(load_catalog(plugins().spec_folders()).task("raf_db", {}), settings)
    plain = f"model:socialfusion,path={built / 'saved'}"
    towers = [
        find_encoder(name, settings, Runtime(device="cpu"), task)
        for name in (plain, f"{plain},checkpoint={folder}")
    ]
    assert towers[0].identity != towers[1].identity
    column = Column(0, "mean")
    results = [tower.load().features([image(0)], [column])[0][column] for tower in towers]
    assert np.abs(results[0] - results[1]).max() > 1e-3
    assert run(
        "probe", "--encoder", plain, "--encoder", f"{plain},checkpoint={faces}", "--tasks",
        "raf_db", "--data", f"raf_db={faces}",
    ) == 2  # fmt: skip


def test_a_model_s_trained_parts_are_what_is_measured(
    built: Path,
    faces: Path,
    trained: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = ["--tasks", "raf_db", "--data", f"raf_db={faces}", "--results", "r"]
    model = ["--model", "socialfusion", "-o", f"path={built / 'saved'}"]
    rates = []
    for more in ([], ["--checkpoint", str(trained("connector"))]):
        assert run("mir", *model, *data, *more) == 0
        result = newest(tmp_path / "r")
        rates.append(result.table("mir").records()[0]["mir"])
    assert rates[0] != rates[1]
    assert "checkpoint" in str(result.about["model"])
    capsys.readouterr()
    assert run("mir", *model, *data, "--checkpoint", "nowhere") == 2
    assert "nowhere: the file or folder does not exist" in capsys.readouterr().err


def test_a_tower_is_taken_over_from_a_training(built: Path, trained: Callable[..., Path]) -> None:
    from harness_socialfusion.factory import SocialFusion
    from harness_training.weights import take

    model, plain = (
        SocialFusion({"path": str(built / "saved")}).load_model(Runtime(device="cpu"))
        for _ in range(2)
    )
    folder = trained(TOWER)
    take(model, TOWER, folder)
    for first, other in zip(
        model.parts()[TOWER].parameters(), plain.parts()[TOWER].parameters(), strict=True
    ):
        np.testing.assert_allclose(first.detach(), other.detach() + 0.5, rtol=1e-6)
    assert model.features_key != plain.features_key, "its features are kept apart"
    with pytest.raises(UserError, match="saved no connector"):
        take(model, "connector", folder)


def test_an_open_clip_folder_without_its_weights_is_refused(tmp_path: Path) -> None:
    """Left to itself, open_clip makes a model of random weights."""
    from harness_open_clip.sources import Encoder as Source
    from harness_open_clip.tower import load

    vision = {"image_size": 16, "patch_size": 8, "width": 16, "layers": 1, "head_width": 8}
    text = {"context_length": 8, "vocab_size": 16, "width": 16, "heads": 2, "layers": 1}
    model = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    config = {"model_cfg": model, "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="the folder holds no weights"):
        load(Source(f"local-dir:{tmp_path}", tmp_path), Runtime(device="cpu"))
