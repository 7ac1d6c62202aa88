"""Retrieval between images and captions: Karpathy's files, recall at k, vectors of records."""

from __future__ import annotations

import base64
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_people_benchmarks.metrics.recall_at_k import ranks

from harness.errors import DataError
from harness.metrics import ScoredSample
from harness.resources import data_folder
from harness.samples.roots import data_root
from harness.specs.loader import load_task
from harness.specs.resolve import from_resolved, resolved
from tests import made

SPEC = data_folder("task_specs") / "encoders" / "retrieval.yaml"
CASES = json.loads((Path(__file__).parents[2] / "conformance" / "retrieval_cases.json").read_text())


def unit(rows: Any) -> np.ndarray:
    values = np.asarray(rows, dtype=np.float64)
    length: Any = np.linalg.norm(values, axis=-1, keepdims=True)
    vectors: np.ndarray = (values / length).astype(np.float32)
    return vectors


def samples(images: np.ndarray, texts: np.ndarray, prefix: str = "") -> list[ScoredSample]:
    """``images`` (N, D); ``texts`` (N, captions, D)."""
    return [
        ScoredSample(
            id=f"{prefix}{number}", cluster=str(number), target=None, answer=None,
            scores=(0.0,) * len(text),
            vectors=base64.b64encode(np.vstack([image, text]).astype("<f4").tobytes()).decode(),
        )
        for number, (image, text) in enumerate(zip(images, texts, strict=True))
    ]  # fmt: skip


def value(listed: list[ScoredSample], **options: Any) -> float:
    metric = made.metric("recall_at_k", (), **options)
    weights = np.ones((1, len(listed)))
    return float(metric.value(metric.prepare(listed), weights)[0])


def by_sorting(images: np.ndarray, texts: np.ndarray, k: int) -> tuple[float, float]:
    """Recall at k of images and of texts, as the usual scripts have it: by sorting all cosines."""
    captions = texts.shape[1]
    flat = texts.reshape(-1, texts.shape[-1])
    cosines = images.astype(np.float64) @ flat.astype(np.float64).T
    owner = np.repeat(np.arange(len(images)), captions)
    of_images = [
        any(owner[at] == row for at in np.argsort(-cosines[row])[:k]) for row in range(len(images))
    ]
    of_texts = [owner[column] in np.argsort(-cosines[:, column])[:k] for column in range(len(flat))]
    return float(np.mean(of_images)), float(np.mean(of_texts))


def test_recall_is_that_of_sorting_all_cosines() -> None:
    rng = np.random.default_rng(4)
    images = unit(rng.normal(size=(40, 8)))
    texts = unit(images[:, None] + 0.9 * rng.normal(size=(40, 5, 8)))
    for k in (1, 5, 10):
        result = tuple(
            value(samples(images, texts), k=k, query=query) for query in ("image", "text")
        )
        assert result == pytest.approx(by_sorting(images, texts, k))


def found_by_name(case: dict[str, Any]) -> dict[str, float]:
    """Recall both ways, by the names of the cases' program: what is retrieved stands in front."""
    listed = samples(unit(case["images"]), unit(case["texts"]))
    queries = {"text_retrieval": "image", "image_retrieval": "text"}
    return {
        name: value(listed, k=int(name.split("@")[1]), query=queries[name.rsplit("_", 1)[0]])
        for name in case["recall"]
    }


@pytest.mark.parametrize("case", CASES["cases"])
def test_recall_is_that_of_clip_benchmark(case: dict[str, Any]) -> None:
    assert found_by_name(case) == pytest.approx(case["recall"], abs=1e-6)


@pytest.mark.parametrize("case", CASES["ties"])
def test_tied_recall_is_the_mean_of_clip_benchmark_over_all_orders(case: dict[str, Any]) -> None:
    assert found_by_name(case | {"recall": case["mean"]}) == pytest.approx(case["mean"], abs=1e-6)


def test_ties_count_by_chance_so_that_a_model_that_sees_nothing_scores_chance() -> None:
    same = unit(np.ones((20, 4)))
    texts = np.repeat(same[:, None], 5, axis=1)
    assert value(samples(same, texts), k=1, query="text") == pytest.approx(1 / 20)
    assert value(samples(same, texts), k=1, query="image") == pytest.approx(1 / 20)


def test_two_evaluations_that_are_compared_have_a_gallery_each() -> None:
    rng = np.random.default_rng(2)
    images = unit(rng.normal(size=(12, 6)))
    good = samples(images, np.repeat(images[:, None], 5, axis=1))
    bad = samples(images, unit(rng.normal(size=(12, 5, 9)))[..., :6])
    metric = made.metric("recall_at_k", (), k=1, query="image")
    prepared = metric.prepare([*good, *bad])
    first, second = metric.value(prepared, np.kron(np.eye(2), np.ones(12)))
    assert first == value(good, k=1, query="image") == 1.0
    assert second == value(bad, k=1, query="image") < 1.0


