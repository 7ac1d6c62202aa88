"""Where a task's data lie: a path the user gave, else the profile's data source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.config.settings import Settings
from harness.descriptors import Json, load_target
from harness.errors import UserError
from harness.plugins import find, plugins
from harness.samples.mounts import mounted
from harness.specs import TaskSpec


class DataSource(Protocol):
    """The object behind a :class:`harness.descriptors.DataSourceDescriptor`."""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Path:
        """Return the folder that holds a benchmark in its release layout, making it if need be."""
        ...


@dataclass(frozen=True, slots=True)
class Located:
    """A benchmark found.

    Attributes:
        origin: What said so, for people: a path, or a data source's id.
        reader_options: Reader options this data need beside the spec's.
        marks: Marks for every record made of it.
    """

    root: Path
    origin: str
    reader_options: Mapping[str, Json] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


def locate(spec: TaskSpec, settings: Settings, splits: tuple[str, ...]) -> Located:
    """Find a task's data.

    Raises:
        UserError: when nothing says where they are, or the folder is not there; the message says
            where it looked, how to obtain the data, and the demo alternative.
    """
    benchmark = spec.data.benchmark
    for key in (spec.id, benchmark):
        if key in settings.data:
            root = settings.data[key]
            found = root if root.is_dir() or root.is_file() else None
            if found is None:
                raise UserError(
                    f"the data folder of {spec.id!r} is missing", where=root, fix=_remedy(spec)
                )
            return Located(mounted(found), str(root))
    if settings.source is not None:
        descriptor = find("data source", settings.source, plugins().data_sources())
        if benchmark in descriptor.benchmarks:
            source: DataSource = load_target(descriptor)()
            return Located(
                source.locate(benchmark, settings.cache, splits),
                descriptor.id,
                descriptor.reader_options.get(benchmark, {}),
                descriptor.marks,
            )
    raise UserError(f"nothing says where the data of {spec.id!r} are", fix=_remedy(spec))


def _remedy(spec: TaskSpec) -> str:
    obtain = " ".join(spec.data.obtain.split())
    return (
        f"--data {spec.id}=FOLDER, or [data] {spec.id} in harness.toml; to obtain them: {obtain}; "
        "or run on drawn data with --profile demo"
    )
