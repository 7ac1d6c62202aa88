"""A plugin of every kind that does whatever a test has it do wrongly, at a place by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from harness import descriptors as kinds
from harness.metrics.contract import Rows
from harness.plugins import hookimpl
from harness.requests import Choose, Generate, Response, Scores, Text
from harness.requests.extractor import Extracted
from harness.samples import Sample
from harness.samples.sample import Group

FAULTS: dict[str, Callable[[Any], Any]] = {}
LABELS = ("yes", "no")


def given(place: str, value: Any) -> Any:
    """Return a value, or what the fault at a place makes of it."""
    return FAULTS[place](value) if place in FAULTS else value


class Reader:
    """Yields six samples of three clusters; it declares no unit."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        given("reader.make", options)

    def annotations(self, root: Any, split: str) -> Any:
        del root, split
        return given("reader.annotations", ["labels.txt"])

    def samples(self, root: Any, split: str) -> Any:
        del root, split
        return given("reader.samples", self._samples())

    @staticmethod
    def _samples() -> Iterator[Any]:
        for number in range(6):
            groups = {"side": Group("left" if number % 2 else "right")}
            target = LABELS[number % 2]
            sample = Sample(str(number), (), target, f"c{number // 2}", {"n": number}, groups)
            yield given("reader.sample", sample)


class Model:
    """Says yes."""

    def __init__(self, options: Mapping[str, Any], task: Any = None) -> None:
        del task
        given("model.make", options)

    def identity(self, runtime: Any) -> Any:
        del runtime
        return given("model.identity", {"rule": "yes"})

    def load(self, runtime: Any) -> Any:
        del runtime
        return given("model.load", self)

    def answer(self, requests: Sequence[Any]) -> Any:
        return given("model.answer", [self._one(request) for request in requests])

    @staticmethod
    def _one(request: Any) -> Any:
        if request.task in FAULTS:
            FAULTS[request.task](request)
        if isinstance(request.want, Generate):
            result: Any = given("model.text", Text("yes"))
        else:
            assert isinstance(request.want, Choose)
            result = given("model.scores", Scores("label", (1.0, 0.0)))
        return given("model.response", Response(request.id, result))

    def notes(self) -> Any:
        return given("model.notes", [])

    def close(self) -> None:
        given("model.close", None)


class Extractor:
    """Takes the text as it is."""

    def __init__(self, options: Mapping[str, Any], labels: Sequence[str]) -> None:
        del labels
        given("extractor.make", options)

    def __call__(self, text: str, fields: Mapping[str, Any]) -> Any:
        del fields
        return given("extractor.call", Extracted(text))


class Sums:
    """Share of right answers."""

    size = 2

    def __init__(self, options: Mapping[str, Any], labels: Sequence[str]) -> None:
        del labels
        given("sums.make", options)

    def statistics(self, sample: Any) -> Any:
        return given("sums.statistics", {0: float(sample.answer == sample.target), 1: 1.0})

    def score(self, sample: Any) -> Any:
        return given("sums.score", float(sample.answer == sample.target))

    def finalize(self, totals: Any) -> Any:
        return given("sums.finalize", totals[..., 0] / np.maximum(totals[..., 1], 1))


class Ranks:
    """Weighted share of right answers, the slow way."""

    def __init__(self, options: Mapping[str, Any], labels: Sequence[str]) -> None:
        del labels
        given("ranks.make", options)

    def prepare(self, samples: Sequence[Any]) -> Any:
        right = np.array([sample.answer == sample.target for sample in samples], dtype=float)
        return given("ranks.prepare", right)

    def value(self, prepared: Any, weights: Any) -> Any:
        result = weights @ prepared / np.maximum(weights.sum(axis=1), 1)
        return given("ranks.value", result)


class Counts:
    """How many samples there are, and how many are right."""

    key = "strange"
    size = 2

    def statistics(self, sample: Any) -> Any:
        return given("counts.statistics", {0: float(sample.answer == sample.target), 1: 1.0})

    def label(self, sample: Any) -> Any:
        return given("counts.label", (("side", (sample.groups or {})["side"]),))

    def columns(self) -> Any:
        return given("counts.columns", [0, 1])


class Settled:
    """Each side's share of right answers."""

    def components(self, totals: Any) -> Any:
        result = totals[..., 0] / np.maximum(totals[..., 1], 1)
        return given("settled.components", result)

    def combine(self, components: Any) -> Any:
        return given("settled.combine", components.max(axis=-1))

    def tables(self, components: Any) -> Any:
        keys = [{"side": "left"}, {"side": "right"}]
        rows = Rows("by side", keys, components, simultaneous=True)
        return given("settled.tables", [rows])


