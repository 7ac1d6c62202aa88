"""Decisions outlive crashes, one reviewer's page at a time, and stay with their data."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness_review.decisions import read_review
from harness_review.session import REASONS, Stale

from harness.errors import UserError
from tests.plugins.review.made import at_work, lines_of, material_of, table, wish


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return table(tmp_path / "data")


def decided(folder: Path) -> dict[str, str]:
    path = folder / "reviews" / "ann.jsonl"
    review = read_review(path, material_of(folder).fingerprint)
    return {name: each.verdict for name, each in review.decisions.items()}


def test_decisions_are_there_in_the_next_session_and_undo_goes_back_over_it(folder: Path) -> None:
    with at_work(folder) as (session, _):
        first = session.state()
        second = session.decide(wish(first, "yes"))
        third = session.decide(wish(second, "no", REASONS[0], note=" a hand "))
    with at_work(folder) as (session, _):
        assert session.state()["set"]["id"] == third["set"]["id"]
        assert session.state()["progress"]["mine"] == 2
        again = session.undo({"line": session.state()["line"]})
        assert again["undone"] == again["set"]["id"] == second["set"]["id"]
        again = session.undo({"line": again["line"]})
        assert again["set"]["id"] == first["set"]["id"]
        assert not again["can_undo"]
        with pytest.raises(UserError, match="no decision to undo"):
            session.undo({"line": again["line"]})
    events = [line["event"] for line in lines_of(folder)]
    assert events == ["session", "decision", "decision", "session", "undo", "undo"]
    assert lines_of(folder)[2]["note"] == "a hand"
    assert lines_of(folder)[2]["reasons"] == [REASONS[0]]


def test_each_line_is_forced_to_disk_before_it_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work(folder) as (session, file):
        synced: list[int] = []
        path = file.reviewed.path
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.stat().st_size))
        session.decide(wish(session.state(), "yes"))
        assert synced == [path.stat().st_size]


@pytest.mark.parametrize("torn", [1, 20, 10_000])
def test_a_line_that_a_crash_tore_costs_that_decision_alone(folder: Path, torn: int) -> None:
    with at_work(folder) as (session, _):
        state = session.decide(wish(session.state(), "yes"))
        last = state["set"]["id"]
        session.decide(wish(state, "yes"))
    path = folder / "reviews" / "ann.jsonl"
    content = path.read_bytes()
    end = len(content.splitlines(keepends=True)[-1])
    path.write_bytes(content[: -min(torn, end - 1)])
    assert last not in decided(folder)
    assert len(decided(folder)) == 1
    with at_work(folder) as (session, _):
        assert session.state()["set"]["id"] == last
        session.decide(wish(session.state(), "skip"))
    assert len(decided(folder)) == 2


def test_a_full_disk_keeps_what_there_is_and_the_decision_can_be_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    with at_work(folder) as (session, _):
        state = session.state()

        def full(file: int, content: bytes) -> int:
            real(file, content[:7])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(UserError, match="the disk is full"):
            session.decide(wish(state, "yes"))
        monkeypatch.setattr(os, "write", real)
        assert session.state() == state
        session.decide(wish(state, "yes"))
    assert list(decided(folder).values()) == ["yes"]


def test_a_page_that_is_out_of_date_decides_nothing(folder: Path) -> None:
    with at_work(folder) as (session, _):
        state = session.state()
        session.decide(wish(state, "yes"))
        with pytest.raises(Stale):
            session.decide(wish(state, "no", REASONS[0]))
        with pytest.raises(Stale):
            session.undo({"line": state["line"]})
    assert list(decided(folder).values()) == ["yes"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "maybe"}, "yes, no or skip"),
        ({"verdict": "no"}, "needs a reason"),
        ({"reasons": ["because"]}, "from the list"),
        ({"reasons": [REASONS[0]] * 2}, "each at most once"),
        ({"reasons": [{}]}, "from the list"),
        ({"note": "x" * 3000}, "characters"),
        ({"seconds": "long"}, "a number"),
    ],
)
def test_a_decision_of_another_form_is_refused(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    with at_work(folder) as (session, _):
        with pytest.raises(UserError, match=message):
            session.decide(wish(session.state(), "yes") | change)
        assert session.state()["progress"]["mine"] == 0


def test_two_pages_of_one_reviewer_are_refused(folder: Path) -> None:
    with (
        at_work(folder),
        pytest.raises(UserError, match="another review is open for ann"),
        at_work(folder),
    ):
        pass


def test_a_file_from_another_set_is_refused(folder: Path, tmp_path: Path) -> None:
    other = table(tmp_path / "other", sets=5)
    with at_work(folder) as (session, _):
        session.decide(wish(session.state(), "yes"))
    shutil.copytree(folder / "reviews", other / "reviews")
    with pytest.raises(UserError, match=r"another data set \(.*4 sets, 8 images"), at_work(other):
        pass
    with pytest.raises(UserError, match="another data set"), at_work(other, "bob") as (session, _):
        session.state()


def test_a_file_under_another_name_or_changed_by_hand_is_refused(folder: Path) -> None:
    with at_work(folder) as (session, _):
        session.decide(wish(session.decide(wish(session.state(), "yes")), "yes"))
    path = folder / "reviews" / "ann.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    fingerprint = material_of(folder).fingerprint
    copy = path.with_name("bob.jsonl")
    copy.write_bytes(b"".join(lines))
    with pytest.raises(UserError, match="decisions of 'ann'"):
        read_review(copy, fingerprint)
    broken = {
        "taken out": [lines[0], lines[2]],
        "not a line of a review": [lines[0], lines[1].replace(b'"yes"', b'"perhaps"'), lines[2]],
        "not JSON": [lines[0], b"{]\n"],
        "event 'decision'": [lines[1].replace(b'"line":2', b'"line":1')],
        "format": [lines[0].replace(b'"format":1', b'"format":9')],
    }
    for message, content in broken.items():
        path.write_bytes(b"".join(content))
        with pytest.raises(UserError, match=message):
            read_review(path, fingerprint)


def test_the_order_of_rows_does_not_make_another_set(folder: Path) -> None:
    before = material_of(folder).fingerprint
    head, *rows = (folder / "rows.csv").read_text(encoding="utf-8").splitlines()
    (folder / "rows.csv").write_text("\n".join([head, *rows[::-1]]) + "\n", encoding="utf-8")
    assert material_of(folder).fingerprint == before


def test_sets_that_filters_dropped_are_not_shown_and_people_are_asked_again(folder: Path) -> None:
    rows = [
        {"file": f"{number}-{race}.png", "base": f"b{number}", "race": race, "dropped": dropped}
        for number, dropped in enumerate(("", "one_face: none", "human: artefacts"))
        for race in "AB"
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.csv").unlink()
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    (folder / "kept.jsonl").write_text(text, encoding="utf-8")
    material = material_of(folder)
    assert [group.id for group in material.sets] == ["b0", "b2"]
    assert material.left_out == 1
    assert [item.id for item in material.sets[0].items] == ["0-A.png", "0-B.png"]
