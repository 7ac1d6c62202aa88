"""Names of visual encoders, and what tells one from another. Light: weights load in ``towers``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.config.settings import Settings
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.model import configure_model
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.models.guard import require_offer
from harness.resources import home_path
from harness.training.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from harness.analysis.towers import Tower

_FIX = (
    "open_clip:NAME:TAG, open_clip:local-dir:PATH, hf:FOLDER_OR_HUB_ID, "
    "or model:ID,key=value,... (the vision tower of a model)"
)
_LOCAL = "local-dir:"
_CHECKPOINT = "checkpoint"


class Loader(Protocol):
    """Loads an encoder's weights."""

    def __call__(self) -> Tower:
        """Return it on its device, in evaluation mode."""
        ...


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder that is found but not loaded.

    Attributes:
        name: As the user wrote it.
        identity: Everything that can change its features.
        load: Loads its weights.
        marks: Marks that its training data or preset put on results.
    """

    name: str
    identity: Mapping[str, Json]
    load: Callable[[], Tower]
    marks: tuple[str, ...] = ()


def find_encoder(name: str, settings: Settings, runtime: Runtime, task: Task) -> Encoder:
    """Find an encoder by name.

    Args:
        name: ``open_clip:...``, ``hf:...`` or ``model:...``.
        settings: For options of models.
        runtime: Device and number type.
        task: Any task, for models that are made for one.

    Raises:
        UserError: an unknown kind, a file that is not there, a model without a vision tower.
    """
    kind, colon, rest = name.partition(":")
    if colon and rest and kind == "open_clip":
        return _open_clip(name, rest, runtime)
    if colon and rest and kind == "hf":
        return _transformers(name, rest, runtime)
    if colon and rest and kind == "model":
        return _model(name, rest, settings, runtime, task)
    raise UserError(f"{name!r} names no encoder", fix=_FIX)


def _open_clip(name: str, rest: str, runtime: Runtime) -> Encoder:
    from harness.engine.weights import hash_files

    about: dict[str, Json] = {"kind": "open_clip", "dtype": _dtype(runtime)}
    if rest.startswith(_LOCAL):
        folder = home_path(rest.removeprefix(_LOCAL))
        files = [path for pattern in ("*.json", "open_clip_*") for path in folder.glob(pattern)]
        if not (folder / "open_clip_config.json").is_file():
            raise UserError("no open_clip encoder: it has no open_clip_config.json", where=folder)
        about["sha256"] = hash_files(set(files), runtime.cache)
        rest = f"{_LOCAL}{folder}"
    elif not all(rest.partition(":")):
        raise UserError(f"{name!r} lacks its tag", fix="open_clip:ViT-B-32:openai, for example")
    else:
        about |= {"name": rest, "version": importlib.metadata.version("open_clip_torch")}

    def load() -> Tower:
        from harness.analysis import towers

        return towers.of_open_clip(rest, runtime)

    return Encoder(name, about, load)


def _transformers(name: str, rest: str, runtime: Runtime) -> Encoder:
    from harness.engine.checkpoints import open_checkpoint as open_release
    from harness.engine.checkpoints import refuse_remote_code

    source = open_release(rest)
    refuse_remote_code(source)
    about: dict[str, Json] = {"kind": "hf", "dtype": _dtype(runtime)}
    about |= source.identity(runtime.cache)

    def load() -> Tower:
        from harness.analysis import towers

        return towers.of_transformers(source, runtime)

    return Encoder(name, about, load)


def _model(name: str, rest: str, settings: Settings, runtime: Runtime, task: Task) -> Encoder:
    model, *pairs = rest.split(",")
    options: dict[str, Json] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UserError(f"{pair!r} in {name!r} is not key=value", fix=_FIX)
        options[key] = value
    folder = options.pop(_CHECKPOINT, None)
    weights = None if folder is None else open_checkpoint(Path(str(folder)))
    subject = configure_model(model, options, settings, runtime, weights)
    require_offer(subject.descriptor, "tower", "has no vision tower that can be taken out")
    about: dict[str, Json] = {"kind": "model", "model": subject.record(task)["fingerprint"]}

    def load() -> Tower:
        from harness.analysis import towers

        return towers.of_model(subject, task, None if folder is None else Path(str(folder)))

    marks = (*subject.marks, *(weights.marks if weights is not None else ()))
    return Encoder(name, about, load, tuple(sorted(set(marks))))


def _dtype(runtime: Runtime) -> str:
    return "float32" if runtime.dtype == "auto" else runtime.dtype
