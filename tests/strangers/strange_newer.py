# ruff: noqa: ARG002, ARG005  a contract has arguments
"""The newer kinds of the strange plugin: what is done with sealed evaluations, and around a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from strange import given  # type: ignore[import-not-found]

from harness.analysis.board import AnalysisView
from harness.figures.contract import Plot
from harness.runs.submissions import SubmissionLayout
from harness.studies.kind import StudyPlan, StudyReport


def plot(request: Any) -> Any:
    """Draw nothing."""
    return given("figure.call", Plot(_draw, {}, ("strange",)))


def _draw(displayed: Any) -> Any:
    return given("figure.draw", SimpleNamespace(supxlabel=lambda *_, **__: None, savefig=_saved))


def _saved(buffer: Any, **_: Any) -> None:
    buffer.write(b"drawn")


def export(records: Sequence[Any], out: Path, options: Any) -> Any:
    """Write one file."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "a.txt").write_text("a")
    return given("exporter.call", [out / "a.txt"])


def _row(record: Any, text: str) -> Any:
    return given("submission.row", {"id": record.id, "text": text})


def _bytes(rows: Any) -> Any:
    return given("submission.formats", repr(list(rows)).encode())


LAYOUT = SubmissionLayout({".json": _bytes}, _row)


class Study:
    """Does nothing."""

    id, title, profile = "strange", "A strange study", None

    def plan(self, results: Any) -> Any:
        return given("study.plan", StudyPlan())

    def run(self, out: Path, results: Any, say: Any) -> Any:
        return given("study.run", StudyReport((), (), (), lambda _: []))


def load(document: Any) -> Any:
    """Load the study."""
    return given("study.load", Study())


class Executor:
    """Has one worker that is never there."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        given("executor.make", options)

    def start(self, order: Any) -> Any:
        return given("executor.start", None)

    def ask(self, worker: str, request: Any) -> Any:
        return given("executor.ask", None)

    def events(self, timeout: float) -> Any:
        return given("executor.events", [])

    def alive(self) -> Any:
        return given("executor.alive", 1)

    def stop(self, worker: str) -> Any:
        return given("executor.stop", None)

    def replace(self, worker: str) -> Any:
        return given("executor.replace", None)

    def close(self) -> Any:
        return given("executor.close", None)


def encoder(request: Any) -> Any:
    """Find no encoder."""
    return given("encoder.find", request)


class Method:
    """Leaves every answer as it is."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        given("method.make", options)

    def further(self, request: Any) -> Any:
        return given("method.further", [])

    def combine(self, request: Any, result: Any, further: Any) -> Any:
        return given("method.combine", result)


VIEW = AnalysisView("Strange", "", lambda analysis, board: given("view.fill", None))
