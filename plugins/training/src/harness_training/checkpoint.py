"""A finished training as an evaluation needs it: weights, their hash, samples seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.errors import UserError, reason_of
from harness.jsonfiles import read_object, refuse_missing
from harness.models import Answerer, Runtime
from harness.resources import file_hash, inner_folders
from harness.runs.record import titled
from harness.samples import Sample
from harness.specs import fingerprint

if TYPE_CHECKING:
    from harness.engine.contract import VisionLanguageModel
    from harness.evaluation.model import ConfiguredModel
    from harness.evaluation.task import Task

FORMAT = 1
"""Format version of ``train.json``."""

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TrainedCheckpoint:
    """A finished training's folder; see :class:`harness.evaluation.model.TrainedWeights`.

    Attributes:
        base: Identity of the model that was trained.
    """

    folder: Path
    sha256: str
    about: dict[str, Json]
    marks: frozenset[str]
    base: Json

    def answerer(self, model: Any, runtime: Runtime) -> Answerer:
        """Return a model with these weights put over its own.

        Raises:
            UserError: these weights were trained over another model's.
        """
        if _hashes(self.base) != _hashes(dict(model.identity(runtime))):
            raise UserError(
                "these weights were trained on top of another model",
                where=self.folder,
                fix="use the model and options that its train.json names",
            )
        from harness_training.weights import load

        loaded = model.load_model(runtime)
        load(loaded, self.folder)
        return answerer_of(loaded, runtime)

    def saw(self, benchmark: str, samples: Iterable[Sample]) -> bool:
        """Whether any of a benchmark's samples was trained on."""
        prefix = f"{benchmark} "
        path = self.folder / "seen.txt"
        try:
            with path.open(encoding="utf-8") as lines:
                ids = {line[len(prefix) : -1] for line in lines if line.startswith(prefix)}
        except (OSError, UnicodeDecodeError) as error:
            why = reason_of(error) if isinstance(error, OSError) else "not UTF-8 text"
            raise UserError(f"cannot be read: {why}", where=path) from None
        # A sample that is asked about several values has each after its id.
        return bool(ids) and any(
            sample.id in ids or sample.id.rpartition("#")[0] in ids for sample in samples
        )


def open_trained(folder: Path) -> TrainedCheckpoint:
    """Read the record of a finished training.

    Raises:
        UserError: not a training, or one that is not finished.
    """
    refuse_missing(folder)
    try:
        if not (folder / "train.json").exists():
            raise UserError(
                "this folder holds no finished training: it has no train.json"
                + inner_folders(folder, "train.json"),
                where=folder,
                fix="harness train ... --out DIR",
            )
        record: Mapping[str, Any] = read_object(folder / "train.json")
        about: dict[str, Json] = {
            "recipe": record["recipe"],
            "data": record["data"],
            "seed": record["settings"]["seed"],
            "parts": record["trained"]["parts"],
            "settings": record["settings"],
            **({"tower": record["tower"]} if "tower" in record else {}),
            "fingerprint": record["fingerprint"],
            **{name: record[name] for name in ("code", "lineage") if name in record},
        }
        titled("", about)
        marks = frozenset(map(str, record["marks"]))
        base, version = record["model"]["identity"], record["format"]
    except (KeyError, TypeError, AssertionError) as error:
        message = f"not a training record: {type(error).__name__}: {error}"
        raise UserError(f"{message:.200}", where=folder / "train.json") from None
    if version != FORMAT:
        raise UserError(
            f"is of format {version}, this version of the harness reads {FORMAT}",
            where=folder / "train.json",
        )
    files: Json = {path.name: file_hash(path) for path in sorted(folder.glob("*.safetensors"))}
    return TrainedCheckpoint(folder, fingerprint(files), about, marks, base)


def _hashes(identity: Json) -> set[str]:
    """Return the hashes of files in an identity: not how the model is loaded and run."""
    if isinstance(identity, dict):
        identity = list(identity.values())
    if isinstance(identity, list):
        return set().union(*map(_hashes, identity))
    return {identity} if isinstance(identity, str) and _SHA256.fullmatch(identity) else set()


def answerer_of(loaded: Any, runtime: Runtime) -> Answerer:
    """Return what answers by a loaded model: the engine, or a dual encoder's own answerer."""
    from harness.engine.answerer import EngineAnswerer

    if hasattr(loaded, "answerer"):
        answerer: Answerer = loaded.answerer(runtime)
        return answerer
    return EngineAnswerer(loaded, runtime)


def load_trainable(subject: ConfiguredModel, task: Task) -> VisionLanguageModel:
    """Return a subject's model itself, as training and analysis need it."""
    model: Any = subject.model(task)
    loaded: VisionLanguageModel = model.load_model(subject.runtime)
    return loaded
