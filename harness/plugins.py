"""Discovery, isolation, blocking and listing of plugins.

Each entry point of the group ``harness`` loads in isolation: one that raises, lacks a dependency,
misspells a hook or repeats an id costs its own features and a line in ``harness plugins``.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar, Token
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

from harness import descriptors as kinds
from harness import hookspecs
from harness._version import __version__
from harness.descriptors import Descriptor, SpecFolder
from harness.errors import (
    FAULTS,
    HarnessError,
    PluginError,
    error_text,
    nearest,
    show_traceback,
    unknown,
)
from harness.guard import Contract
from harness.packages import package_of, packaged_plugins
from harness.plugin_code import Code, code_hash, modules_of
from harness.plugin_info import PluginInfo, descriptors_of, line_of, lost_ids, package_name

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from harness.descriptors import (
        AnalysisDescriptor,
        AnswerMethodDescriptor,
        CommandDescriptor,
        DataSourceDescriptor,
        EncoderDescriptor,
        ExecutorDescriptor,
        ExporterDescriptor,
        ExtractorDescriptor,
        FigureDescriptor,
        FormatDescriptor,
        MetricDescriptor,
        ModelDescriptor,
        PerturbationDescriptor,
        ReaderDescriptor,
        RecipeDescriptor,
        StudyDescriptor,
        SubmissionDescriptor,
        TrackerDescriptor,
    )

GROUP = hookspecs.PROJECT
BLOCK_VARIABLE = "HARNESS_BLOCK_PLUGINS"
hookimpl = pluggy.HookimplMarker(hookspecs.PROJECT)

_KINDS: dict[str, tuple[str, type[Descriptor]]] = {
    "models": ("harness_models", kinds.ModelDescriptor),
    "readers": ("harness_readers", kinds.ReaderDescriptor),
    "data sources": ("harness_data_sources", kinds.DataSourceDescriptor),
    "metrics": ("harness_metrics", kinds.MetricDescriptor),
    "extractors": ("harness_extractors", kinds.ExtractorDescriptor),
    "answer methods": ("harness_answer_methods", kinds.AnswerMethodDescriptor),
    "perturbations": ("harness_perturbations", kinds.PerturbationDescriptor),
    "recipes": ("harness_recipes", kinds.RecipeDescriptor),
    "analysis kinds": ("harness_analyses", kinds.AnalysisDescriptor),
    "encoders": ("harness_encoders", kinds.EncoderDescriptor),
    "executors": ("harness_executors", kinds.ExecutorDescriptor),
    "trackers": ("harness_trackers", kinds.TrackerDescriptor),
    "study kinds": ("harness_studies", kinds.StudyDescriptor),
    "formats": ("harness_leaderboard_formats", kinds.FormatDescriptor),
    "figures": ("harness_figures", kinds.FigureDescriptor),
    "exporters": ("harness_exporters", kinds.ExporterDescriptor),
    "submissions": ("harness_submissions", kinds.SubmissionDescriptor),
    "commands": ("harness_commands", kinds.CommandDescriptor),
}
_SINGULAR = {kind: name.removesuffix("s") for name, (_, kind) in _KINDS.items()}
_TASKS = {"task", "group", "task or group", "task or benchmark"}
_STATES = {"failed": "does not load", "blocked": "is blocked"}
D = TypeVar("D", bound=Descriptor)


class Plugins:
    """All loaded plugins, with one typed method a kind of object.

    Args:
        blocked: Entry-point names not to load; ``*`` blocks every one but the core.
        points: Entry points to load instead of the installed ones.

    Attributes:
        core: The harness itself, as a plugin.
        infos: Every plugin that was found, the core first.
        blocked: Names that were not loaded on request.
        is_of_environment: Whether it holds what is installed, so that another process can load it.
    """

    def __init__(
        self, blocked: Iterable[str] = (), points: Iterable[EntryPoint] | None = None
    ) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._objects: dict[str, dict[str, tuple[Descriptor, PluginInfo]]] = {
            kind: {} for kind in _KINDS
        }
        self._spec_folders: list[SpecFolder] = []
        self.missed: Counter[str] = Counter()
        self._points: dict[str, EntryPoint] = {}
        self._codes: dict[str, Code] = {}
        self._packages: dict[str, PluginInfo | None] = {"harness": None}
        self.core = PluginInfo("core", "social-harness", __version__)
        self.infos = [self.core]
        self.blocked = frozenset(blocked)
        self.is_of_environment = points is None
        self._load_core()
        entries = entry_points(group=GROUP) if points is None else points
        for point in sorted(entries, key=lambda point: point.name):
            self._load(point)

    # --- what plugins add --------------------------------------------------------------------

    def models(self) -> Mapping[str, ModelDescriptor]:
        """Models by id."""
        return cast("Mapping[str, ModelDescriptor]", self._of("models"))

    def readers(self) -> Mapping[str, ReaderDescriptor]:
        """Readers by id."""
        return cast("Mapping[str, ReaderDescriptor]", self._of("readers"))

    def data_sources(self) -> Mapping[str, DataSourceDescriptor]:
        """Data sources by id."""
        return cast("Mapping[str, DataSourceDescriptor]", self._of("data sources"))

    def metrics(self) -> Mapping[str, MetricDescriptor]:
        """Metrics by id."""
        return cast("Mapping[str, MetricDescriptor]", self._of("metrics"))

    def extractors(self) -> Mapping[str, ExtractorDescriptor]:
        """Extractors by id."""
        return cast("Mapping[str, ExtractorDescriptor]", self._of("extractors"))

    def answer_methods(self) -> Mapping[str, AnswerMethodDescriptor]:
        """Answer-time methods by id."""
        return cast("Mapping[str, AnswerMethodDescriptor]", self._of("answer methods"))

    def perturbations(self) -> Mapping[str, PerturbationDescriptor]:
        """Perturbations of images by id."""
        return cast("Mapping[str, PerturbationDescriptor]", self._of("perturbations"))

    def recipes(self) -> Mapping[str, RecipeDescriptor]:
        """Training recipes by id."""
        return cast("Mapping[str, RecipeDescriptor]", self._of("recipes"))

    def analysis_kinds(self) -> Mapping[str, AnalysisDescriptor]:
        """Kinds of analysis by id."""
        return cast("Mapping[str, AnalysisDescriptor]", self._of("analysis kinds"))

    def encoders(self) -> Mapping[str, EncoderDescriptor]:
        """Kinds of visual encoder by id."""
        return cast("Mapping[str, EncoderDescriptor]", self._of("encoders"))

    def executors(self) -> Mapping[str, ExecutorDescriptor]:
        """Executors by id."""
        return cast("Mapping[str, ExecutorDescriptor]", self._of("executors"))

    def trackers(self) -> Mapping[str, TrackerDescriptor]:
        """Trackers of runs by id."""
        return cast("Mapping[str, TrackerDescriptor]", self._of("trackers"))

    def study_kinds(self) -> Mapping[str, StudyDescriptor]:
        """Kinds of study by id."""
        return cast("Mapping[str, StudyDescriptor]", self._of("study kinds"))

    def formats(self) -> Mapping[str, FormatDescriptor]:
        """Leaderboard formats by id."""
        return cast("Mapping[str, FormatDescriptor]", self._of("formats"))

    def figures(self) -> Mapping[str, FigureDescriptor]:
        """Figures of ``harness plot`` by id."""
        return cast("Mapping[str, FigureDescriptor]", self._of("figures"))

    def exporters(self) -> Mapping[str, ExporterDescriptor]:
        """Exchange formats of records by id."""
        return cast("Mapping[str, ExporterDescriptor]", self._of("exporters"))

    def submissions(self) -> Mapping[str, SubmissionDescriptor]:
        """Files of benchmarks' servers by benchmark."""
        return cast("Mapping[str, SubmissionDescriptor]", self._of("submissions"))

    def commands(self) -> Mapping[str, CommandDescriptor]:
        """Sub-commands by name."""
        return cast("Mapping[str, CommandDescriptor]", self._of("commands"))

    def spec_folders(self) -> tuple[SpecFolder, ...]:
        """Folders of task specs, the core's first."""
        return tuple(self._spec_folders)

    def distribution_of(self, descriptor: Descriptor) -> str:
        """Return ``distribution version`` of the plugin that added a descriptor, if one did."""
        info = self.adding(descriptor)
        return "none" if info is None else f"{info.distribution} {info.version}"

    def code_of(self, descriptor: Descriptor) -> Code | None:
        """Return the code of the plugin that added a descriptor; ``None`` for the harness itself.

        What the harness ships is known by the versions of its descriptors, and what no plugin adds
        by the files of its target's package.
        """
        info = self.adding(descriptor)
        if info is None:
            module = descriptor.target.partition(":")[0]
            return Code(descriptor.id, "none", "", code_hash([module]))
        point = self._points.get(info.name)
        if point is None:
            return None
        if info.name not in self._codes:
            added = [one for objects in self._objects.values() for one in objects.values()]
            targets = [one.target.partition(":")[0] for one, adder in added if adder is info]
            sha256 = code_hash({point.module, *targets, *modules_of(point.dist)})
            self._codes[info.name] = Code(info.name, info.distribution, info.version, sha256)
        return self._codes[info.name]

    def is_installed(self, descriptor: Descriptor) -> bool:
        """Whether a descriptor is there in every process with the same packages installed."""
        info = self.adding(descriptor)
        return info is not None and (info is self.core or info.name in self._points)

    def adding(self, descriptor: Descriptor) -> PluginInfo | None:
        """Return the plugin that added a descriptor; ``None`` for one that none did."""
        for objects in self._objects.values():
            added = objects.get(descriptor.id)
            if added is not None and added[0] is descriptor:
                return added[1]
        return None

    def notify(self, hook: str, event: object) -> str | None:
        """Call a life-cycle hook on every plugin.

        Returns:
            Who raised and was not reported before, or ``None``.
        """
        problems = []
        caller = getattr(self._manager.hook, hook, None)  # none where no one calls a plugin's hook
        for implementation in caller.get_hookimpls() if caller is not None else ():
            try:
                implementation.function(event)
            except FAULTS as error:  # a listener must never cost the run
                show_traceback(error)
                name = implementation.plugin_name
                self.missed[name] += 1
                if self.missed[name] == 1:
                    who = next((str(info) for info in self.infos if info.name == name), name)
                    problems.append(f"{who} failed in {hook}: {error_text(error)}")
        return "; ".join(problems) or None

    @contextmanager
    def heard_by(self, listener: object, name: str) -> Iterator[None]:
        """Let an object hear life-cycle events as plugins do, for as long as the context lasts."""
        self.missed[name] = 0
        self._manager.register(listener, name=name)
        try:
            yield
        finally:
            self._manager.unregister(name=name)

    def blamed(self, error: BaseException) -> PluginInfo | None:
        """Return the plugin in whose code an exception was raised, ``None`` for the harness's own.

        It is the plugin that the harness called last on the way there.
        """
        package = None
        trace = error.__traceback__
        while trace is not None:
            module = str(trace.tb_frame.f_globals.get("__name__", ""))
            package = self._packages.get(module.partition(".")[0], package)
            trace = trace.tb_next
        return package

    # --- loading -----------------------------------------------------------------------------

    def _of(self, kind: str) -> dict[str, Descriptor]:
        return {name: held[0] for name, held in self._objects[kind].items()}

    def _load_core(self) -> None:
        from harness import builtin

        self._register(builtin, self.core)

    def _load(self, point: EntryPoint) -> None:
        distribution = point.dist
        info = PluginInfo(
            point.name,
            distribution.name if distribution else "?",
            distribution.version if distribution else "?",
        )
        self.infos.append(info)
        if point.name in self.blocked or "*" in self.blocked:
            info.status = "blocked"
            return
        try:
            self._refuse_repeated_name(info)
            self._points[point.name] = point
            with redirect_stdout(sys.stderr):  # what it prints is no part of a command's output
                self._register(point.load(), info)
        except FAULTS as error:  # whatever a stranger's module raises
            show_traceback(error)
            info.status, info.problem, info.adds = "failed", line_of(error), {}
            self._forget(point.name)

    def _refuse_repeated_name(self, info: PluginInfo) -> None:
        for other in self.infos:
            if other is not info and other.name == info.name:
                raise PluginError(
                    f"plugin name {info.name!r} is taken: used by {other.distribution} and by "
                    f"{info.distribution}"
                )

    def _forget(self, name: str) -> None:
        """Unregister a plugin that failed, unless its name is that of one that did not."""
        loaded = any(info.name == name and info.status == "loaded" for info in self.infos)
        if not loaded and self._manager.has_plugin(name):
            self._manager.unregister(name=name)

    def _register(self, module: Any, info: PluginInfo) -> None:
        self._manager.register(module, name=info.name)
        collected, fault = self._collect_all(info)
        try:
            if fault is not None:
                raise fault
            self._refuse_misspelt_hooks(module)
            for kind in _KINDS:
                self._refuse_repeated_ids(kind, collected[kind], info)
        except FAULTS:
            info.lost = lost_ids(collected)
            raise
        folders: list[SpecFolder] = collected.pop("task specs")
        if info is not self.core:
            self._packages.setdefault(package_name(module.__name__), info)
        for kind, descriptors in collected.items():
            for descriptor in descriptors:
                self._objects[kind][descriptor.id] = (descriptor, info)
                self._packages.setdefault(package_name(descriptor.target), info)
            if descriptors:
                info.adds[kind] = [descriptor.id for descriptor in descriptors]
        self._spec_folders.extend(folders)
        if folders:
            info.adds["task specs"] = [folder.path.name for folder in folders]

    def _collect_all(self, info: PluginInfo) -> tuple[dict[str, list[Any]], BaseException | None]:
        """Return what each hook of a plugin gives, and what the first that failed raised.

        So a plugin that fails is known by what its other hooks would have added.
        """
        collected: dict[str, list[Any]] = {}
        fault: BaseException | None = None
        every: dict[str, tuple[str, type]] = {
            **_KINDS,
            "task specs": ("harness_task_specs", SpecFolder),
        }
        for kind, (hook, expected) in every.items():
            try:
                collected[kind] = self._collect(hook, info, expected)
            except FAULTS as error:
                fault = fault or error
        return collected, fault

    def _collect(self, hook: str, info: PluginInfo, kind: type) -> list[Any]:
        caller = getattr(self._manager.hook, hook, None)  # none where no one calls a plugin's hook
        for implementation in caller.get_hookimpls() if caller is not None else ():
            if implementation.plugin_name == info.name:
                return descriptors_of(
                    hook, implementation.function, kind, trusted=info is self.core
                )
        return []

    def _refuse_misspelt_hooks(self, module: Any) -> None:
        hooks = [name for name in dir(hookspecs) if name.startswith("harness_")]
        for caller in self._manager.get_hookcallers(module) or ():
            if not caller.has_spec():
                raise PluginError(
                    f"there is no hook {caller.name!r}; {nearest(caller.name, hooks)}"
                )

    def _refuse_repeated_ids(
        self, kind: str, descriptors: list[Descriptor], info: PluginInfo
    ) -> None:
        new_ids: set[str] = set()
        for descriptor in descriptors:
            added = self._objects[kind].get(descriptor.id)
            if added is not None:
                raise PluginError(
                    f"{kind} id {descriptor.id!r} is taken: added by {added[1].distribution} "
                    f"and by {info.distribution}"
                )
            if descriptor.id in new_ids:
                raise PluginError(f"{kind} id {descriptor.id!r} is added twice")
            new_ids.add(descriptor.id)


