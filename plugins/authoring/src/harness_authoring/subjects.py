"""What is under check: a descriptor with its options, and what its kind needs beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.descriptors import Descriptor, Json, parse_options
from harness.errors import UserError, unknown
from harness.guard import Contract
from harness.plugins import Plugins, contract_of, missing, plugins
from harness.targets import load_target

from harness_authoring.contract import NotApplicableError

KINDS: Mapping[str, Callable[[Plugins], Mapping[str, Any]]] = {
    "model": Plugins.models,
    "reader": Plugins.readers,
    "data source": Plugins.data_sources,
    "metric": Plugins.metrics,
    "extractor": Plugins.extractors,
    "answer method": Plugins.answer_methods,
    "perturbation": Plugins.perturbations,
    "recipe": Plugins.recipes,
    "encoder": Plugins.encoders,
    "analysis kind": Plugins.analysis_kinds,
    "executor": Plugins.executors,
    "study kind": Plugins.study_kinds,
    "format": Plugins.formats,
    "figure": Plugins.figures,
    "exporter": Plugins.exporters,
    "submission": Plugins.submissions,
    "command": Plugins.commands,
}
"""Every kind of object that a plugin adds, as messages say it."""

TASK = "task"


def tasks() -> Mapping[str, TaskEntry]:
    """Return the tasks that can be named here, by id."""
    from harness.config.tasks import installed_catalog

    return {name: TaskEntry(name) for name in installed_catalog().entries}


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task in the place of a descriptor: a spec describes itself."""

    id: str


_SHORT = {"method": "answer method", "source": "data source", "study": "study kind"}


@dataclass(slots=True)
class Subject:
    """An object under check.

    Attributes:
        kind: As messages say it, such as ``answer method``.
        options: Every option's value.
        installed: Whether a plugin has added it; otherwise it was given as a descriptor.
        task: A task whose data it is checked on; the first that uses it by default.
        data: Folder of data it is checked on, instead of a task's.
        split: A split of them.
        rest: An encoder's name without its kind.
        cache: What checks have computed for one another.
    """

    kind: str
    descriptor: Any
    options: dict[str, Json]
    installed: bool = True
    task: str = ""
    data: Path | None = None
    split: str = ""
    rest: str = ""
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The descriptor's id."""
        name: str = self.descriptor.id
        return name

    @property
    def contract(self) -> Contract:
        """What blames the plugin for what its object does."""
        return contract_of(self.descriptor)

    def make_plain(self) -> Any:
        """Return a new object of a kind that takes no options.

        Raises:
            PluginError: the factory raises.
        """
        factory = load_target(self.descriptor)
        with self.contract.calling("make"):
            return factory()

    def make(self, *arguments: object, **changed: Json) -> Any:
        """Return a new object, made by its factory from options and further arguments.

        Raises:
            UserError: the factory refuses the options.
            NotApplicableError: as :meth:`making`.
            PluginError: it raises.
        """
        factory = load_target(self.descriptor)
        with self.making(), self.contract.calling("make"):
            return factory({**self.options, **changed}, *arguments)

    @contextmanager
    def making(self) -> Iterator[None]:
        """Skip a check where an object is refused for want of an option without a default.

        Raises:
            NotApplicableError: what is made within raises UserError, and such an option is unset.
        """
        try:
            yield
        except UserError as error:
            unset = [
                option.name
                for option in self.descriptor.options
                if option.default is None and self.options.get(option.name) is None
            ]
            if not unset:
                raise
            wanted = " ".join(f"-o {name}=..." for name in unset)
            raise NotApplicableError(f"it needs {wanted}: {error.message}") from error


def kind_named(text: str) -> str:
    """Return a kind as messages say it, of a word as it is typed.

    Raises:
        UserError: there is no such kind.
    """
    kind = text.strip().lower().replace("_", " ").replace("-", " ")
    kind = _SHORT.get(kind, kind)
    if kind not in {*KINDS, TASK}:
        raise unknown("kind", text, [*KINDS, TASK], where="--kind")
    return kind


def found(name: str, kind: str = "") -> list[tuple[str, Any]]:
    """Return what has an id, or all that a plugin of that name adds, each with its kind.

    Args:
        name: An id, an encoder as ``KIND:REST``, or the name of a plugin.
        kind: Only of this kind.

    Raises:
        UserError: nothing of that name, or several kinds of one id.
        PluginError: its plugin did not load.
    """
    wanted = [kind_named(kind)] if kind else [*KINDS, TASK]
    tables = {kind: tasks() if kind == TASK else KINDS[kind](plugins()) for kind in wanted}
    with_id = [(kind, table[name]) for kind, table in tables.items() if name in table]
    prefix, colon, _ = name.partition(":")
    if colon and prefix in tables.get("encoder", {}):
        return [("encoder", tables["encoder"][prefix])]
    if len(with_id) > 1:
        kinds = " and ".join(f"{'an' if kind[0] in 'ae' else 'a'} {kind}" for kind, _ in with_id)
        raise UserError(
            f"{name!r} is {kinds}",
            fix=f"harness plugin check {name} --kind {with_id[0][0].replace(' ', '-')}",
        )
    if with_id:
        return with_id
    for info in plugins().infos:
        if info.name == name and info.status == "loaded" and info.name != "core":
            of_plugin = [
                (kind, descriptor)
                for kind, table in tables.items()
                for descriptor in table.values()
                if isinstance(descriptor, Descriptor) and plugins().adding(descriptor) is info
            ]
            if of_plugin:
                return of_plugin
            raise UserError(f"plugin {name!r} adds no object that has a kit", fix="harness plugins")
    every = {name for table in tables.values() for name in table}
    raise missing(wanted[0] if kind else "plugin or id", name, every)


def subject_of(
    kind: str, descriptor: Descriptor | TaskEntry, given: Mapping[str, Json], **beside: Any
) -> Subject:
    """Return what is checked, its options parsed.

    Args:
        kind: Its kind.
        descriptor: What describes it.
        given: Options, as typed.
        beside: Further attributes of :class:`Subject`.

    Raises:
        UserError: an option that it does not know, or a value of the wrong type.
    """
    declared = getattr(descriptor, "options", ())
    options = parse_options(declared, given, owner=f"{kind} {descriptor.id!r}")
    if isinstance(descriptor, TaskEntry):
        return Subject(kind, descriptor, dict(given), **beside)
    installed = plugins().adding(descriptor) is not None
    return Subject(kind, descriptor, options, installed=installed, **beside)
