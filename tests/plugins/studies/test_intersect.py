from __future__ import annotations

from pathlib import Path

import pytest
from harness_studies.intersect import intersected

from harness.errors import UserError
from harness.runs.read import read_evaluation
from harness.tables import build_table
from tests.runs.sealed import answers, sample, write


def test_evaluations_count_the_samples_they_share(tmp_path: Path) -> None:
    full = write(tmp_path / "whole", answers({0: "anger", 5: "anger"}), model="a")
    few = write(tmp_path / "few", answers()[2:], model="b", marks=("limited",))
    apart = [read_evaluation(full), read_evaluation(few)]
    assert len(build_table(apart).sections) == 2
    table = build_table(intersected(apart))
    (section,) = table.sections
    cells = [row.cells[0] for row in section.rows]
    assert [cell.n for cell in cells if cell] == [4, 4]
    assert [cell.value for cell in cells if cell] == pytest.approx([75, 100])
    assert table.notes[0].startswith("Every number is marked intersected:")
    assert any("4 samples" in note for note in table.notes)
    assert [cell.shown for cell in cells if cell] == [(), ("limited",)]


def test_a_sample_that_errored_in_one_counts_in_none(tmp_path: Path) -> None:
    lost = [*answers()[1:], sample("0", "happiness", None, error="gone")]
    records = intersected(
        [
            read_evaluation(write(tmp_path / "a", answers(), model="a")),
            read_evaluation(write(tmp_path / "b", lost, model="b")),
        ]
    )
    assert [record.counts.scored for record in records] == [5, 5]
    assert [record.marks for record in records] == [("intersected",), ("intersected",)]


def test_values_are_those_of_an_evaluation_of_these_samples_alone(tmp_path: Path) -> None:
    answered = answers({2: "fear", 3: None})
    evaluation = read_evaluation(write(tmp_path / "whole", answered, model="a"))
    few = read_evaluation(write(tmp_path / "few", answered[1:5], model="b"))
    alone = read_evaluation(write(tmp_path / "alone", answered[1:5], model="a"))
    record, _ = intersected([evaluation, few])
    assert (record.metrics, record.counts, record.slices) == (
        alone.metrics,
        alone.counts,
        alone.slices,
    )


def test_other_differences_stay(tmp_path: Path) -> None:
    records = [
        read_evaluation(write(tmp_path / "a", answers(), model="a")),
        read_evaluation(write(tmp_path / "b", answers()[1:], model="b", prompt="other")),
    ]
    assert intersected(records) == records
    title = build_table(intersected(records)).sections[1].title
    assert "differs in prompt, sample ids" in title


def test_equal_evaluations_come_back_as_they_are(tmp_path: Path) -> None:
    records = [read_evaluation(write(tmp_path / n, answers(), model=n)) for n in ("a", "b")]
    assert intersected(records) == records


def test_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    records = [
        read_evaluation(write(tmp_path / "a", answers()[:2], model="a")),
        read_evaluation(write(tmp_path / "b", answers()[2:], model="b")),
    ]
    with pytest.raises(UserError, match="no sample in common"):
        intersected(records)


def test_samples_that_changed_since_they_were_sealed_are_refused(tmp_path: Path) -> None:
    folders = [write(tmp_path / "a", answers(), model="a"), write(tmp_path / "b", answers()[1:])]
    records = [read_evaluation(folder) for folder in folders]
    path = folders[0] / "samples.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("female", "femalf"), "utf-8")
    with pytest.raises(UserError, match="changed since it was sealed"):
        intersected(records)