_extra_blocked: set[str] = set()
ALL = "*"


def block(names: Iterable[str]) -> None:
    """Block plugins by name for the rest of this process; call it before plugins are used."""
    _extra_blocked.update(names)
    plugins.cache_clear()


def blocked_by_environment() -> list[str]:
    """Return the names of plugins that the environment says not to load."""
    names = os.environ.get(BLOCK_VARIABLE, "").split(",")
    return [name.strip() for name in names if name.strip()]


def refuse_unknown_plugins(names: Iterable[str], where: str) -> None:
    """Refuse names of plugins to block that nothing installed has.

    A plugin of this project that is not installed is blocked as well as one can be.

    Raises:
        UserError: for the first of them.
    """
    installed = {info.name for info in plugins().infos} - {"core"}
    for name in names:
        if name not in {*installed, *packaged_plugins(), ALL}:
            raise unknown("plugin", name, installed, where=where)


@cache
def _installed() -> Plugins:
    return Plugins(blocked={*_extra_blocked, *blocked_by_environment()})


class _Registry:
    """The registry of the context that asks: an object, so that what is loaded can be forgotten."""

    def __init__(self) -> None:
        self._bound: ContextVar[Plugins | None] = ContextVar("plugins", default=None)

    def __call__(self) -> Plugins:
        """Return the plugins that :func:`using` bound here, else what is installed.

        Those are loaded once a process, less what flag or environment block.
        """
        return self._bound.get() or _installed()

    def bind(self, registry: Plugins | None) -> Token[Plugins | None]:
        """Let a registry be that of this context; ``None`` stands for what is installed."""
        return self._bound.set(registry)

    def release(self, token: Token[Plugins | None]) -> None:
        """Take back what :meth:`bind` did."""
        self._bound.reset(token)

    @staticmethod
    def cache_clear() -> None:
        """Load what is installed anew when it is next asked for."""
        _installed.cache_clear()