class Groups:
    """The best side."""

    extreme = "high"

    def __init__(self, options: Mapping[str, Any], labels: Sequence[str]) -> None:
        del labels
        given("groups.make", options)
        self.counts = given("groups.counts", Counts())

    def parts(self, labels: Sequence[Any]) -> Any:
        return given("groups.parts", sorted(labels))

    def settle(self, counts: Any, parts: Sequence[Any], totals: Any) -> Any:
        del parts, totals
        assert type(counts) is Counts  # its own, not a stand-in
        return given("groups.settle", Settled())

    def beside(self, counts: Any, labels: Sequence[Any], totals: Any) -> Any:
        del labels, totals
        assert type(counts) is Counts
        return given("groups.beside", [])


class Source:
    """The folder that a test names."""

    def __init__(self) -> None:
        given("source.make", None)

    def locate(self, benchmark: str, cache: Path, splits: Any = ()) -> Any:
        del benchmark, splits
        return given("source.locate", cache.parent / "world")


def render(table: Any) -> Any:
    """Return the table's title."""
    return given("format.call", f"{table.title}\n")


@click.command()
def _command() -> None:
    """Do what the test wants."""
    given("command.call", None)


def __getattr__(name: str) -> Any:
    if name == "command":
        return given("command.make", _command)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@hookimpl
def harness_models() -> Any:
    can: Any = frozenset({"choose", "generate"})
    every: dict[str, Any] = {"summary": "says yes", "sees_images": False, "capabilities": can}
    return given(
        "hook",
        [
            kinds.ModelDescriptor(id="strange", target="strange:Model", **every),
            kinds.ModelDescriptor(
                id="strange_baseline", target="strange:Model", needs_task=True, **every
            ),
        ],
    )


@hookimpl
def harness_readers() -> Any:
    return [kinds.ReaderDescriptor(id="strange", target="strange:Reader", summary="six")]


@hookimpl
def harness_data_sources() -> Any:
    return [
        kinds.DataSourceDescriptor(
            id="strange",
            target="strange:Source",
            summary="a folder",
            benchmarks=frozenset({"strange"}),
        )
    ]


@hookimpl
def harness_metrics() -> Any:
    return [
        kinds.MetricDescriptor(id=name.lower(), target=f"strange:{name}", summary="a share")
        for name in ("Sums", "Ranks", "Groups")
    ]


@hookimpl
def harness_extractors() -> Any:
    return [kinds.ExtractorDescriptor(id="strange", target="strange:Extractor", summary="as is")]


@hookimpl
def harness_leaderboard_formats() -> Any:
    return [
        kinds.FormatDescriptor(
            id="strange", target="strange:render", suffix=".strange", summary="a title"
        )
    ]


@hookimpl
def harness_figures() -> Any:
    every: Any = frozenset({"evaluation"})
    return [
        kinds.FigureDescriptor(
            id="strange", target="strange_newer:plot", summary="dots", pages=every
        )
    ]


@hookimpl
def harness_exporters() -> Any:
    return [kinds.ExporterDescriptor(id="strange", target="strange_newer:export", summary="a file")]


@hookimpl
def harness_submissions() -> Any:
    return [
        kinds.SubmissionDescriptor(
            id="strange",
            target="strange_newer:LAYOUT",
            summary="rows",
            server="nobody",
            suffixes=(".json",),
        )
    ]


@hookimpl
def harness_studies() -> Any:
    return [
        kinds.StudyDescriptor(
            id="strange", target="strange_newer:load", view="strange_newer:VIEW", summary="a study"
        )
    ]


@hookimpl
def harness_executors() -> Any:
    return [kinds.ExecutorDescriptor(id="strange", target="strange_newer:Executor", summary="one")]


@hookimpl
def harness_encoders() -> Any:
    return [
        kinds.EncoderDescriptor(
            id="strange", target="strange_newer:encoder", forms=("strange:X",), summary="a tower"
        )
    ]


@hookimpl
def harness_answer_methods() -> Any:
    return [
        kinds.AnswerMethodDescriptor(
            id="strange",
            target="strange_newer:Method",
            summary="as it is",
            treats={"generate": frozenset()},
        )
    ]


@hookimpl
def harness_commands() -> Any:
    return [kinds.CommandDescriptor(id="strange", target="strange:command", summary="does")]


@hookimpl
def harness_task_specs() -> Any:
    return [kinds.SpecFolder(path=Path(__file__).parent / "task_specs")]


@hookimpl
def harness_block_answered(event: Any) -> None:
    given("event", event)
