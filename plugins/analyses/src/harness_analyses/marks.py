"""Marks of an analysis: those of its model, of its training and of its data."""

from __future__ import annotations

from collections.abc import Sequence

from harness.descriptors import Json
from harness.evaluation.model import ConfiguredModel
from harness.evaluation.task import Task


def marks_of(subject: ConfiguredModel, tasks: Sequence[Task], *, limited: bool = False) -> Json:
    """Return the marks that a model, its training and tasks' data put on an analysis."""
    trained = subject.checkpoint.marks if subject.checkpoint is not None else ()
    data = (mark for task in tasks for mark in task.located.marks)
    part = ("limited",) if limited else ()
    return [*sorted({*subject.marks, *trained, *data, *part})]