plugins = _Registry()


@contextmanager
def using(registry: Plugins) -> Iterator[Plugins]:
    """Let everything within the block find its plugins in a registry of its own.

    It holds for the code of this thread, or of this asynchronous task, alone: two of them can use
    two registries side by side in one process.

    Example::

        with using(Plugins(blocked=["my_plugin"])):
            harness.run("my_model", "my_task")
    """
    token = plugins.bind(registry)
    try:
        yield registry
    finally:
        plugins.release(token)


def thread_pool(workers: int | None = None) -> ThreadPoolExecutor:
    """Return a pool of threads that find their plugins where this thread does.

    Args:
        workers: Threads at most; as many as suit the machine when ``None``.
    """
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers, initializer=plugins.bind, initargs=(plugins(),))


def find(kind: str, name: str, entries: Mapping[str, D]) -> D:
    """Return the object called ``name``.

    Raises:
        PluginError: when its plugin is known but failed, is blocked or is not installed.
        UserError: when nothing of that name is known (with near misses).
    """
    if name in entries:
        return entries[name]
    raise missing(kind, name, entries)


def missing(
    kind: str, name: str, candidates: Iterable[str], *, where: str | None = None
) -> HarnessError:
    """Return the error for a name that is not among the known ones, with what may have added it.

    Args:
        kind: Such as ``metric``, ``data source``, ``task or group``.
        name: What was asked for.
        candidates: What there is.
        where: Where it was asked for.
    """
    absent = [info for info in plugins().infos if info.status != "loaded"]
    package = package_of(kind, name)
    for info in absent:
        kinds_of = ("tasks",) if kind in _TASKS else (f"{kind}s",)
        known_to_add = package is not None and info.distribution == package
        if (
            info.name == name
            or known_to_add
            or any(name in info.lost.get(one, ()) for one in kinds_of)
        ):
            return PluginError(
                f"{kind} {name!r} is not available: {info} {_STATES[info.status]}"
                + (f": {info.problem}" if info.problem else ""),
                where=where,
                fix="harness plugins",
            )
    if package is not None:
        return PluginError(
            f"{kind} {name!r} is not installed", where=where, fix=f"pip install {package}"
        )
    error = unknown(kind, name, candidates, where=where)
    if absent:
        names = ", ".join(f"{info.name} ({info.status})" for info in absent[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        error.fix += f"; a plugin that is not loaded may add it: {names}{more} (harness plugins)"
    return error


def contract_of(descriptor: Descriptor, kind: type[PluginError] = PluginError) -> Contract:
    """Return the contract of what a descriptor describes; ``kind`` is what a breach raises."""
    noun = _SINGULAR.get(type(descriptor), "object")
    info = plugins().adding(descriptor)
    return Contract(
        f"{noun} {descriptor.id!r}", "" if info is None else str(info), descriptor.target, kind
    )


def is_heard(method: object, name: str) -> bool:
    """Whether a method is marked to receive an event, and has the name of one."""
    return hasattr(hookspecs, name) and hasattr(method, f"{GROUP}_impl")
