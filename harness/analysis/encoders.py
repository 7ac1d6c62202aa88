"""The contract of visual encoders: ``KIND:REST`` names one, a plugin adds the kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.config.settings import Settings
from harness.descriptors import Json
from harness.evaluation.task import Task
from harness.models import Runtime


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder that is found but not loaded.

    Attributes:
        name: As the user wrote it.
        identity: Everything that can change its features, as plain data.
        load: Loads its weights, onto the device and in evaluation mode, as a
            :class:`harness_analyses.towers.Tower`.
        marks: Marks that its training data or preset put on results.
    """

    name: str
    identity: Mapping[str, Json]
    load: Callable[[], Any]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EncoderRequest:
    """What a kind of encoder is asked to find.

    Attributes:
        name: As the user wrote it.
        rest: The name without its kind.
        settings: For options of models.
        runtime: Device, dtype and cache.
        task: Any task, for models that are made for one.
    """

    name: str
    rest: str
    settings: Settings
    runtime: Runtime
    task: Task

    @property
    def dtype(self) -> str:
        """The dtype of the weights as an encoder's identity names it."""
        return "float32" if self.runtime.dtype == "auto" else self.runtime.dtype


FindEncoder = Callable[[EncoderRequest], Encoder]
"""The target of a :class:`harness.descriptors.EncoderDescriptor`: finds an encoder by its name.

It raises :class:`harness.errors.UserError` for a name, file or model that is not there.
"""
