"""The kit of data sources: folders in the release layout, the same each time, that readers read."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness.config.tasks import installed_catalog
from harness.errors import HarnessError
from harness.readers.guard import make_reader
from harness.samples.roots import data_root
from harness.specs import TaskSpec

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

_BENCHMARKS = 3  # that are made
_SAMPLES = 5
_HASHED = 200  # files


def _specs(subject: Subject) -> Iterator[TaskSpec]:
    """Yield a task of each benchmark that the source provides."""
    catalog, seen = installed_catalog(), set[str]()
    for name in catalog.entries:
        try:
            spec = catalog.task(name)
        except HarnessError:  # a broken spec is asked by nobody
            continue
        benchmark = spec.data.benchmark
        if benchmark in subject.descriptor.benchmarks and benchmark not in seen:
            seen.add(benchmark)
            yield spec


def _located(subject: Subject, benchmark: str, cache: Path, splits: tuple[str, ...]) -> Path:
    source = subject.make_plain()
    with subject.contract.calling("locate"):
        folder = source.locate(benchmark, cache, splits)
    if not isinstance(folder, Path):
        raise subject.contract.returned(folder, "locate", "a Path")
    if not folder.is_dir():
        raise ContractError(f"{benchmark}: locate returns {folder}, which is not a folder")
    return folder


def _contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files[:_HASHED]
    }


def provides(subject: Subject) -> None:
    """Name benchmarks, and give a folder for each."""
    names = subject.descriptor.benchmarks
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ContractError("it names no benchmark")
    catalog = installed_catalog()
    for task, options in subject.descriptor.task_options.items():
        try:
            catalog.task(task, options)
        except HarnessError as error:
            raise ContractError(f"its task_options of {task}: {error.message}") from None
    with tempfile.TemporaryDirectory() as cache:
        for name in sorted(names)[:_BENCHMARKS]:
            _located(subject, name, Path(cache), ("test",))


def same(subject: Subject) -> None:
    """Give the same files each time, also in another cache."""
    name = min(subject.descriptor.benchmarks)
    with tempfile.TemporaryDirectory() as first_cache, tempfile.TemporaryDirectory() as other:
        folder = _located(subject, name, Path(first_cache), ("test",))
        before = _contents(folder)
        if not before:
            raise ContractError(f"{name}: the folder is empty")
        again = _located(subject, name, Path(first_cache), ("test",))
        if again != folder or _contents(again) != before:
            raise ContractError(f"{name}: a second call gives other files")
        if _contents(_located(subject, name, Path(other), ("test",))) != before:
            raise ContractError(f"{name}: another cache gives other files")


def readable(subject: Subject) -> None:
    """Lay files out as the readers of tasks expect them."""
    specs = list(islice(_specs(subject), _BENCHMARKS))
    if not specs:
        raise NotApplicableError("no installed task uses its benchmarks")
    with tempfile.TemporaryDirectory() as cache:
        for spec in specs:
            split, benchmark = spec.data.split, spec.data.benchmark
            folder = _located(subject, benchmark, Path(cache), (split,))
            options = {**spec.data.options, **subject.descriptor.reader_options.get(benchmark, {})}
            reader = make_reader(spec.data.reader, options, spec.unit, spec.labels)
            try:
                samples = list(islice(reader.samples(data_root(folder), split), _SAMPLES))
            except HarnessError as error:
                raise ContractError(f"{spec.id} cannot read it: {error.message}") from None
            if not samples:
                raise ContractError(f"{spec.id} reads no sample in split {split!r}")


CHECKS = (
    Check("provides", "a folder for each benchmark that it names", provides),
    Check("same", "the same files each time and in any cache", same),
    Check("readable", "tasks' readers find samples in it", readable),
)
