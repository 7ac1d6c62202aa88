"""The first workloads as tasks, and the random model as a plugin, for the whole harness."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from unittest import mock

import harness.plugins
from benchmarks._engine_models import MATTERS, SUBJECTS, RandomLlava, drawn_images
from harness.descriptors import (
    Capability,
    Json,
    ModelDescriptor,
    Option,
    ReaderDescriptor,
    SpecFolder,
)
from harness.engine.answerer import EngineAnswerer
from harness.models import Runtime
from harness.plugins import hookimpl
from harness.samples import DataRoot, ImageRef, Sample

OPTIONS = ("somebody", "nobody else", "three such people", "everybody here")
SPEC = """\
id: bench
version: 1
title: Benchmark
summary: Fairness-style questions about random images.
citation: none
licence: none
intended_use: Measuring time.
data: {benchmark: bench, reader: bench, split: test, obtain: drawn by the benchmark}
prompt: {template: "{{ question }}"}
ask: {ASK}
answer: "{{ target }}"
metrics:
  - {id: accuracy, column: Accuracy, direction: higher, scale: 100, main: true}
unit: image
"""
CHOOSE = f"choose: {{labels: [{', '.join(OPTIONS)}]}}"
_held: dict[str, RandomLlava] = {}
_folder = Path()
_questions = 24  # about an image


class Questions:
    """Reads a folder of images: every question about every image."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        del options

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        del root, split
        return ["images.txt"]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        del split
        texts = [about + matter for about in SUBJECTS for matter, _ in MATTERS][:_questions]
        for name in root.read_text("images.txt").split():
            for number, text in enumerate(texts):
                yield Sample(
                    id=f"{name}-{number}",
                    images=(ImageRef(name, root),),
                    target=OPTIONS[number % len(OPTIONS)],
                    cluster=name,
                    fields={"question": text},
                )


class Loaded:
    """The random model, loaded already."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        del options

    def identity(self, runtime: Runtime) -> Mapping[str, Json]:
        del runtime
        return {"model": "random LLaVA"}

    def load(self, runtime: Runtime) -> EngineAnswerer:
        return EngineAnswerer(_held["model"], runtime)


@hookimpl
def harness_models() -> list[ModelDescriptor]:
    able: frozenset[Capability] = frozenset({"choose", "generate"})
    target = "benchmarks._engine_task:Loaded"
    return [ModelDescriptor(id="bench", target=target, summary="random", capabilities=able)]


@hookimpl
def harness_readers() -> list[ReaderDescriptor]:
    unit = Option(name="unit")
    target = "benchmarks._engine_task:Questions"
    return [ReaderDescriptor(id="bench", target=target, summary="random", options=(unit,))]


@hookimpl
def harness_task_specs() -> list[SpecFolder]:
    return [SpecFolder(path=_folder)]


def through_the_harness(model: RandomLlava, images: int, tokens: int = 0) -> tuple[float, int]:
    """Return CPU seconds of a whole run, from the plan to the seal, and its number of answers.

    Args:
        model: The model.
        images: How many are asked about.
        tokens: Length of the answers to four questions about each; 0 scores 24 questions of four
            options, each of which counts.
    """
    global _folder, _questions  # noqa: PLW0603  a hook takes no argument
    _questions = 4 if tokens else 24
    asks = f"generate: {{max_new_tokens: {tokens}, extractor: verbatim}}" if tokens else CHOOSE
    _held["model"] = model
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        root.mkdir()
        for image in drawn_images(images):
            image.pixels.save(root / f"{image.key}.png")
        names = sorted(path.name for path in root.iterdir())
        (root / "images.txt").write_text("\n".join(names))
        _folder = Path(folder) / "specs"
        _folder.mkdir()
        (_folder / "bench.yaml").write_text(SPEC.replace("ASK", asks))
        point = EntryPoint("bench", "benchmarks._engine_task", harness.plugins.GROUP)
        harness.plugins.plugins.cache_clear()
        with (
            mock.patch("harness.plugins.entry_points", return_value=[point]),
            mock.patch.object(model, "close"),
        ):
            start = time.process_time()
            (record,) = harness.run(
                "bench",
                "bench",
                data={"bench": root},
                results=Path(folder) / "results",
                device="cpu",
            ).records
            seconds = time.process_time() - start
    harness.plugins.plugins.cache_clear()
    assert record.counts.errors == 0
    return seconds, record.counts.samples * (1 if tokens else len(OPTIONS))
