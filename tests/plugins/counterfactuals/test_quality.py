"""Quality numbers equal their definitions, stream, and are refused where they would say nothing."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_counterfactuals.filters.encoder import shared_encoder
from harness_counterfactuals.quality.distances import Moments, fewest_for_fid, frechet, kid
from harness_counterfactuals.quality.features import EncoderFeatures, resized
from harness_counterfactuals.quality.images import ImageFolder, TaskImages
from harness_counterfactuals.quality.measure import Measured, balance, distances, measure
from PIL import Image

import harness
from harness.cli.main import invoke, main
from harness.errors import UserError
from tests.plugins.counterfactuals.folders import RACES, made

ENCODER = "package:harness_demo_world/weights/encoder"


def moments_of(features: Any, batch: int) -> Moments:
    moments = Moments()
    for start in range(0, len(features), batch):
        moments.add(features[start : start + batch])
    return moments


def test_moments_and_fid_do_not_depend_on_batches_and_equal_clean_fid() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 6)), rng.normal(0.3, 1.4, size=(250, 6))
    for batch in (1, 7, 300):
        moments = moments_of(a, batch)
        assert np.allclose(moments.mean, a.mean(axis=0))
        assert np.allclose(moments.covariance, np.cov(a, rowvar=False))
    value = frechet(moments_of(a, 16), moments_of(b, 16))
    assert frechet(moments_of(a, 16), moments_of(a, 7)) == pytest.approx(0, abs=1e-9)
    fid = pytest.importorskip("cleanfid.fid")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert value == pytest.approx(fid.fid_from_feats(a, b), rel=1e-9)


def test_images_are_resized_as_clean_fid_does() -> None:
    resize = pytest.importorskip("cleanfid.resize")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 500, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = resize.build_resizer("clean")(pixels)
    assert np.array_equal(resized(Image.fromarray(pixels)), expected)


def brute_kid(x: Any, y: Any) -> float:
    n, m, d = len(x), len(y), x.shape[1]

    def k(a: Any, b: Any) -> float:
        return float((a @ b / d + 1) ** 3)

    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (n * m)


def test_kid_and_its_jackknife_are_what_loops_give() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(9, 4)), rng.normal(0.5, 1, size=(7, 4))
    clusters = [0, 0, 1, 2, 2, 2, 3, 4, 4]
    value = kid(x, y, clusters)
    assert value.value == pytest.approx(brute_kid(x, y))
    left = [brute_kid(x[[c != g for c in clusters]], y) for g in range(5)]
    right = [brute_kid(x, np.delete(y, j, axis=0)) for j in range(7)]
    variance = sum(
        (len(each) - 1) / len(each) * np.sum((np.array(each) - np.mean(each)) ** 2)
        for each in (left, right)
    )
    assert (value.high - value.low) / 2 == pytest.approx(2.7764451 * np.sqrt(variance), rel=1e-6)


@pytest.mark.slow
def test_the_interval_of_kid_covers_nought_for_equal_laws() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        # Three images for each set: alike within it.
        x = np.repeat(rng.normal(size=(40, 8)), 3, axis=0) + 0.1 * rng.normal(size=(120, 8))
        value = kid(x, rng.normal(0, 1.005, size=(80, 8)), [i // 3 for i in range(120)])
        covered += value.low <= 0 <= value.high
    assert covered >= 180


def pass_over(folder: Path, **more: Any) -> Measured:
    encoder = shared_encoder(ENCODER, "cpu")
    return measure(ImageFolder(folder), EncoderFeatures(encoder), encoder, lambda _: None, **more)


def test_one_pass_gives_what_the_definitions_give(tmp_path: Path) -> None:
    folder = made(tmp_path / "made", sets=3)
    measured = pass_over(tmp_path / "made")
    encoder = shared_encoder(ENCODER, "cpu")
    rows = folder.rows()
    vectors = encoder.images([folder.image(row) for row in rows], [row.sha256 for row in rows])
    firsts = [index for index, row in enumerate(rows) if row.is_source]
    pairs = [vectors[i] @ vectors[j] for i in firsts for j in firsts if i != j]
    assert measured.diversity()[""] == pytest.approx(1 - np.mean(pairs))
    chefs = [index for index, row in enumerate(rows) if row.concept == "chef"]
    prompts = encoder.texts([row.prompt for row in rows])
    score = measured.clip_scores()["chef"]
    assert score.value == pytest.approx(100 * (vectors * prompts).sum(axis=1)[chefs].mean())
    assert (score.sets, score.low < score.value < score.high) == (3, True)
    edits = [vectors[index] @ vectors[index - index % 3] for index in range(len(rows)) if index % 3]
    consistency = measured.set_consistency()
    assert consistency is not None
    assert consistency.value == pytest.approx(np.mean(edits))


def test_kid_takes_the_same_images_in_whatever_order_they_come(tmp_path: Path) -> None:
    made(tmp_path / "made", sets=3)
    few = pass_over(tmp_path / "made", kid_images=7)
    every = pass_over(tmp_path / "made")
    names = {entry[1] for entry in sorted(every.kept, reverse=True)[:7]}
    assert {entry[1] for entry in few.kept} == names


def test_twelve_real_images_give_kid_and_no_fid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path / "made", sets=3)
    real = tmp_path / "real"
    real.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(real / f"{number}.png")
    (real / "broken.jpg").write_bytes(b"no image")
    code = invoke(main, ["quality", str(tmp_path / "made"), "--encoder", ENCODER, "--reference",
                         str(real), "--out", str(tmp_path / "quality.json")])  # fmt: skip
    text, messages = capsys.readouterr()
    assert code == 0
    assert "FID needs 1,000 images on each side; the reference has 12" in text
    assert "1 images are left out" in messages
    report = json.loads((tmp_path / "quality.json").read_text())
    assert report["settings"]["encoder"]["encoder"] == ENCODER
    [numbers] = report["sets"]
    assert numbers["fid"] is None
    assert numbers["kid_low"] < numbers["kid"] < numbers["kid_high"]
    assert numbers["balance"]["race"] == {"evenness": pytest.approx(1),
                                          "images": dict.fromkeys(RACES, 12)}  # fmt: skip


STUDY = """
study: nearer
kind: image_quality
title: Which set is nearer?
sets: [{{label: Made, path: {made}}}, {{label: Same, path: {made}}}]
reference: {{label: Real, path: {real}}}
encoder: package:harness_demo_world/weights/encoder
"""


def test_a_study_compares_sets_with_real_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path / "made", sets=2)
    made(tmp_path / "real", sets=3)
    file, page = tmp_path / "nearer.yaml", tmp_path / "page.md"
    file.write_text(STUDY.format(made=tmp_path / "made", real=tmp_path / "real"), "utf-8")
    command = ["study", str(file), "--out", str(tmp_path / "out"), "--page", str(page)]
    assert invoke(main, command) == 0
    first, second = json.loads((tmp_path / "out" / "table.json").read_text())["sets"]
    assert first["kid"] == second["kid"]
    text = page.read_text("utf-8")
    assert "FID needs 1,000 images" in text
    assert f"{1000 * first['kid']:.2f}" in text
    file.write_text(file.read_text("utf-8").replace("label: Same", "label: Made"), "utf-8")
    assert invoke(main, command) == 2
    assert "nearer.yaml:5:" in capsys.readouterr().err
    gone = STUDY.format(made=tmp_path / "mad", real=tmp_path / "real").replace("Same", "Other")
    file.write_text(gone, "utf-8")
    assert invoke(main, command) == 2
    assert "the file or folder does not exist" in capsys.readouterr().err


def test_a_study_takes_images_of_tasks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["study", "cmsc_quality_demo", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "of the task scounter" in text
    assert "cannot be had" not in text
    images = TaskImages(harness.load_task("pairs", profile="demo"))
    names = [name for batch in images.batches() for name in batch.names]
    assert len(names) == len(set(names)) == len(images) > 0
    file = tmp_path / "wrong.yaml"
    study = STUDY.format(made=tmp_path, real=tmp_path)
    for wrong, message in (("task: pair", "pairs"), ("task: pairs, path: x", "wrong.yaml:5:")):
        file.write_text(study.replace(f"path: {tmp_path}", wrong, 1), "utf-8")
        invoke(main, ["study", str(file), "--dry-run"])
        assert message in "".join(capsys.readouterr())


def test_fid_is_given_from_its_minimum_on() -> None:
    rng = np.random.default_rng(0)
    assert fewest_for_fid(2048) == 2049
    both = []
    for _ in range(2):
        measured = Measured.__new__(Measured)
        measured.moments = moments_of(rng.normal(size=(1000, 4)), 100)
        measured.kept = [(0, str(n), str(n), rng.normal(size=4)) for n in range(5)]
        both.append(measured)
    assert distances(*both)["fid"] == pytest.approx(0, abs=0.1)


def test_balance_says_how_even_values_are(tmp_path: Path) -> None:
    rows = made(tmp_path / "made").rows()
    uneven = [row for row in rows if row.attributes["race"] != "white" or row.concept == "chef"]
    report = balance(uneven)
    assert report["gender"]["evenness"] == pytest.approx(1)
    shares = np.array([8, 8, 4]) / 20
    entropy = -(shares * np.log(shares)).sum() / np.log(3)
    assert report["race"]["evenness"] == pytest.approx(entropy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "neither --encoder nor --inception is given"),
        (("--inception", "x.pt"), "needs real images to compare with"),
        (("--inception", "x.pt", "--reference", "."), "the folder holds no image"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code = invoke(main, ["quality", str(tmp_path), *arguments])
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_inception_is_read_from_its_file_and_another_is_refused(tmp_path: Path) -> None:
    import torch
    from harness_counterfactuals.quality.features import Inception

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1),
                                              torch.nn.Conv2d(3, 2048, 1))  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.layers(x)
            return features

    net, path = Net().eval(), tmp_path / "inception.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script: Any = torch.jit.script
        script(net).save(str(path))
    image = Image.new("RGB", (40, 30), (10, 200, 90))
    features = Inception(path, "cpu").features([image, image], ["a", "b"])
    pixels = torch.tensor([10.0, 200, 90]).sub(128).div(128).view(1, 3, 1, 1).expand(1, 3, 299, 299)
    assert features.shape == (2, 2048)
    assert np.allclose(features[0], net(pixels).detach().view(2048).numpy(), atol=1e-5)
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match="not the TorchScript file"):
        Inception(path, "cpu")
