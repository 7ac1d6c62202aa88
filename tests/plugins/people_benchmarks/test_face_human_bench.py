"""Face-Human-Bench: options that are rotated, versions of images, and the authors' score."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_checks.data_check import check_task
from harness_people_benchmarks.readers.face_human_bench import ABILITIES

import harness
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.requests.guard import make_extractor
from harness.samples import Sample
from harness.samples.roots import data_root
from tests import made

CASES = Path(__file__).parents[2] / "conformance" / "face_human_bench_cases.json"
OPTIONS = ["right", "near", "far", "wrong"]


def entry(**changed: Any) -> dict[str, Any]:
    requested = {"question": "Which?", "options": ["one", "two"], "answer": 1, **changed}
    return {"type": "t", "QA": requested, "image": {"image_paths": {"boxed": "b.jpg"}}}


def bench(root: Path, entries: list[Any], split: str = "test", **options: Any) -> list[Sample]:
    language = options.get("language", "en")
    for ability in ABILITIES:
        folder = root / "data" / "Face-Human-Bench" / split / "json" / language
        path = folder / f"{ability}{'' if language == 'en' else '_zh'}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"data": entries}))
    return list(made.reader("face_human_bench", **options).samples(data_root(root), split))


def levels(root: Path) -> dict[str, str]:
    """Return the way to each part of the score, by its list and version."""
    paths = dict.fromkeys(("original", "cropped", "boxed"), "x.jpg")
    item = {**entry(), "image": {"image_paths": paths}}
    ways = [str(sample.fields["levels"]) for sample in bench(root, [item], identity="keep")]
    return {"/".join(way.split("/")[-2:]): way for way in ways}


def test_identity_is_asked_on_request_only(tmp_path: Path) -> None:
    requested = bench(tmp_path, [entry()])
    assert len(requested) == len(ABILITIES) - 6
    assert not [item for item in requested if "recognition" in item.id or "reid" in item.id]
    assert len(bench(tmp_path, [entry()], identity="keep")) == len(ABILITIES)


def test_options_are_rotated_so_that_no_letter_is_right_more_often(tmp_path: Path) -> None:
    many = [entry(options=OPTIONS, answer=0) for _ in range(100)]
    samples = bench(tmp_path, many)
    letters = Counter(sample.target for sample in samples)
    assert set(letters) == set("ABCD")
    assert max(letters.values()) / len(samples) < 0.3
    for sample in samples:
        assert sample.fields[str(sample.target)] == "right"
        images = [sample.fields[letter] for letter in "ABCD"]
        at = images.index("right")
        assert [*images[at:], *images[:at]] == OPTIONS  # rotated, as the authors do, not shuffled
    assert [item.target for item in bench(tmp_path, many)] == [item.target for item in samples]


def test_options_stand_as_in_the_list_on_request(tmp_path: Path) -> None:
    samples = bench(tmp_path, [entry(options=OPTIONS, answer=2)] * 5, rotation="listed")
    assert {sample.target for sample in samples} == {"C"}
    assert [samples[0].fields[letter] for letter in "ABCDE"] == [*OPTIONS, ""]


def test_a_question_is_asked_about_each_version_of_its_image(tmp_path: Path) -> None:
    both = {**entry(), "image": {"image_paths": {"cropped": "c.jpg", "original": "o.jpg"}}}
    samples = bench(tmp_path, [both, entry()])[:3]
    assert [sample.images[0].name for sample in samples] == ["o.jpg", "c.jpg", "b.jpg"]
    assert [sample.id.partition("#")[2] for sample in samples] == ["0/original", "0/cropped", "1"]
    assert samples[0].cluster == samples[1].cluster != samples[2].cluster
    assert [sample.groups["version"].value for sample in samples] == [
        "original",
        "cropped",
        "boxed",
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"answer": 2}, "the answer 2 is not one of 2 options"),
        ({"options": ["one"]}, "1 options, not 2 to 5"),
        ({"options": "one"}, "options should be a list"),
        ({"question": ""}, "question should be a text"),
        ({"options": [None, "two"]}, "an option should be a text"),
        ({"options": [["one"], "two"]}, "an option should be a text"),
        ({"options": [True, False]}, "an option should be a text"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        bench(tmp_path, [entry(**changed)])


@pytest.mark.parametrize(
    ("paths", "message"),
    [({}, "names no image"), ({"blurred": "x.jpg"}, "unknown version of an image 'blurred'")],
)
def test_a_version_that_nobody_asks_about_is_refused(
    tmp_path: Path, paths: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        bench(tmp_path, [{**entry(), "image": {"image_paths": paths}}])


@pytest.mark.parametrize("case", json.loads(CASES.read_text())["cases"])
def test_the_score_is_that_of_the_authors_program(case: dict[str, Any], tmp_path: Path) -> None:
    ways = levels(tmp_path)
    metric = made.metric("nested_accuracy")
    totals: Counter[int] = Counter()
    for part, (right, number) in case["cells"].items():
        for at in range(number):
            answer = "A" if at < right else None
            sample = ScoredSample("s", "c", "A", answer, fields={"levels": ways[part]})
            totals.update(metric.statistics(sample))
    sums = np.array([totals[at] for at in range(metric.size)], dtype=np.float64)
    assert float(metric.finalize(sums)) == pytest.approx(case["score"], abs=1e-12)
    both = np.stack([sums, sums])
    assert metric.finalize(both).tolist() == [metric.finalize(sums)] * 2


def test_a_part_without_samples_does_not_count() -> None:
    metric = made.metric("nested_accuracy")
    for way in ("face/age/a", "face/age/b", "human/action/c"):
        metric.statistics(ScoredSample("s", "c", "A", "A", fields={"levels": way}))
    # face/age: (0.5 + nothing) / 1; human/action: 1; by hand (0.5 + 1) / 2.
    assert float(metric.finalize(np.array([1.0, 2.0, 0.0, 0.0, 3.0, 3.0]))) == 0.75
    assert np.isnan(metric.finalize(np.zeros(6)))


@pytest.mark.parametrize("levels", [None, "", "face//a", 3])
def test_a_sample_without_levels_is_refused(levels: Any) -> None:
    with pytest.raises(UserError, match=r"no way to a part|no such field") as raised:
        made.metric("nested_accuracy").statistics(
            ScoredSample("s", "c", "A", "A", fields={"levels": levels})
        )
    assert ("there is no such field" in str(raised.value)) == (levels is None)
    assert "as in face/age" in raised.value.fix


def test_a_part_that_is_also_a_level_is_refused() -> None:
    metric = made.metric("nested_accuracy")
    metric.statistics(ScoredSample("s", "c", "A", "A", fields={"levels": "face/age"}))
    with pytest.raises(UserError, match="a part and a level above it"):
        metric.statistics(ScoredSample("t", "c", "A", "A", fields={"levels": "face/age/b"}))


@pytest.mark.parametrize(("language", "text"), [("en", "The answer is B."), ("zh", "选项B")])
def test_letters_are_read_in_the_language_of_the_question(language: str, text: str) -> None:
    ask: Any = harness.load_task("face_human_bench", options={"language": language}).spec.ask
    extract = make_extractor(ask.extractor, ask.extractor_options, ())
    fields = {"A": "快乐", "B": "悲伤"} if language == "zh" else {"A": "joy", "B": "grief"}
    assert extract(text, fields).answer == "B"


@pytest.mark.parametrize(("rotation", "message"), [("listed", True), ("by_id", False)])
def test_a_letter_that_is_right_far_too_often_is_said(
    tmp_path: Path, rotation: str, message: bool
) -> None:
    bench(tmp_path, [entry(options=OPTIONS, answer=0)] * 40)
    options = {"rotation": rotation}
    task = harness.load_task("face_human_bench", data=tmp_path, options=options)
    report = check_task(task, 0, lambda *_: None)[0]
    notes = [note.kind for note in report.notes if note.kind.startswith("the right answer is")]
    assert (notes == ["the right answer is A: always answering A gets 100%"]) is message
    assert bool(notes) is message


def test_few_questions_say_nothing_of_their_letters(tmp_path: Path) -> None:
    bench(tmp_path, [entry(options=OPTIONS, answer=0)])
    task = harness.load_task("face_human_bench", data=tmp_path, options={"rotation": "listed"})
    report = check_task(task, 0, lambda *_: None)[0]
    assert report.counts["samples"] == 19
    assert not [note for note in report.notes if note.kind.startswith("the right answer is")]
