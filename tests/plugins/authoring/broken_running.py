"""Executors, data sources and kinds of study that break one promise each."""

# ruff: noqa: ARG002 (arguments are those of the contracts)

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.specs.yaml_loader import Document
from harness.studies.kind import StudyPlan, StudyReport
from harness.workers.contract import Answered, BlockRequest, Event
from tests.workers.inline import Inline

CHANCE = itertools.count()


class Workers(Inline):
    """Keep every promise."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__()

    def ask(self, worker: str, request: BlockRequest) -> None:
        if worker not in self.stopped:
            super().ask(worker, request)

    def alive(self) -> int:
        return 0 if self.closed else super().alive()


class AnotherPlan(Workers):
    """answers"""

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self.changes = lambda _, terms: dict.fromkeys(terms, "another")


class Garbles(Workers):
    """answers"""

    def events(self, timeout: float) -> Sequence[Event]:
        return [
            replace(event, records=event.records[1:]) if isinstance(event, Answered) else event
            for event in super().events(timeout)
        ]


class Deaf(Workers):
    """answers"""

    def ask(self, worker: str, request: BlockRequest) -> None:
        pass


class GoesOn(Workers):
    """replaces"""

    def stop(self, worker: str) -> None:
        pass


class NobodyElse(Workers):
    """replaces"""

    def replace(self, worker: str) -> None:
        pass


class AnswersWhenGone(Workers):
    """replaces"""

    def ask(self, worker: str, request: BlockRequest) -> None:
        Inline.ask(self, worker, request)


class StaysThere(Workers):
    """ends"""

    def alive(self) -> int:
        return 1


class WantsToBegin(Workers):
    """unstarted"""

    def close(self) -> None:
        assert self.order is not None
        super().close()


# --- data sources ---------------------------------------------------------------------------------


class Source:
    """Keep every promise."""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Any:
        labels = cache / benchmark / "basic" / "EmoLabel" / "list_patition_label.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("test_0001.jpg 4\ntest_0002.jpg 5\n")
        return cache / benchmark


class NoFolder(Source):
    """provides"""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Any:
        return cache / "nowhere"


class NoPath(Source):
    """provides"""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Any:
        return str(super().locate(benchmark, cache, splits))


class Drifts(Source):
    """same"""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Any:
        (cache / "drawn.txt").write_text(str(next(CHANCE)))
        return cache


class OtherLayout(Source):
    """readable"""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Any:
        (cache / "drawn.txt").write_text("the same")
        return cache


# --- kinds of study -------------------------------------------------------------------------------


class Study:
    """A study of nothing."""

    id, title, profile = "good", "Nothing", None

    def plan(self, results: Path | None) -> StudyPlan:
        return StudyPlan(("part",), [("one",)], data=["one"])

    def run(self, out: Path, results: Path | None, say: Any) -> StudyReport:
        def page(path: Path) -> list[Path]:
            path.write_text("Nothing.\n")
            return [path]

        out.mkdir(parents=True, exist_ok=True)
        return StudyReport((), page(out / "table.md"), (), page)


def load(document: Document) -> Any:
    """Keep every promise."""
    if document.data != {"kind": "good", "study": "good", "title": "Nothing"}:
        raise UserError("is no study", where=document.where())
    return Study()


def takes_anything(document: Document) -> Any:
    """refuses"""
    return Study()


def breaks(document: Document) -> Any:
    """refuses"""
    assert isinstance(document.data, dict)
    return Study() if document.data["study"] else None


def says_no_place(document: Document) -> Any:
    """refuses"""
    raise UserError("is no study")


def plans_otherwise(document: Document) -> Any:
    """plans"""
    study = load(document)
    study.plan = lambda _: StudyPlan(notes=(str(next(CHANCE)),))
    return study


def writes_a_plan(document: Document) -> Any:
    """plans"""
    study = load(document)

    def plan(results: Path) -> StudyPlan:
        (results / "plan.json").write_text("[]")
        return StudyPlan()

    study.plan = plan
    return study


def never_the_same(document: Document) -> Any:
    """runs"""
    study = load(document)

    def run(out: Path, results: Path | None, say: Any) -> StudyReport:
        report = Study().run(out, results, say)
        report.files[0].write_text(str(next(CHANCE)))
        return report

    study.run = run
    return study


def names_another_file(document: Document) -> Any:
    """runs"""
    study = load(document)
    study.run = lambda out, results, say: replace(
        Study().run(out, results, say), files=[out / "figure.svg"]
    )
    return study
