"""Plugins of a lab, each a distribution of its own that a test can mend."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from harness.plugins import plugins
from harness.resources import data_folder

READER = """
from dataclasses import replace

from harness.descriptors import ReaderDescriptor, Option
from harness.plugins import hookimpl
from harness_benchmarks.readers.raf_db import LABELS, RafDb

BUG = 1

class Reader(RafDb):
    def samples(self, root, split):
        for sample in super().samples(root, split):
            place = LABELS.index(sample.target)
            yield replace(sample, target=LABELS[(place + BUG) % len(LABELS)])

@hookimpl
def harness_readers():
    options = (Option(name="images", default="aligned"), Option(name="unit", default="image"))
    return [ReaderDescriptor(id="lab_reader", target="lab_reader:Reader", summary="x",
                             options=options, splits=("train", "test"))]
"""
METRIC = """
from harness.descriptors import MetricDescriptor
from harness.metrics.accuracy import Accuracy
from harness.plugins import hookimpl

BUG = 1

class Metric(Accuracy):
    def finalize(self, totals):
        return super().finalize(totals) / (1 + BUG)

@hookimpl
def harness_metrics():
    return [MetricDescriptor(id="lab_metric", target="lab_metric:Metric", summary="x")]
"""
MODEL = """
import os

from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl
from harness.requests import Response, Scores

BUG = 1

class Model:
    blocks = 0

    def __init__(self, options):
        del options

    def identity(self, runtime):
        return {"kind": "lab"}

    def load(self, runtime):
        return self

    def answer(self, requests):
        if os.environ.get("LAB_STOPS") == str(self.blocks):
            raise KeyboardInterrupt
        self.blocks += 1
        for request in requests:
            options = range(len(request.want.options))
            yield Response(request.id, Scores("label", tuple(float(k == BUG) for k in options)))

    def close(self):
        pass

@hookimpl
def harness_models():
    return [ModelDescriptor(id="lab_model", target="lab_model:Model", summary="x",
                            capabilities=frozenset({"choose"}), sees_images=False)]
"""
METHOD = """
from harness.descriptors import AnswerMethodDescriptor
from harness.plugins import hookimpl
from harness.requests import Scores

BUG = 1

class Method:
    def __init__(self, options):
        del options

    def further(self, request):
        return []

    def combine(self, request, own, further):
        return Scores(own.kind, own.values[BUG:] + own.values[:BUG])

@hookimpl
def harness_answer_methods():
    return [AnswerMethodDescriptor(id="lab_method", target="lab_method:Method", summary="x",
                                   treats={"choose": frozenset()})]
"""
SPECS = """
from pathlib import Path

from harness.descriptors import SpecFolder
from harness.plugins import hookimpl

@hookimpl
def harness_task_specs():
    return [SpecFolder(path=Path(__file__).parent / "lab_task_specs")]
"""
PLUGINS = {"reader": READER, "metric": METRIC, "model": MODEL, "method": METHOD, "specs": SPECS}


class Lab:
    """Installs the plugins into a folder that is on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, code in PLUGINS.items():
            (folder / f"lab_{name}.py").write_text(code)
            self.version(name, "0.1")
        spec = (data_folder("task_specs") / "social" / "raf_db.yaml").read_text()
        (folder / "lab_task_specs").mkdir()
        (folder / "lab_task_specs" / "lab_faces.yaml").write_text(
            spec.replace("id: raf_db", "id: lab_faces")
            .replace("reader: raf_db", "reader: lab_reader")
            .replace("id: accuracy,", "id: lab_metric,")
        )
        self.load()

    def mend(self, name: str) -> None:
        """Take the bug out of one plugin."""
        path = self.folder / f"lab_{name}.py"
        path.write_text(path.read_text().replace("BUG = 1", "BUG = 0  # mended"))
        self.load()

    def version(self, name: str, version: str) -> None:
        """Say that a plugin is of this version."""
        info = self.folder / f"lab_{name}-0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: lab-{name}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(f"[harness]\nlab_{name} = lab_{name}\n")

    def load(self) -> None:
        """Forget what was imported, as a new process has."""
        for name in PLUGINS:
            sys.modules.pop(f"lab_{name}", None)
        importlib.invalidate_caches()
        plugins.cache_clear()
