"""ImageNet in folders of classes, and top-k accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness_people_benchmarks.readers.imagenet import class_names

from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.resources import data_folder
from harness.samples.roots import data_root
from harness.specs.loader import load_task
from tests import made

SPEC = data_folder("task_specs") / "encoders" / "imagenet_zeroshot.yaml"


def test_the_spec_offers_the_names_of_all_classes() -> None:
    names = class_names()
    assert len(names) == len(set(names.values())) == 1000
    assert list(names) == sorted(names)
    assert load_task(SPEC, {}).labels == tuple(names.values())
    assert set(load_task(SPEC, {"classes": "drawn"}).labels) < set(names.values())


def test_a_part_of_the_classes_is_read_and_said(tmp_path: Path) -> None:
    for name in ("n01440764/b.JPEG", "n01440764/a.JPEG", "n07930864/c.jpg", "n07930864/note.txt"):
        path = tmp_path / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    reader, root = made.reader("imagenet"), data_root(tmp_path)
    results = [(sample.id, sample.target) for sample in reader.samples(root, "val")]
    assert results == [
        ("n01440764/a", "tench"), ("n01440764/b", "tench"), ("n07930864/c", "tea cup"),
    ]  # fmt: skip
    assert reader.notes(root, "val") == ["2 of 1000 classes have a folder"]
    (tmp_path / "val" / "n01440764" / "dead.JPEG").symlink_to(tmp_path / "nowhere.JPEG")
    assert list(reader.passed_over(root, "val").values()) == [1, 1]
    assert (reader.annotations(root, "val"), reader.annotations(root, "train")) == ([], ["train"])


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("val/n01440765", "'n01440765' is not a class of ImageNet's 1,000"),
        ("val", "no folder of a"),
        ("n01440764", "this folder itself holds the folders of the classes"),
    ],
)
def test_a_folder_that_is_no_class_is_refused(tmp_path: Path, folder: str, message: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DataError, match=message):
        list(made.reader("imagenet").samples(data_root(tmp_path), "val"))


@pytest.mark.parametrize("folder", ["great white shark", "great_white_shark"])
def test_a_folder_named_by_words_has_its_id_as_fix(tmp_path: Path, folder: str) -> None:
    (tmp_path / "val" / folder).mkdir(parents=True)
    with pytest.raises(DataError, match="is not a class") as raised:
        list(made.reader("imagenet").samples(data_root(tmp_path), "val"))
    assert raised.value.fix == "rename the folder to its WordNet id, n01484850"


def test_top_k_accuracy_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import top_k_accuracy_score

    rng = np.random.default_rng(1)
    labels = tuple("abcdefg")
    scores, targets = rng.normal(size=(200, 7)), rng.integers(0, 7, 200)
    for k in (1, 3, 5):
        metric = made.metric("top_k_accuracy", labels, k=k)
        totals = np.zeros(2)
        for row, target in zip(scores, targets, strict=True):
            sample = ScoredSample("s", "c", labels[target], labels[int(row.argmax())], tuple(row),
                                  labels)  # fmt: skip
            for at, value in metric.statistics(sample).items():
                totals[at] += value
        expected = top_k_accuracy_score(targets, scores, k=k, labels=range(7))
        assert metric.finalize(totals) == pytest.approx(expected)
    tied = ScoredSample("s", "c", "b", "a", (1.0, 1.0, 0.0), ("a", "b", "c"))
    assert made.metric("top_k_accuracy", labels, k=1).statistics(tied)[0] == 0.0
    with pytest.raises(UserError, match="0 is less than 1"):
        made.metric("top_k_accuracy", labels, k=0)
