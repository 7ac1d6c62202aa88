"""Where a task's data lie: a path the user gave, else the profile's data source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from harness.config.hub import hub_folder, is_hub_id
from harness.config.settings import Settings
from harness.config.tasks import installed_catalog, own_folder, typed
from harness.descriptors import DataSourceDescriptor, Json
from harness.errors import UserError, quoted, reason_of
from harness.packages import package_of
from harness.plugins import contract_of, find, missing, plugins
from harness.readers import TakesPart
from harness.readers.guard import make_reader
from harness.samples.roots import DataRoot, FileMissing, data_root
from harness.specs import TaskSpec
from harness.specs.catalog import Entry
from harness.targets import load_target


class DataSource(Protocol):
    """A data source, made from a :class:`harness.descriptors.DataSourceDescriptor`."""

    def locate(self, benchmark: str, cache: Path, splits: tuple[str, ...] = ("test",)) -> Path:
        """Return the folder of a benchmark in its release layout; fetch or create it if needed."""
        ...


@dataclass(frozen=True, slots=True)
class Located:
    """A benchmark found.

    Attributes:
        root: A folder, or an archive that answers as one.
        origin: What said so, for people: a path, or a data source's id.
        reader_options: Reader options this data need beside the spec's.
        marks: Marks for every record made of it.
    """

    root: DataRoot
    origin: str
    reader_options: Mapping[str, Json] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


def locate(spec: TaskSpec, settings: Settings, splits: tuple[str, ...]) -> Located:
    """Find a task's data.

    Raises:
        UserError: when nothing says where they are, or the folder is not there; the message says
            where it looked, how to obtain the data, and the demo alternative.
        DataError: an archive that is damaged or not safe to read.
    """
    benchmark = spec.data.benchmark
    path = given_path(spec, settings)
    if path is not None:
        try:
            return Located(data_root(fetched(spec, path, splits)), str(path))
        except FileMissing as error:
            raise UserError(
                f"the data folder of {spec.id!r} is missing: {error.message}",
                where=path,
                fix=remedy(spec),
            ) from None
    descriptor = source_of(benchmark, settings.source)
    if descriptor is not None:
        return Located(
            data_root(_provided(descriptor, benchmark, settings.cache, splits)),
            descriptor.id,
            descriptor.reader_options.get(benchmark, {}),
            descriptor.marks,
        )
    if settings.source is not None:
        find("data source", settings.source, plugins().data_sources())
    raise UserError(f"no data path is set for {spec.id!r}", fix=remedy(spec))


def chosen_spec(name: str, chosen: Mapping[str, Json], settings: Settings) -> TaskSpec:
    """Return a task under named options: those chosen, and beside them its data source's."""
    catalog = installed_catalog()
    spec = catalog.task(name, chosen)
    source = None if given_path(spec, settings) else source_of(spec.data.benchmark, settings.source)
    own = {} if source is None else source.task_options.get(name, {})
    return catalog.task(name, {**own, **chosen}) if own else spec


def source_of(benchmark: str, name: str | None) -> DataSourceDescriptor | None:
    """Return the data source of this name, or one beside it, that has a benchmark.

    One of this project that is not installed has none: data that are named by path do not need it.

    Raises:
        UserError: no source has the name.
    """
    installed = plugins().data_sources()
    if name is not None and name not in installed and package_of("data source", name) is None:
        raise missing("data source", name, installed)
    sources = [
        one for key, one in installed.items() if name is not None and name in {key, one.beside}
    ]
    return next((source for source in sources if benchmark in source.benchmarks), None)


