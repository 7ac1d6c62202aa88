"""What a study of degradation is, as its file says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.config.tasks import installed_catalog
from harness.descriptors import Json, ModelDescriptor, parse_options
from harness.errors import UserError, unknown
from harness.plugins import missing, plugins
from harness.specs.schema import schema_problems
from harness.specs.yaml_loader import Document

KIND = "degradation"
BEFORE = "before"
SCHEMA = ("harness_social_degradation", "degradation.schema.json")


@dataclass(frozen=True, slots=True)
class Continued:
    """A training that changes the vision tower; ``rate`` wins over the study's."""

    label: str
    tasks: tuple[str, ...]
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for in towers: tasks in question, and controls; both without groups."""

    tasks: tuple[str, ...]
    controls: tuple[str, ...] = ()
    limit: int | None = None
    layers: str = "-1"
    pooling: str = "mean"


@dataclass(frozen=True, slots=True)
class Compared:
    """Joint against single training with the towers before and after.

    Attributes:
        after: Label of the continued training whose tower is taken.
        limit: Samples to evaluate on.
        gradients: Settings of the gradients' conflict; ``None`` leaves it out.
    """

    tasks: tuple[str, ...]
    after: str
    training: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    gradients: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradationStudy:
    """A study; fields are those of ``degradation.schema.json``, ``text`` is the file's."""

    id: str
    title: str
    note: str
    profile: str | None
    model: str
    options: Mapping[str, Json]
    seeds: tuple[int, ...]
    continued: tuple[Continued, ...]
    training: Mapping[str, Any]
    probe: Looked
    transfer: Compared | None
    text: str = ""

    def plan(self) -> list[str]:
        """Return a line for each kind of part, for people."""
        seeds = len(self.seeds)
        labels = ", ".join(one.label for one in self.continued)
        looked = (*self.probe.tasks, *self.probe.controls)
        lines = [
            f"{len(self.continued) * seeds} trainings with the tower unfrozen: {labels}",
            f"{(len(self.continued) + 1) * len(looked) * seeds} probes: {', '.join(looked)}",
        ]
        if self.transfer is not None:
            tasks = len(self.transfer.tasks)
            lines.append(
                f"{2 * seeds * (tasks + 1)} trainings on tasks, one by one and jointly, and as "
                f"many evaluations, on the towers {BEFORE} and {self.transfer.after}"
            )
            if self.transfer.gradients is not None:
                lines.append(f"{2 * seeds} measurements of gradients")
        return lines


def read_degradation(document: Document) -> DegradationStudy:
    """Return a study.

    Raises:
        UserError: at ``file:line:column``: not valid, or a name that is not there.
    """
    problems = schema_problems(document, SCHEMA)
    if problems:
        raise problems[0]
    raw: Any = document.data
    model = raw["model"]["model"]
    if model not in plugins().models():
        where = document.where(("model", "model"))
        raise missing("model", model, plugins().models(), where=where)
    _check_options(document, plugins().models()[model], dict(raw["model"].get("options", {})))
    names = _Names(document)
    continued = tuple(
        Continued(
            entry["label"], names.of(("continued", at, "tasks"), entry["tasks"]), entry.get("rate")
        )
        for at, entry in enumerate(raw["continued"])
    )
    labels = [entry.label for entry in continued]
    for at, label in enumerate(labels):
        if label == BEFORE or label in labels[:at]:
            where = document.where(("continued", at, "label"))
            raise UserError(f"the label {label!r} is repeated or reserved", where=where)
    looked = raw["probe"]
    return DegradationStudy(
        id=raw["study"],
        title=raw["title"],
        note=raw.get("note", ""),
        profile=raw.get("profile"),
        model=model,
        options=raw["model"].get("options", {}),
        seeds=tuple(raw.get("seeds", (0,))),
        continued=continued,
        training=raw.get("training", {}),
        probe=Looked(
            **{
                **looked,
                "tasks": names.of(("probe", "tasks"), looked["tasks"]),
                "controls": names.of(("probe", "controls"), looked.get("controls", ())),
            }
        ),
        transfer=_compared(document, names, raw.get("transfer"), labels),
        text="" if document.path is None else document.path.read_text("utf-8"),
    )


def _check_options(document: Document, model: ModelDescriptor, options: dict[str, Json]) -> None:
    """Check the names and values of a model's options.

    Raises:
        UserError: at the options: one that the model does not have, or a value it cannot have.
    """
    path = ("model", "options")
    preset = options.pop("preset", None)
    if preset is not None and str(preset) not in model.presets:
        where = document.where((*path, "preset"))
        raise unknown(f"preset of model {model.id!r}", str(preset), model.presets, where=where)
    try:
        parse_options(model.options, options, owner=f"model {model.id!r}")
    except UserError as error:
        raise UserError(error.message, where=document.where(path), fix=error.fix) from None


def _compared(document: Document, names: _Names, raw: Any, labels: list[str]) -> Compared | None:
    if raw is None:
        return None
    if raw["after"] not in labels:
        where = document.where(("transfer", "after"))
        raise unknown("label of a continued training", raw["after"], labels, where=where)
    tasks = names.of(("transfer", "tasks"), raw["tasks"])
    if len(tasks) < 2:
        where = document.where(("transfer", "tasks"))
        raise UserError("joint training needs at least two tasks", where=where)
    return Compared(**{**raw, "tasks": tasks})


class _Names:
    """Replaces groups by their tasks; an unknown name is an error at its line."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._catalog = installed_catalog()

    def of(self, path: tuple[str | int, ...], names: Any) -> tuple[str, ...]:
        entries = {**self._catalog.entries, **self._catalog.group_entries}
        for at, name in enumerate(names):
            if name not in entries and name not in self._catalog.broken:
                where = self._document.where((*path, at))
                raise missing("task or group", name, entries, where=where)
        return tuple(dict.fromkeys(self._catalog.expand(list(names)))) if names else ()
