"""A training from plan to record: pool, epochs, checkpoints, and what every choice was."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from harness._version import __version__
from harness.descriptors import Json, RecipeDescriptor, load_target, parse_options
from harness.errors import UserError
from harness.evaluation.subject import Subject
from harness.evaluation.task import Task
from harness.plugins import find, plugins
from harness.runs.lock import writing
from harness.runs.seal import write_json, write_whole
from harness.samples.images import MAX_PIXELS
from harness.specs import fingerprint
from harness.training.checkpoint import open_checkpoint
from harness.training.contract import Epoch, Recipe, Skews, check_pool
from harness.training.pool import Pool, make_pool
from harness.training.settings import TrainingSettings

if TYPE_CHECKING:
    from harness.engine.contract import VisionLanguageModel
    from harness.training.loop import Stage

RECORD = "train.json"
SEEN = "seen.txt"
TOWER = "vision_tower"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """A training that is settled but not begun.

    Attributes:
        parts: As asked: ``auto``, ``full`` or names.
        fingerprint: Hash of everything that decides the weights.
        steps: Of all epochs, were each to see the whole pool.
        tower: A training whose vision tower is in the place of the model's own.
    """

    subject: Subject
    tasks: Sequence[Task]
    recipe: RecipeDescriptor
    options: Mapping[str, Json]
    settings: TrainingSettings
    pool: Pool
    form: str | None
    parts: str
    lora: Mapping[str, Json]
    fingerprint: str
    about: Mapping[str, Json]
    steps: int
    tower: Path | None = None


class Watcher(Protocol):
    """Hears how a training goes."""

    def step(self, figures: Mapping[str, float]) -> None:
        """Hear a log line of the trainer: step, loss, rate."""
        ...

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Hear what an epoch will see, or what it came to."""
        ...

    def say(self, note: str) -> None:
        """Hear something the user should know."""
        ...


class Unwatched:
    """Hears and forgets."""

    def step(self, figures: Mapping[str, float]) -> None:
        """Ignore a log line."""

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Ignore an epoch."""

    def say(self, note: str) -> None:
        """Ignore a note."""


def plan_training(  # noqa: PLR0913  one keyword for each group of flags
    subject: Subject,
    tasks: Sequence[Task],
    recipe: str,
    *,
    options: Mapping[str, Json],
    settings: TrainingSettings,
    form: str | None = None,
    limit: int | None = None,
    parts: str = "auto",
    lora: Mapping[str, Json] | None = None,
    tower: Path | None = None,
) -> TrainingPlan:
    """Settle a training: data read, options checked, no weight loaded.

    Raises:
        UserError: an unknown recipe or option, a model that cannot be trained, data that lack what
            the recipe needs.
    """
    descriptor = find("recipe", recipe, plugins().recipes())
    model: Any = subject.model(tasks[0])
    if not hasattr(model, "load_model"):
        raise UserError(
            f"model {subject.descriptor.id!r} cannot be trained",
            fix="socialfusion, llava, qwen_vl and bunny can",
        )
    given = parse_options(descriptor.options, options, owner=f"recipe {recipe!r}")
    pool = make_pool(tasks, form=form, limit=limit, seed=settings.seed)
    check_pool(_recipe(descriptor, given), recipe, pool.examples)
    about: dict[str, Json] = {
        "model": subject.record(tasks[0]),
        "recipe": {"id": recipe, "options": given},
        "data": {
            "tasks": [task.id for task in tasks],
            "form": form,
            "samples": len(pool.examples),
            "skipped": pool.skipped,
            "sha256": pool.sha256,
        },
        "marks": [*sorted({mark for task in tasks for mark in task.located.marks})],
        "settings": asdict(settings),
        "parts": parts,
        "lora": dict(lora or {}),
    }
    if tower is not None:
        about["tower"] = open_checkpoint(tower).sha256
    steps = settings.epochs * math.ceil(len(pool.examples) / settings.batch)
    return TrainingPlan(
        subject=subject,
        tasks=tasks,
        recipe=descriptor,
        options=given,
        settings=settings,
        pool=pool,
        form=form,
        parts=parts,
        lora=dict(lora or {}),
        fingerprint=fingerprint(about),
        about=about,
        steps=steps,
        tower=tower,
    )


def run_training(plan: TrainingPlan, out: Path, watcher: Watcher | None = None) -> Path:
    """Train, from wherever the folder's last state is, and return the folder.

    The same command again continues, and at the end returns at once.

    Raises:
        UserError: the folder holds another training, or another process writes into it.
    """
    from harness.training.items import Items

    heard: Watcher = watcher or Unwatched()
    _refuse_other(plan, out)
    if (out / RECORD).is_file():
        return out
    with writing(out):
        write_json(out / "plan.json", {"fingerprint": plan.fingerprint, **plan.about})
        started = time.time()
        stage, optimiser = _begin(plan, out, heard)
        items = Items(plan.pool, stage.module.model, MAX_PIXELS)
        epochs = [
            _epoch(plan, stage, optimiser, items, number, heard)
            for number in range(plan.settings.epochs)
        ]
        _finish(plan, stage, out, epochs, started)
    return out


def _refuse_other(plan: TrainingPlan, out: Path) -> None:
    path = out / "plan.json"
    if not path.is_file():
        if out.is_dir() and any(entry.name != ".lock" for entry in out.iterdir()):
            raise UserError("the folder is not empty", where=out, fix="--out with another folder")
        return
    try:
        held = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read: {error}", where=path) from None
    if held.get("fingerprint") != plan.fingerprint:
        different = [key for key, value in plan.about.items() if held.get(key) != _plain(value)]
        raise UserError(
            f"the folder holds another training; it differs in {', '.join(different) or 'format'}",
            where=out,
            fix="--out with another folder, or the options it was begun with",
        )


def _plain(value: Json) -> Any:
    return json.loads(json.dumps(value))


def _recipe(descriptor: RecipeDescriptor, options: Mapping[str, Json]) -> Recipe:
    made: Recipe = load_target(descriptor)(options)
    return made


def _begin(plan: TrainingPlan, out: Path, heard: Watcher) -> tuple[Stage, Any]:
    """Load the model, prepare it, and bring back the last finished epoch's state."""
    import torch

    from harness.engine.trained import Trained, chosen_parts, prepare, take
    from harness.engine.training import TrainingModule
    from harness.training import loop

    model = load_model(plan.subject, plan.tasks[0])
    if plan.tower is not None:
        take(model, TOWER, plan.tower)
    lora: dict[str, Any] = dict(plan.lora)
    trained = Trained(chosen_parts(model, plan.parts), **lora)
    torch.manual_seed(plan.settings.seed)  # new LoRA weights
    prepare(model, trained)
    stage = loop.Stage(
        module=TrainingModule(model, features_of(plan.subject, model)),
        trained=trained,
        recipe=_recipe(plan.recipe, plan.options),
        settings=plan.settings,
        folder=out,
        steps=plan.steps,
        report=heard.step,
    )
    optimiser = loop.Optimiser(stage)
    done = [n for n in range(plan.settings.epochs) if (out / f"epoch-{n:03d}" / "end").is_dir()]
    if done:
        loop.load_state(stage, optimiser, out / f"epoch-{done[-1]:03d}" / "end")
        heard.say(f"continues after epoch {done[-1] + 1} of {plan.settings.epochs}")
    return stage, optimiser


