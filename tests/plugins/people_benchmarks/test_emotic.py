"""EMOTIC: the structures of Annotations.mat, people with several categories, and their mAP."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.readers.passed_over import AGAIN
from harness_people_benchmarks.demo import emotic as drawn
from harness_people_benchmarks.readers.emotic import CATEGORIES, NONE

from harness.errors import DataError
from harness.metrics import ScoredSample
from harness.resources import data_folder
from harness.samples.roots import data_root
from harness.specs.loader import load_task
from tests import made

SPEC = data_folder("task_specs") / "people" / "emotic.yaml"
CASES = Path(__file__).parents[2] / "conformance" / "emotic_cases.json"


def person(split: str, *categories: str, gender: str = "Female", age: str = "Adult") -> Any:
    cell = drawn._cell(list(categories))
    listed = drawn._structures([{"categories": cell}])
    feelings = drawn._structures([{"valence": 5.0, "arousal": 5.0, "dominance": 5.0}])
    combined = {} if split == "train" else {"combined_categories": cell}
    mean = {} if split == "train" else {"combined_continuous": feelings}
    return {"body_bbox": [1.0, 2.0, 30.0, 40.0], "annotations_categories": listed, **combined,
            "annotations_continuous": feelings, **mean, "gender": gender, "age": age}  # fmt: skip


def image(*people: Any) -> Any:
    size = drawn._structures([{"n_col": 64.0, "n_row": 48.0}])
    return {"filename": "a.jpg", "folder": "ade20k/images", "image_size": size,
            "original_database": "x", "person": drawn._structures(list(people))}  # fmt: skip


def release(folder: Path, **splits: Any) -> Any:
    import scipy.io

    memory = io.BytesIO()
    save: Any = scipy.io.savemat
    save(memory, {name: drawn._structures([entry]) for name, entry in splits.items()})
    (folder / "Annotations").mkdir(exist_ok=True)
    (folder / "Annotations" / "Annotations.mat").write_bytes(memory.getvalue())
    return data_root(folder)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_person_is_a_sample_with_all_its_categories(tmp_path: Path, split: str) -> None:
    people = [
        person(split, "Yearning", "Affection"),
        person(split, "Fear", gender="Male", age="Kid"),
    ]
    root = release(tmp_path, **{split: image(*people)})
    first, second = made.reader("emotic").samples(root, split)
    assert first.target == ["Affection", "Yearning"]
    assert second.target == ["Fear"]
    assert (first.id, first.cluster) == ("ade20k/images/a.jpg#1", "ade20k/images/a.jpg")
    assert (first.boxes[0].x2, first.boxes[0].size) == (30.0, (64, 48))
    assert {name: group.value for name, group in second.groups.items()} == {
        "gender": "Male", "age": "Kid",
    }  # fmt: skip


def test_a_person_whom_the_file_has_twice_is_noted(tmp_path: Path) -> None:
    people = [person("test", "Pain"), person("test", "Fear"), person("test", "Pain")]
    samples = made.reader("emotic").samples(release(tmp_path, test=image(*people)), "test")
    assert [dict(sample.notes) for sample in samples] == [{}, {}, {AGAIN: 1}]


def test_people_without_a_category_are_counted(tmp_path: Path) -> None:
    root = release(tmp_path, test=image(person("test"), person("test", "Pain")))
    reader = made.reader("emotic")
    assert [sample.id for sample in reader.samples(root, "test")] == ["ade20k/images/a.jpg#2"]
    assert reader.passed_over(root, "test") == {NONE: 1}


def test_wrong_files_are_one_message(tmp_path: Path) -> None:
    root = release(tmp_path, test=image(person("test", "Happines")))
    read = made.reader("emotic").samples
    with pytest.raises(DataError, match="'Happines' is not a category") as messages:
        list(read(root, "test"))
    assert "Happiness" in str(messages.value.fix)
    with pytest.raises(DataError, match="holds no 'val'"):
        list(read(root, "val"))
    root = release(tmp_path, test=image(person("train", "Fear")))
    with pytest.raises(DataError, match="a structure of 7 fields"):
        list(read(root, "test"))
    root = release(tmp_path, test=image(person("test", "Fear", gender="?")))
    with pytest.raises(DataError, match="is no gender"):
        list(read(root, "test"))
    path = tmp_path / "Annotations" / "Annotations.mat"
    content = path.read_bytes()
    for broken in (
        b"",
        content[:200],
        content[:-90],
        b"MATLAB 7.3 MAT-file".ljust(600),
        b"\x89HDF\r\n",
    ):
        path.write_bytes(broken)
        with pytest.raises(DataError):
            list(read(root, "test"))


def test_the_mean_of_several_labels_is_scikit_learns() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(3)
    truth = rng.random((60, 26)) < 0.15
    truth[np.arange(60), rng.integers(0, 26, 60)] = True
    scores = rng.normal(size=(60, 26))
    listed = [
        ScoredSample(
            id=str(row), cluster=str(row), answer=CATEGORIES[int(scores[row].argmax())],
            target=[CATEGORIES[at] for at in np.flatnonzero(truth[row])],
            scores=tuple(scores[row]), labels=CATEGORIES, score_kind="similarity",
        )
        for row in range(60)
    ]  # fmt: skip
    metric = made.metric("multilabel_map", CATEGORIES)
    result = metric.value(metric.prepare(listed), np.ones((1, 60)))[0]
    assert result == pytest.approx(average_precision_score(truth, scores, average="macro"))
    hit = made.metric("label_hit", CATEGORIES)
    expected = truth[np.arange(60), scores.argmax(axis=1)]
    assert [hit.score(sample) for sample in listed] == list(expected)


def test_a_target_that_is_no_list_of_labels_is_refused() -> None:
    hit = made.metric("label_hit", CATEGORIES)
    targets: tuple[Any, ...] = ("Fear", [], ["Joy"])
    for target in targets:
        with pytest.raises(DataError, match="not a list of the task's labels"):
            hit.score(ScoredSample(id="a", cluster="a", target=target, answer="Fear"))


def test_the_spec_lists_the_releases_categories() -> None:
    assert load_task(SPEC, {}).labels == CATEGORIES


def rated(case: dict[str, Any]) -> list[ScoredSample]:
    """The people of a case: scores, and the positions of each one's categories."""
    return [
        ScoredSample(
            id=str(row), cluster=str(row), answer=None, scores=tuple(scores), labels=CATEGORIES,
            target=[CATEGORIES[at] for at in label], score_kind="similarity",
        )
        for row, (scores, label) in enumerate(zip(case["scores"], case["labels"], strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize("case", json.loads(CASES.read_text())["cases"])
def test_eleven_points_are_those_of_the_authors_program(case: dict[str, Any]) -> None:
    metric = made.metric("multilabel_map", CATEGORIES, curve="eleven_points")
    people = rated(case)
    rankings, full = metric.prepare(people), np.ones((1, len(people)))
    by_category = [float(metric.of_class(ranking, full)[0]) for ranking in rankings]
    assert by_category == pytest.approx(case["ap"], abs=2e-7)  # the program's numbers are float32
    assert float(metric.value(rankings, full)[0]) == pytest.approx(case["mean"], abs=2e-7)


def test_eleven_points_by_hand_with_a_tie_and_a_category_that_nobody_has() -> None:
    labels = ("a", "b")
    rows = [((0.9, 0.0), "a"), ((0.5, 0.0), ""), ((0.5, 0.0), "a"), ((0.1, 0.0), "a")]
    people = [
        ScoredSample(
            id=str(at), cluster=str(at), answer=None, scores=scores, labels=labels,
            target=[label or "b"], score_kind="similarity",
        )
        for at, (scores, label) in enumerate(rows)
    ]  # fmt: skip
    metric = made.metric("multilabel_map", labels, curve="eleven_points")
    # a: recall 1/3 at precision 1, 2/3 at 2/3 (two are tied), 1 at 3/4: four points of 1, seven
    # of 3/4. b: all four are tied, one of them has it.
    expected = ((4 * 1 + 7 * 3 / 4) / 11 + 1 / 4) / 2
    rankings = metric.prepare(people)
    assert float(metric.value(rankings, np.ones((1, 4)))[0]) == pytest.approx(expected)
    without_b = np.array([[1.0, 0.0, 1.0, 1.0]])
    assert float(metric.value(rankings, without_b)[0]) == pytest.approx(1.0)
