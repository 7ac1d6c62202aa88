"""Discovery, isolation, blocking and listing of plugins.

Each entry point of the group ``harness`` loads in isolation: one that raises, lacks a dependency,
misspells a hook or repeats an id costs its own features and a line in ``harness plugins``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

from harness import descriptors as kinds
from harness import hookspecs
from harness._version import __version__
from harness.descriptors import Descriptor, SpecFolder, load_target, parse_options
from harness.errors import PluginError, nearest, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.descriptors import (
        AnswerMethodDescriptor,
        CommandDescriptor,
        DataSourceDescriptor,
        ExtractorDescriptor,
        FormatDescriptor,
        Json,
        MetricDescriptor,
        ModelDescriptor,
        ReaderDescriptor,
        RecipeDescriptor,
    )

GROUP = hookspecs.PROJECT
BLOCK_VARIABLE = "HARNESS_BLOCK_PLUGINS"
hookimpl = pluggy.HookimplMarker(hookspecs.PROJECT)

_COLLECTED = {
    "models": "harness_models",
    "readers": "harness_readers",
    "data sources": "harness_data_sources",
    "metrics": "harness_metrics",
    "extractors": "harness_extractors",
    "answer methods": "harness_answer_methods",
    "recipes": "harness_recipes",
    "formats": "harness_leaderboard_formats",
    "commands": "harness_commands",
}
_KINDS: dict[str, type[Descriptor]] = {
    "models": kinds.ModelDescriptor,
    "readers": kinds.ReaderDescriptor,
    "data sources": kinds.DataSourceDescriptor,
    "metrics": kinds.MetricDescriptor,
    "extractors": kinds.ExtractorDescriptor,
    "answer methods": kinds.AnswerMethodDescriptor,
    "recipes": kinds.RecipeDescriptor,
    "formats": kinds.FormatDescriptor,
    "commands": kinds.CommandDescriptor,
}
D = TypeVar("D", bound=Descriptor)


@dataclass(slots=True)
class PluginInfo:
    """What ``harness plugins`` prints of one plugin.

    Attributes:
        name: Entry-point name; ``core`` is the harness itself.
        status: ``loaded``, ``failed`` or ``blocked``.
        adds: Kind of object to the ids it adds.
        problem: Why it failed, in one line.
    """

    name: str
    distribution: str
    version: str
    status: str = "loaded"
    adds: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""


class Plugins:
    """All loaded plugins, with one typed method a kind of object.

    Args:
        blocked: Entry-point names not to load; ``*`` blocks every one but the core.
        points: Entry points to load instead of the installed ones (tests).
    """

    def __init__(
        self, blocked: Iterable[str] = (), points: Iterable[EntryPoint] | None = None
    ) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._objects: dict[str, dict[str, tuple[Descriptor, PluginInfo]]] = {
            kind: {} for kind in _COLLECTED
        }
        self._spec_folders: list[SpecFolder] = []
        self._reported: set[str] = set()
        self.infos: list[PluginInfo] = []
        self._blocked = frozenset(blocked)
        self._load_core()
        found = entry_points(group=GROUP) if points is None else points
        for point in sorted(found, key=lambda point: point.name):
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

    def recipes(self) -> Mapping[str, RecipeDescriptor]:
        """Training recipes by id."""
        return cast("Mapping[str, RecipeDescriptor]", self._of("recipes"))

    def formats(self) -> Mapping[str, FormatDescriptor]:
        """Leaderboard formats by id."""
        return cast("Mapping[str, FormatDescriptor]", self._of("formats"))

    def commands(self) -> Mapping[str, CommandDescriptor]:
        """Sub-commands by name."""
        return cast("Mapping[str, CommandDescriptor]", self._of("commands"))

    def spec_folders(self) -> tuple[SpecFolder, ...]:
        """Folders of task specs, the core's first."""
        return tuple(self._spec_folders)

    def distribution_of(self, descriptor: Descriptor) -> str:
        """Return ``distribution version`` of the plugin that added a descriptor."""
        for objects in self._objects.values():
            held = objects.get(descriptor.id)
            if held is not None and held[0] is descriptor:
                return f"{held[1].distribution} {held[1].version}"
        raise KeyError(descriptor.id)

    def notify(self, hook: str, event: object) -> str | None:
        """Call a life-cycle hook on every plugin.

        Returns:
            A line about the first plugin that raised and was not reported before, or ``None``.
        """
        problem = None
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            try:
                implementation.function(event)
            except Exception as error:  # noqa: BLE001  a listener must never cost the run
                name = implementation.plugin_name
                if name not in self._reported:
                    self._reported.add(name)
                    problem = f"plugin {name!r} failed in {hook}: {_line(error)}"
        return problem

    # --- loading -----------------------------------------------------------------------------

    def _of(self, kind: str) -> dict[str, Descriptor]:
        return {name: held[0] for name, held in self._objects[kind].items()}

    def _load_core(self) -> None:
        from harness import builtin

        info = PluginInfo("core", "social-harness", __version__)
        self.infos.append(info)
        self._register(builtin, info)

    def _load(self, point: EntryPoint) -> None:
        distribution = point.dist
        info = PluginInfo(
            point.name,
            distribution.name if distribution else "?",
            distribution.version if distribution else "?",
        )
        self.infos.append(info)
        if point.name in self._blocked or "*" in self._blocked:
            info.status = "blocked"
            return
        try:
            self._refuse_repeated_name(info)
            self._register(point.load(), info)
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a stranger's module raises
            info.status, info.problem, info.adds = "failed", _line(error), {}
            self._forget(point.name)

    def _refuse_repeated_name(self, info: PluginInfo) -> None:
        for held in self.infos:
            if held is not info and held.name == info.name:
                raise PluginError(
                    f"plugin name {info.name!r} is taken: used by {held.distribution} and by "
                    f"{info.distribution}"
                )

    def _forget(self, name: str) -> None:
        """Unregister a plugin that failed, unless its name is that of one that did not."""
        loaded = any(info.name == name and info.status == "loaded" for info in self.infos)
        if not loaded and self._manager.has_plugin(name):
            self._manager.unregister(name=name)

    def _register(self, module: Any, info: PluginInfo) -> None:
        self._manager.register(module, name=info.name)
        self._refuse_misspelt_hooks(module)
        found = {kind: self._collect(hook, info, _KINDS[kind]) for kind, hook in _COLLECTED.items()}
        folders = self._collect("harness_task_specs", info, SpecFolder)
        for kind, descriptors in found.items():
            self._refuse_repeated_ids(kind, descriptors, info)
        for kind, descriptors in found.items():
            for descriptor in descriptors:
                self._objects[kind][descriptor.id] = (descriptor, info)
            if descriptors:
                info.adds[kind] = [descriptor.id for descriptor in descriptors]
        self._spec_folders.extend(folders)
        if folders:
            info.adds["task specs"] = [folder.path.name for folder in folders]

    def _collect(self, hook: str, info: PluginInfo, kind: type) -> list[Any]:
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin_name == info.name:
                found = list(implementation.function())
                for held in found:
                    if not isinstance(held, kind):
                        raise PluginError(
                            f"{hook} returns {type(held).__name__}, not {kind.__name__}"
                        )
                return found
        return []

    def _refuse_misspelt_hooks(self, module: Any) -> None:
        known = [name for name in dir(hookspecs) if name.startswith("harness_")]
        for caller in self._manager.get_hookcallers(module) or ():
            if not caller.has_spec():
                raise PluginError(
                    f"there is no hook {caller.name!r}; {nearest(caller.name, known)}"
                )

    def _refuse_repeated_ids(
        self, kind: str, descriptors: list[Descriptor], info: PluginInfo
    ) -> None:
        seen: set[str] = set()
        for descriptor in descriptors:
            held = self._objects[kind].get(descriptor.id)
            if held is not None:
                raise PluginError(
                    f"{kind} id {descriptor.id!r} is taken: added by {held[1].distribution} "
                    f"and by {info.distribution}"
                )
            if descriptor.id in seen:
                raise PluginError(f"{kind} id {descriptor.id!r} is added twice")
            seen.add(descriptor.id)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}"


