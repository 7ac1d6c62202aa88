"""A task spec checked on its data, as a run's plan reads them; each problem at the spec's key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.config.data import given_path
from harness.config.settings import load_settings
from harness.config.tasks import own_folder
from harness.descriptors import Json
from harness.errors import HarnessError, UserError
from harness.evaluation.few_shot import choose_shots
from harness.evaluation.plan import Selection, TaskPlan, plan_task
from harness.evaluation.task import Task
from harness.readers.guard import make_reader
from harness.specs.loader import with_options
from harness.specs.prompt import Shot, build_turns, options_as_sent, render_answer
from harness.specs.yaml_loader import Document, Key

_NAMED = re.compile(r"^unit$|\b(?:answer|ask|data|metrics|prompt|slices)(?:\.\w+)+")
_QUOTED = re.compile(r"'([^']+)'")

At = tuple[Key, ...]


@dataclass
class OnData:
    """What the data of specs say.

    Attributes:
        problems: What a run would refuse, at the spec's place.
        notes: What a run would say in its plan, and whose data were not looked at.
        unread: Names of specs for which nothing says where their data lie.
    """

    problems: list[HarnessError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def check(self, document: Document) -> None:
        """Check a valid spec's reader, and its data if they are there."""
        spec, settings = with_options(document, {}), load_settings()
        try:
            with _placed(document, ("data", "reader"), ""):
                make_reader(spec.data.reader, spec.data.options, spec.unit, spec.labels)
            folder = given_path(spec, settings)
            if folder is None or not folder.exists():
                self.unread.append(spec.id)
                return
            task = Task(spec, settings)
            with _placed(document, ("data", "options", "file"), str(folder)):
                files = task.reader.annotations(task.located.root, spec.data.split)
            missing = [name for name in files if not task.located.root.is_file(name)]
            if missing and folder == own_folder(spec.source) and folder not in {
                *settings.data.values()
            }:  # fmt: skip
                self.notes.append(
                    f"{document.name}: its data were not read: there is no {missing[0]} in {folder}"
                )
                return
            self._samples(document, task, str(folder))
        except HarnessError as error:
            self.problems.append(error)

    def _samples(self, document: Document, task: Task, folder: str) -> None:
        spec = task.spec
        with _placed(document, ("prompt", "shots"), folder):
            shots = choose_shots(task, 0)
        with _placed(document, ("data", "options", "file"), folder):
            plan = plan_task(task, Selection(), [sample.id for sample in shots])
        sample = next(iter(task.samples()))
        with _placed(document, ("prompt", "template"), folder):
            build_turns(spec, sample, (), [Shot(shown) for shown in shots])
        with _placed(document, ("ask", "choose", "text"), folder):
            options_as_sent(spec, sample)
        with _placed(document, ("answer",), folder):
            if sample.target is not None:
                render_answer(spec, sample.target)
        self.notes += _notes(document, plan)


def _notes(document: Document, plan: TaskPlan) -> Iterator[str]:
    names = list(plan.task.spec.slices)
    for name, near in plan.empty_slices.items():
        where = document.where(("slices", names.index(name)))
        yield f"{where}: no sample has a value of the slice {name!r}; {near or 'no sample has any'}"
    for what, count in plan.left_out.items():
        yield f"{document.name}: left out: {what} ({count:,})"


@contextmanager
def _placed(document: Document, usual: At, folder: str) -> Iterator[None]:
    """Name an error of a run at the key of the spec that it is about.

    That is the key that the error itself names, and within it the entry with a value that the
    error quotes; else the usual one of this step.
    """
    try:
        yield
    except HarnessError as error:
        where = str(error.where or "")
        named = _NAMED.search(where) or _NAMED.search(error.message)
        path: At = tuple(named[0].split(".")) if named else usual
        if not named and re.search(r": sample |\bprompt\b", where):
            path = ("prompt", "template")
        elif not named and "split" in error.message:
            path = ("data", "split")
        path = _there(document.data, path)
        path = _entry(document.data, path, _QUOTED.findall(error.message))
        about = error.message if (named and where == named[0]) or not where else (
            f"{where}: {error.message}"
        )  # fmt: skip
        # A file of the data names its folder itself.
        place = "on the data" if about.startswith(folder) else f"on the data in {folder}"
        message = (f"{place}: " if folder else "") + " ".join(about.split())
        raise UserError(message, where=document.where(path), fix=error.fix) from None


def _there(data: Json, path: At) -> At:
    """Return a path without the keys in its end that the spec does not have."""
    table: Any = data
    for depth, key in enumerate(path):
        if not isinstance(table, dict) or key not in table:
            return path[:depth]
        table = table[key]
    return path


def _entry(data: Json, path: At, quoted: Sequence[str]) -> At:
    """Return the path of the first value below a path that is one of the texts, or the path."""
    table: Any = data
    for key in path:
        table = table[key]
    return next((inner for inner, value in _values(table, path) if value in quoted), path)


def _values(value: Any, path: At) -> Iterator[tuple[At, Any]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from _values(inner, (*path, key))
    elif isinstance(value, str):
        yield path, value