def _provided(
    descriptor: DataSourceDescriptor, benchmark: str, cache: Path, splits: tuple[str, ...]
) -> Path:
    """Return the folder that a data source gives.

    Raises:
        PluginError: it does not load, raises, or gives no folder that is there.
        UserError: the cache cannot be written.
    """
    contract, make = contract_of(descriptor), load_target(descriptor)
    with contract.calling("make"):
        source: DataSource = make()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with contract.calling("locate", partial(_is_of, cache)):
            folder = source.locate(benchmark, cache, splits)
    except OSError as error:
        raise UserError(
            f"the cache cannot be written: {reason_of(error)}",
            where=error.filename or cache,
            fix="HARNESS_CACHE=FOLDER, or `cache` in harness.toml",
        ) from None
    if not isinstance(folder, Path):
        raise contract.returned(folder, "locate", "a Path")
    if not folder.is_dir():
        raise contract.wrong(f"returned {folder} from locate, which is not a folder")
    return folder


def _is_of(cache: Path, error: Exception) -> bool:
    """Whether an error is a file of the cache that the system does not give."""
    name = error.filename if isinstance(error, OSError) else None
    return isinstance(name, str | Path) and Path(name).is_relative_to(cache)


def fetched(spec: TaskSpec, path: Path, splits: tuple[str, ...]) -> Path:
    """Return a path, or for a dataset on the hub its folder, with at least what splits need."""
    if not is_hub_id(path):
        return path
    reader = make_reader(spec.data.reader, spec.data.options, spec.unit, spec.labels)
    if not isinstance(reader, TakesPart):
        return hub_folder(path)
    return hub_folder(path, [name for split in splits for name in reader.hub_patterns(split)])


def refuse_unknown(names: Iterable[str], where: str) -> None:
    """Refuse keys of data paths that are no task's and no benchmark's id.

    Raises:
        UserError: for the first of them, with the nearest ids.
    """
    names = list(names)
    if not names:
        return
    catalog = installed_catalog()
    all_names = {*catalog.entries, *catalog.broken, *map(_benchmark, catalog.entries.values())}
    for name in names:
        if name in catalog.group_entries and name not in all_names:
            tasks = catalog.group(name).tasks
            raise UserError(
                f"{name!r} is a group; data paths belong to tasks or benchmarks",
                where=where,
                fix=f"give one for each of its tasks, such as --data {tasks[0]}=PATH",
            )
        if name not in all_names:
            raise missing("task or benchmark", name, filter(None, all_names), where=where)


def unused(names: Iterable[str], specs: Iterable[TaskSpec]) -> tuple[str, ...]:
    """Say of data paths that they are given for what no task here asks about."""
    used = {name for spec in specs for name in (spec.id, spec.data.benchmark)}
    return tuple(
        f"a data path is given for {quoted(name)}, which no task here asks about: it is not read"
        for name in names
        if name not in used
    )


def refuse_unused(names: Iterable[str], spec: TaskSpec) -> None:
    """Refuse a data path for another task than the one that is looked at.

    Raises:
        UserError: for the first of them.
    """
    names = list(names)
    refuse_unknown(names, "--data")
    for note in unused(names, [spec]):
        raise UserError(note, where="--data", fix=f"--data {spec.data.benchmark}=PATH")


def _benchmark(entry: Entry) -> str:
    """Return the benchmark of a spec that may be no sound one."""
    content = entry.document.data
    data = content.get("data") if isinstance(content, dict) else None
    return str(data.get("benchmark") or "") if isinstance(data, dict) else ""


def given_path(spec: TaskSpec, settings: Settings) -> Path | None:
    """Return the path that flags or settings give for a task, by its id or its benchmark's.

    If no path is given and no data source has it, the data of a user's own spec lie beside it.
    """
    keys = (spec.id, spec.data.benchmark)
    path = next((settings.data[key] for key in keys if key in settings.data), None)
    home = own_folder(spec.source) if path is None else None
    if home is None or source_of(spec.data.benchmark, settings.source) is None:
        return path or home
    return None


def remedy(spec: TaskSpec) -> str:
    """Return what to do where a task's data are not: how to get them has a command of its own."""
    sources = plugins().data_sources().values()
    is_drawn = any(spec.data.benchmark in source.benchmarks for source in sources)
    fix = f"--data {spec.id}=FOLDER; how to get them: harness data where {typed(spec)}"
    return f"{fix}; drawn ones: --profile demo" if is_drawn else fix
