"""A probe is scikit-learn's own; a degradation is paired; what cannot be probed is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_analyses.features import Column, FeatureStore
from harness_analyses.probe import Seen, fit, refuse_different
from harness_analyses.scoring import measured, paired, value_of
from harness_analyses.splits import SPLITS, Probed, read_task
from PIL import Image

import harness
from harness.analysis.results import Analysis, read_analysis
from harness.cli.main import entry
from harness.errors import UserError
from harness.workers.contract import WorkOrder
from tests.made import last_of
from tests.plugins.analyses.conftest import written
from tests.workers.inline import Inline

pytest.importorskip("sklearn")
FACES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a RAF-DB folder with 70 train and 35 test faces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "raf"
    images, labels = root / "basic" / "Image" / "aligned", root / "basic" / "EmoLabel"
    images.mkdir(parents=True)
    labels.mkdir()
    rows = []
    for split, count in (("train", 70), ("test", 35)):
        for index in range(1, count + 1):
            kind = index % 7 + 1
            rows.append(f"{split}_{index:05d}.jpg {kind}")
            shade = (kind * 30 % 256, index, 50 if split == "train" else 90)
            Image.new("RGB", (16, 16), shade).save(images / f"{split}_{index:05d}_aligned.jpg")
    (labels / "list_patition_label.txt").write_text("\n".join(rows) + "\n")
    return root


def task_of(root: Path, *, limit: int | None = None) -> Probed:
    return read_task(harness.load_task("raf_db", data=root), limit=limit, share=0.2, seed=0)


def drawn(task: Probed, noise: float, seed: int = 0) -> dict[str, Any]:
    """Return features in which the class shows, more or less."""
    random = np.random.default_rng(seed)
    middles = np.random.default_rng(7).normal(size=(7, 10))
    return {
        split: np.array(
            [
                middles[FACES.index(str(row.sample.target))] + noise * random.normal(size=10)
                for row in task.rows[split]
            ],
            dtype=np.float32,
        )
        for split in SPLITS
    }


def labels(task: Probed, split: str) -> list[str]:
    return [str(row.sample.target) for row in task.rows[split]]


def test_a_probe_is_a_direct_run_of_scikit_learn(many: Path) -> None:
    from harness_analyses.linear import C_GRID
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    task = task_of(many)
    features = drawn(task, 1.5)
    fitted, samples = fit(task, task.rows, features)
    direct = {
        strength: make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        ).fit(features["train"], [FACES.index(label) for label in labels(task, "train")])
        for strength in C_GRID
    }
    on_val = {
        strength: model.score(
            features["val"], [FACES.index(label) for label in labels(task, "val")]
        )
        for strength, model in direct.items()
    }
    assert fitted.strength == max(on_val, key=lambda strength: (on_val[strength], -strength))
    model = direct[fitted.strength]
    aims = [FACES.index(label) for label in labels(task, "test")]
    assert value_of(task, samples) == pytest.approx(model.score(features["test"], aims))
    assert [FACES.index(str(answer)) for answer in fitted.answers] == model.predict(
        features["test"]
    ).tolist()
    assert fitted.scores is not None
    np.testing.assert_allclose(
        fitted.scores, model.predict_log_proba(features["test"]), rtol=1e-5, atol=1e-5
    )


def test_ridge_is_a_direct_run_of_scikit_learn() -> None:
    from harness_analyses.linear import fit_points
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    features = {split: random.normal(size=(30, 5)).astype(np.float32) for split in SPLITS}
    aims = random.uniform(size=(30, 2))
    result = fit_points(features, aims.tolist(), lambda _, __: 0.0)
    assert result.strength == 1e5, "of equals the strongest"
    scaler = StandardScaler().fit(features["train"])
    model = Ridge(alpha=1e5).fit(scaler.transform(features["train"]), aims)
    np.testing.assert_allclose(
        np.array(result.answers), model.predict(scaler.transform(features["test"])), rtol=1e-5
    )


def test_a_degradation_is_paired_over_clusters(many: Path) -> None:
    task = task_of(many)
    good, bad = (fit(task, task.rows, drawn(task, noise, 3))[1] for noise in (0.3, 3.0))
    result = paired(task, bad, good, 0)
    assert result.difference == pytest.approx(value_of(task, good) - value_of(task, bad))
    assert result.interval is not None
    assert result.difference is not None
    assert 0 < result.interval.low < result.difference < result.interval.high
    assert result.p is not None
    assert result.p < 0.05
    assert paired(task, good, good, 0).difference == 0
    value = measured(task, good, 0)
    assert value.value == value_of(task, good)
    assert value.interval is not None
    with pytest.raises(UserError, match="different images"):
        paired(task, good, good[1:], 0)


def test_permuted_labels_are_forgotten(many: Path) -> None:
    task = task_of(many)
    features = drawn(task, 0.2)
    assert value_of(task, fit(task, task.rows, features)[1]) > 0.9
    assert value_of(task, fit(task, task.rows, features, permuted=0)[1]) < 0.5


def test_validation_is_whole_clusters_of_train(many: Path) -> None:
    task = task_of(many)
    assert task.validation == "part of train"
    apart = [{row.sample.cluster for row in task.rows[split]} for split in SPLITS]
    assert not apart[0] & apart[1]
    assert len(task.rows["train"]) + len(task.rows["val"]) == 70
    assert len(task.rows["test"]) == 35
    assert task_of(many).images == task.images


def test_a_probe_of_a_part_of_the_split_says_so(many: Path) -> None:
    task, part = task_of(many), task_of(many, limit=30)
    assert task.images != part.images
    assert (task.marks, part.marks) == ((), ("limited",))
    everything = task_of(many, limit=105)
    assert (everything.marks, everything.images) == ((), task.images)


def test_encoders_that_saw_different_pictures_have_no_difference() -> None:
    store: Any = None
    item: Any = Seen(
        type("E", (), {"name": "a"})(), {}, store, frozenset(), {"raf_db": "1" * 64}, 0
    )
    other = replace(item, images={"raf_db": "2" * 64})
    refuse_different(item, item)
    with pytest.raises(UserError, match="features of different images of 'raf_db'"):
        refuse_different(item, other)


@pytest.mark.parametrize(
    ("labels_", "message"),
    [
        ("train_00001.jpg 1\ntrain_00002.jpg 1\ntest_00001.jpg 1\ntest_00002.jpg 2\n", "one class"),
        ("train_00001.jpg 1\ntrain_00002.jpg 2\ntest_00001.jpg 1\n", "2 samples are too few for"),
    ],
)  # fmt: skip
def test_splits_that_teach_nothing_are_refused(many: Path, labels_: str, message: str) -> None:
    (many / "basic" / "EmoLabel" / "list_patition_label.txt").write_text(labels_)
    with pytest.raises(UserError, match=message):
        read_task(harness.load_task("raf_db", data=many), limit=None, share=0.2, seed=1)


def test_a_task_without_classes_is_told_which_probe_fits(tmp_path: Path) -> None:
    (tmp_path / "v2_OpenEnded_mscoco_val2014_questions.json").write_text("{}")
    task = harness.load_task("gazefollow", data=tmp_path)
    samples: Any = [type("S", (), {"target": "a cat", "fields": {}})()]
    patched: Any = type("T", (), {"spec": task.spec, "id": "vqa", "read": lambda _: samples})()
    from harness_analyses.splits import _kind

    with pytest.raises(UserError, match="no class labels") as caught:
        _kind(patched)
    assert "ridge probes take points" in caught.value.fix
    samples[0].target = [[0.5, 0.5]]
    assert _kind(patched) == "points"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(last_of(arguments, "--layers", "--seed"))
    return int(str(ended.value.code or 0))


def only(results: Path) -> Analysis:
    return read_analysis(next(results.rglob("analysis.json")).parent)


@pytest.mark.torch
def test_a_tower_taken_out_is_the_encoder_it_was(
    built: Path, many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = [
        "probe", "--encoder", f"open_clip:local-dir:{built / 'encoder'}", "--encoder",
        f"model:socialfusion,path={built / 'saved'}", "--tasks", "raf_db", "--data",
        f"raf_db={many}", "--results", "r", "--layers", "all", "--pooling", "mean,class",
    ]  # fmt: skip
    assert run(*questions) == 0
    result = only(tmp_path / "r")
    rows = result.table("probe").records()
    assert [(row["block"], row["pooling"]) for row in rows[:6]] == [
        (layer, pooling) for layer in (0, 1, 2) for pooling in ("mean", "class")
    ]
    assert len(rows) == 12
    for row in result.table("degradation").records():
        assert row["degradation"] == 0
    printed = capsys.readouterr()
    assert "105 images to encode" in printed.err
    stamp = (result.directory / "analysis.json").stat().st_mtime_ns
    assert run(*questions, "--json") == 0
    printed = capsys.readouterr()
    assert "to encode" not in printed.err
    assert json.loads(printed.out)["fingerprint"] == result.fingerprint
    assert (result.directory / "analysis.json").stat().st_mtime_ns == stamp
    assert run(*questions, "--layers", "-1", "--seed", "1") == 0
    assert " 0 images to encode" in capsys.readouterr().err


def asked_of_workers(built: Path, many: Path, results: str, monkeypatch: Any) -> list[str]:
    monkeypatch.setenv("HARNESS_CACHE", f"cache of {results}")
    return [
        "probe", "--encoder", f"open_clip:local-dir:{built / 'encoder'}", "--encoder",
        f"model:socialfusion,path={built / 'saved'}", "--tasks", "raf_db", "--data",
        f"raf_db={many}", "--results", results, "--limit", "30", "--on", "processes",
    ]  # fmt: skip


@pytest.mark.torch
def test_the_features_of_workers_are_those_of_one_process(
    built: Path, many: Path, by_workers: Callable[..., Inline], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*asked_of_workers(built, many, "r", monkeypatch)[:-2]) == 0
    executor = by_workers(3, lambda name, _: name == "1")
    assert run(*asked_of_workers(built, many, "many", monkeypatch)) == 0
    assert len(set(executor.blocks())) == 8  # 60 images in minibatches of 16, by two encoders
    assert written("many") == written("r")


@pytest.mark.torch
def test_workers_that_differ_by_rounding_are_noted(
    built: Path, many: Path, by_workers: Callable[..., Inline], monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes(name: str, terms: dict[str, Any]) -> dict[str, Any]:
        return {**terms, "rounding": {**terms["rounding"], "processor": f"number {name}"}}

    by_workers(2, lambda *_: False, changes)
    assert run(*asked_of_workers(built, many, "r", monkeypatch)) == 0
    (path,) = Path("r").rglob("analysis.json")
    part = "processor (number 1 there, number 2 here)"
    assert read_analysis(path.parent).notes[0] == f"mixed workers: they differ in {part}"


@pytest.mark.torch
def test_an_error_of_a_model_is_told_at_once(
    built: Path,
    many: Path,
    by_workers: Callable[..., Inline],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    executor = by_workers(1)
    monkeypatch.setattr("harness_analyses.workers.encoded", broken)
    assert run(*asked_of_workers(built, many, "r", monkeypatch)) == 1
    assert len(executor.requests) == 1
    assert "out of memory" in capsys.readouterr().err


@pytest.mark.torch
def test_a_worker_with_another_image_is_refused(
    built: Path,
    many: Path,
    by_workers: Callable[..., Inline],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Elsewhere(Inline):
        def start(self, order: WorkOrder) -> None:
            for path in many.rglob("train_00003*.jpg"):
                Image.new("RGB", (16, 16), "red").save(path)
            super().start(order)

        def alive(self) -> int:
            return 0

    by_workers(1, kind=Elsewhere)
    assert run(*asked_of_workers(built, many, "many", monkeypatch)) == 2
    errors = capsys.readouterr().err
    assert "worker 1 is refused: it has another image of sample 'train_00003' of 'raf_db'" in errors
    assert "give workers the same data" in errors


@pytest.mark.torch
def test_layers_are_the_blocks_outputs(built: Path, many: Path) -> None:
    import open_clip
    import torch
    from harness_open_clip.sources import Encoder as Source
    from harness_open_clip.tower import load

    from harness.models import Runtime

    task = task_of(many)
    from harness_analyses.splits import open_row

    images = [open_row(task.spec, row) for row in task.rows["test"][:3]]
    folder = built / "encoder"
    tower = load(Source(f"local-dir:{folder}", folder), Runtime(device="cpu"))
    columns = [Column(1, "mean"), Column(1, "class")]
    result = tower.features(images, columns)
    alone = [tower.features([image], columns)[0] for image in images]
    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{built / 'encoder'}")
    visual = model.visual.eval()
    with torch.inference_mode():
        pixels = torch.stack([prepare(image.pixels) for image in images])
        content = visual.forward_intermediates(
            pixels, indices=[1], output_fmt="NLC", normalize_intermediates=False,
            output_extra_tokens=True,
        )  # fmt: skip
    for index in range(3):
        for column, wanted in (
            (columns[0], content["image_intermediates"][0][index].mean(0)),
            (columns[1], content["image_intermediates_prefix"][0][index, 0]),
        ):
            np.testing.assert_allclose(result[index][column], wanted.numpy(), atol=1e-5)
            np.testing.assert_allclose(alone[index][column], wanted.numpy(), atol=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["clip", "siglip", "dinov2"])
def test_transformers_encoders_have_layers_and_poolings(kind: str) -> None:
    import torch
    import transformers
    from harness_analyses.towers import Tower

    from harness.samples.images import LoadedImage

    small: dict[str, Any] = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3,
        "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
    }  # fmt: skip
    makers: dict[str, Any] = {
        "clip": lambda: transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**small)),
        "siglip": lambda: transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**small)),
        "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**small)),
    }
    torch.manual_seed(0)
    model = makers[kind]().eval()
    pixels = torch.randn(2, 3, 16, 16)

    def run_(images: Any) -> object:
        return model(pixel_values=pixels[: len(images)])

    tower = Tower(kind, model, run_)
    assert tower.layers == (0, 1, 2)
    attention = kind == "siglip"
    assert tower.poolings == (("mean", "attention") if attention else ("class", "mean"))
    displayed = LoadedImage(Image.new("RGB", (4, 4)), "", "", 4, 4)
    requested = tower.columns("-2", "mean")
    assert requested == {"-2/mean": Column(1, "mean")}
    result = tower.features([displayed, displayed], list(requested.values()))
    with torch.inference_mode():
        states = model(pixel_values=pixels, output_hidden_states=True).hidden_states
    wanted = states[2][:, 0 if attention else 1 :].mean(1).numpy()
    np.testing.assert_allclose([item[Column(1, "mean")] for item in result], wanted, atol=1e-5)
    if attention:
        last = tower.columns("all", "attention")
        assert list(last.values()) == [Column(2, "attention")]
        vectors = tower.features([displayed, displayed], list(last.values()))
        with torch.inference_mode():
            pooled = model(pixel_values=pixels).pooler_output.numpy()
        np.testing.assert_allclose(
            [item[Column(2, "attention")] for item in vectors], pooled, atol=1e-5
        )
    with pytest.raises(UserError, match="has no layer 3") as caught:
        tower.columns("3", "mean")
    assert "its layers: 0, 1, 2" in caught.value.fix


@pytest.mark.torch
def test_features_that_are_not_finite_stop_the_probe(
    built: Path, many: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness_analyses.towers import Tower

    plain = Tower.features

    def broken(self: Any, images: Any, columns: Any) -> Any:
        result = plain(self, images, columns)
        return [{column: item[column] / 0 for column in columns} for item in result]

    monkeypatch.setattr(Tower, "features", broken)
    with np.errstate(all="ignore"):
        code = run("probe", "--encoder", f"open_clip:local-dir:{built / 'encoder'}", "--tasks",
                   "raf_db", "--data", f"raf_db={many}")  # fmt: skip
    assert code == 2
    assert "not finite at layer 2" in capsys.readouterr().err


@pytest.mark.torch
def test_a_picture_that_one_encoder_rejects_leaves_no_difference(
    built: Path, many: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness_analyses.towers import PromptError, Tower

    plain = Tower.features

    def picky(self: Any, images: Any, columns: Any) -> Any:
        if self.name.startswith("model:") and any(
            image.pixels.getpixel((0, 0))[1] < 10 for image in images
        ):
            raise PromptError("image_rejected", "too dark")
        return plain(self, images, columns)

    monkeypatch.setattr(Tower, "features", picky)
    questions = ["probe", "--tasks", "raf_db", "--data", f"raf_db={many}", "--encoder"]
    model = f"model:socialfusion,path={built / 'saved'}"
    assert run(*questions, f"open_clip:local-dir:{built / 'encoder'}", "--encoder", model) == 2
    assert "have features of different images of 'raf_db'" in capsys.readouterr().err
    assert run(*questions, model) == 0
    assert "images; they are left out" in capsys.readouterr().out


@pytest.mark.torch
@pytest.mark.parametrize(
    ("encoder", "more", "message"),
    [
        ("clip", [], "'clip' is not the name of an encoder"),
        ("model:null", [], "model 'null' has no vision tower"),
        ("model:socialfusion,preset", [], "'preset' in 'model:socialfusion,preset' is not key"),
        ("open_clip:ViT-B-32", [], "'open_clip:ViT-B-32' needs a tag"),
        ("open_clip:local-dir:nowhere", [], "not an open_clip encoder"),
        ("open_clip:ViT-B-33:openai", [], "unknown open_clip model 'ViT-B-33'"),
        ("open_clip:ViT-B-32:open", [], "unknown tag of open_clip's ViT-B-32 'open'"),
        ("hf:nowhere", [], "there is no folder 'nowhere'"),
        ("ENCODER", ["--layers", "7"], "has no layer 7\n  fix: its layers: 0, 1, 2 (-1 is 2)"),
        ("ENCODER", ["--layers", "last"], "'last' is not a layer"),
        ("ENCODER", ["--pooling", "max"], "unknown pooling 'max'"),
        ("ENCODER", ["--pooling", "attention"], "has no attention pooling"),
        ("ENCODER", ["--encoder", "ENCODER"], "an encoder is named twice"),
    ],
)
def test_a_wrong_wish_is_one_message(  # noqa: PLR0917  fixtures and cases
    built: Path, many: Path, encoder: str, more: list[str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    expected = f"open_clip:local-dir:{built / 'encoder'}"
    words = [expected if word == "ENCODER" else word for word in (encoder, *more)]
    assert run("probe", "--tasks", "raf_db", "--data", f"raf_db={many}", "--encoder", *words) == 2
    assert message in capsys.readouterr().err


def test_the_store_holds_what_a_probe_reads(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, {"a": 1})
    column = Column(0, "mean")
    store.put("k", {column: np.ones(2, dtype=np.float32)})
    store.flush()
    with pytest.raises(KeyError):
        store.matrix(column, ["other"])