_extra_blocked: set[str] = set()


def block(names: Iterable[str]) -> None:
    """Block plugins by name for the rest of this process; call it before plugins are used."""
    _extra_blocked.update(names)
    plugins.cache_clear()


@cache
def plugins() -> Plugins:
    """Return the loaded plugins of this process, less those blocked by flag or environment."""
    named = os.environ.get(BLOCK_VARIABLE, "")
    return Plugins(
        blocked={*_extra_blocked, *(name.strip() for name in named.split(",") if name.strip())}
    )


def find(kind: str, name: str, known: Mapping[str, D]) -> D:
    """Return the object called ``name``.

    Raises:
        PluginError: when its plugin is known but failed, is blocked or is not installed.
        UserError: when nothing of that name is known (with near misses).
    """
    if name in known:
        return known[name]
    for info in plugins().infos:
        if info.name == name and info.status != "loaded":
            raise PluginError(
                f"{kind} {name!r} is not there: plugin {info.name!r} of {info.distribution} is "
                f"{info.status}" + (f": {info.problem}" if info.problem else ""),
                fix="harness plugins",
            )
    first_party = {"model": FIRST_PARTY_MODELS, "data source": FIRST_PARTY_SOURCES}.get(kind, {})
    if name in first_party:
        raise PluginError(
            f"{kind} {name!r} is not installed", fix=f"pip install {first_party[name]}"
        )
    raise unknown(kind, name, known)


# What this project ships as plugins of their own, so that a missing one names its remedy.
FIRST_PARTY_MODELS = {
    name: f"social-harness-{name.replace('_', '-')}"
    for name in ("bunny", "hf_vlm", "llava", "open_clip", "openai_api", "qwen_vl", "socialfusion")
}
FIRST_PARTY_SOURCES = {"demo_world": "social-harness-demo-world"}


def make(
    kind: str,
    name: str,
    known: Mapping[str, ReaderDescriptor | MetricDescriptor | ExtractorDescriptor],
    given: Mapping[str, Json],
    *arguments: object,
) -> Any:
    """Return the object called ``name``, made by its factory from options and ``arguments``.

    Raises:
        PluginError: as :func:`find` and :func:`harness.descriptors.load_target`.
        UserError: nothing of that name, an unknown option, or a value of the wrong type.
    """
    descriptor = find(kind, name, known)
    options = parse_options(descriptor.options, given, owner=f"{kind} {name!r}")
    return load_target(descriptor)(options, *arguments)