def load_model(subject: Subject, task: Task) -> VisionLanguageModel:
    """Return a subject's model itself, as training and analysis need it."""
    model: Any = subject.model(task)
    found: VisionLanguageModel = model.load_model(subject.runtime)
    return found


def features_of(subject: Subject, model: VisionLanguageModel) -> Any:
    """Return where a frozen encoder's features are kept; ``None`` when it trains."""
    from harness.engine.features import FeatureCache

    if model.features_key is None:
        return None
    cache = subject.runtime.cache
    root = None if cache is None else cache / "features"
    return FeatureCache(root, {**model.features_key, "device": model.device.type})


def _epoch(  # noqa: PLR0913, PLR0917  what an epoch is made of
    plan: TrainingPlan, stage: Stage, optimiser: Any, items: Any, number: int, heard: Watcher
) -> dict[str, Json]:
    """Train one epoch unless it is done; return its record."""
    from harness.training import loop
    from harness.training.measure import measure_pool

    folder = stage.folder / f"epoch-{number:03d}"
    record = folder / "record.json"
    if (folder / "end").is_dir() and record.is_file():
        held: dict[str, Json] = json.loads(record.read_bytes())
        return held
    folder.mkdir(parents=True, exist_ok=True)
    epoch = loop.read_epoch(folder / "chosen.json")
    if epoch is None:
        epoch = _choose(plan, stage, number, lambda: measure_pool(plan, stage))
        loop.write_epoch(folder / "chosen.json", epoch)
    heard.epoch(number, epoch.figures)
    figures = loop.run_epoch(stage, optimiser, number, epoch, items)
    figures = {"epoch": number, "samples": len(epoch.order), **epoch.figures, **figures}
    stage.recipe.finished(number, figures)
    write_json(record, figures)
    loop.save_state(stage, optimiser, folder / "end")
    heard.epoch(number, figures)
    _tidy(stage.folder, number)
    return figures


def _choose(plan: TrainingPlan, stage: Stage, number: int, measure: Callable[[], Skews]) -> Epoch:
    chance = Random(plan.settings.seed * 1_000_003 + number)
    stage.module.eval()
    return stage.recipe.epoch(number, plan.pool.examples, measure, chance)


def _tidy(folder: Path, number: int) -> None:
    """Remove what a finished epoch does not need: starts, and states before the last two."""
    for path in folder.glob("epoch-*"):
        at = int(path.name.removeprefix("epoch-"))
        if at <= number:
            shutil.rmtree(path / "start", ignore_errors=True)
            for checkpoint in path.glob("checkpoint-*"):
                shutil.rmtree(checkpoint, ignore_errors=True)
        if at < number - 1:
            for name in ("optimiser.pt", "schedule.pt"):
                (path / "end" / name).unlink(missing_ok=True)


def _finish(
    plan: TrainingPlan,
    stage: Stage,
    out: Path,
    epochs: Sequence[Mapping[str, Json]],
    started: float,
) -> None:
    """Put the weights in place, then the record: with it the training is done."""
    from harness.engine.trained import save

    trained = stage.trained
    if plan.tower is not None and TOWER not in trained.parts:
        # The weights of another tower go along, so that the folder is whole by itself.
        trained = replace(trained, parts=(TOWER, *trained.parts))
    save(stage.module.model, trained, out)
    seen = sorted(
        {
            f"{lesson.task.spec.data.benchmark} {lesson.sample.id.partition('#not ')[0]}"
            for lesson in plan.pool.lessons
        }
    )
    write_whole(out / SEEN, (f"{line}\n".encode() for line in seen))
    write_json(
        out / RECORD,
        {
            "format": FORMAT,
            "fingerprint": plan.fingerprint,
            **plan.about,
            "trained": asdict(trained),
            "epochs": list(epochs),
            "versions": _versions(),
            "seconds": round(time.time() - started, 1),
        },
    )


def _versions() -> dict[str, Json]:
    from importlib.metadata import version

    names = ("torch", "transformers", "peft", "accelerate")
    return {"social-harness": __version__, **{name: version(name) for name in names}}