def test_a_draw_weighs_queries_and_leaves_the_gallery() -> None:
    rng = np.random.default_rng(5)
    images = unit(rng.normal(size=(15, 4)))
    texts = unit(images[:, None] + rng.normal(size=(15, 5, 4)))
    metric = made.metric("recall_at_k", (), k=1, query="text")
    listed = samples(images, texts)
    prepared = metric.prepare(listed)
    single = metric.value(prepared, np.eye(15))
    drawn = rng.multinomial(15, np.ones(15) / 15, size=3).astype(float)
    assert metric.value(prepared, drawn) == pytest.approx(drawn @ single / 15)
    places, reached = metric.units(prepared)
    assert len(places) == 75
    assert set(reached) <= {0.0, 1.0}


def test_records_without_vectors_or_of_two_widths_are_refused() -> None:
    metric = made.metric("recall_at_k", (), k=1, query="image")
    bare = ScoredSample(id="a", cluster="a", target=None, answer=None, scores=(0.1,))
    with pytest.raises(DataError, match="keeps no vectors"):
        metric.prepare([bare])
    rng = np.random.default_rng(1)
    mixed = [
        *samples(unit(rng.normal(size=(1, 4))), unit(rng.normal(size=(1, 5, 4)))),
        *samples(unit(rng.normal(size=(1, 8))), unit(rng.normal(size=(1, 5, 8))), "b"),
    ]
    with pytest.raises(DataError, match="vectors of 8 numbers after vectors of 4"):
        metric.prepare(mixed)


def test_a_spec_that_keeps_no_vectors_is_recorded_as_before() -> None:
    spec = load_task(SPEC, {})
    remaining: Any = resolved(spec)["ask"]
    assert remaining["embed"]["keep_vectors"] is True
    assert from_resolved(resolved(spec)).ask == spec.ask
    other = load_task(data_folder("task_specs") / "fairness" / "fairface_retrieval.yaml", {})
    requested: Any = resolved(other)["ask"]
    assert "keep_vectors" not in requested["embed"]


def entry(name: str, split: str = "test", captions: int = 5, **more: Any) -> dict[str, Any]:
    sentences = [{"raw": f"caption {number} of {name}"} for number in range(captions)]
    return {"filename": name, "split": split, "sentences": sentences, **more}


def release(folder: Path, *entries: Any, dataset: str = "coco") -> Any:
    (folder / f"dataset_{dataset}.json").write_text(json.dumps({"images": list(entries)}))
    return data_root(folder)


def test_five_captions_are_taken_and_the_others_counted(tmp_path: Path) -> None:
    root = release(
        tmp_path, entry("a.jpg", captions=7, filepath="val2014"), entry("b.jpg", captions=4),
        entry("c.jpg", "restval"), entry("d.jpg", "train", filepath="train2014"),
    )  # fmt: skip
    reader = made.reader("karpathy")
    (single,) = reader.samples(root, "test")
    assert single.images[0].name == "val2014/a.jpg"
    assert single.fields["captions"] == [f"caption {number} of a.jpg" for number in range(5)]
    assert list(reader.passed_over(root, "test").values()) == [2, 1]
    assert [sample.id for sample in reader.samples(root, "train")] == ["c.jpg", "d.jpg"]
    alone = made.reader("karpathy", restval="leave_out")
    assert [sample.id for sample in alone.samples(root, "train")] == ["d.jpg"]


def test_flickrs_images_lie_in_their_folder_or_beside_the_file(tmp_path: Path) -> None:
    root = release(tmp_path, entry("a.jpg"), dataset="flickr30k")
    reader = made.reader("karpathy", dataset="flickr30k")
    assert next(iter(reader.samples(root, "test"))).images[0].name == "a.jpg"
    (tmp_path / "flickr30k-images").mkdir()
    assert next(iter(reader.samples(root, "test"))).images[0].name == "flickr30k-images/a.jpg"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"filename": "a.jpg", "split": "test"}], "sentences"),
        ([entry("a.jpg", "tset")], "'tset' is not a split"),
        ([entry("a.jpg"), entry("a.jpg")], "'a.jpg' occurs twice"),
        ([{**entry("a.jpg"), "sentences": [{"raw": "  "}]}], "a caption is empty"),
        (["a.jpg"], r"images\[0\]"),
    ],
)
def test_entries_that_are_none_are_named(tmp_path: Path, entries: list[Any], message: str) -> None:
    root = release(tmp_path, *entries)
    with pytest.raises(DataError, match=message):
        list(made.reader("karpathy").samples(root, "test"))


def test_a_truncated_file_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "dataset_coco.json"
    path.write_text(json.dumps({"images": [entry("a.jpg"), entry("b.jpg")]})[:-40])
    with pytest.raises(DataError, match="dataset_coco"):
        list(made.reader("karpathy").samples(data_root(tmp_path), "test"))


@pytest.mark.slow
def test_the_whole_of_a_large_gallery_takes_bounded_memory() -> None:
    rng = np.random.default_rng(0)
    images = unit(rng.normal(size=(5_000, 256)))
    texts = unit(np.repeat(images, 5, axis=0) + 0.1 * rng.normal(size=(25_000, 256)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    of_images, of_texts = ranks(images, texts, np.repeat(np.arange(5_000), 5))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert of_images.reached(1).mean() > 0.9
    assert of_texts.reached(10).mean() > 0.9
    assert grown < 400  # MiB; all cosines at once would take 500
