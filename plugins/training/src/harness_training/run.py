"""A training from its plan to its record: epochs, what is kept of them, the best one's weights."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness._version import __version__
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.model import ConfiguredModel
from harness.jsonfiles import read_object
from harness.packages import versions
from harness.runs.lock import writing
from harness.runs.seal import write_json, write_whole
from harness.samples.limits import MAX_PIXELS
from harness.training.contract import Epoch, Skews

from harness_training.checkpoint import FORMAT, answerer_of, load_trainable
from harness_training.guard import Guarded
from harness_training.plan import TrainingPlan
from harness_training.pool import source_id
from harness_training.processes import Processes, processes
from harness_training.settings import TrainingSettings

if TYPE_CHECKING:
    from harness.engine.contract import VisionLanguageModel
    from harness.models import Answerer
    from torch import Tensor

    from harness_training.items import Items
    from harness_training.loop import Stage
    from harness_training.module import TrainingModule
    from harness_training.pairs import PairItems
    from harness_training.weights import Trained

RECORD = "train.json"
SEEN = "seen.txt"
TOWER = "vision_tower"
Found = TypeVar("Found")


class TrainingReporter(Protocol):
    """Receives the progress of a training."""

    def step(self, figures: Mapping[str, float]) -> None:
        """Receive a log line of the trainer: step, loss, rate."""
        ...

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Called with what an epoch will see, and with its numbers when it ends."""
        ...

    def say(self, note: str) -> None:
        """Receive something the user should know."""
        ...


class NullTrainingReporter:
    """Ignores all events."""

    def step(self, figures: Mapping[str, float]) -> None:
        """Ignore a log line."""

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Ignore an epoch."""

    def say(self, note: str) -> None:
        """Ignore a note."""


def run_training(plan: TrainingPlan, out: Path, reporter: TrainingReporter | None = None) -> Path:
    """Train, from wherever the folder's last state is, and return the folder.

    The same command again continues, and at the end returns at once.

    Raises:
        UserError: the folder holds another training, or another process writes into it.
    """
    ranks = processes(plan.settings.device)
    heard: TrainingReporter = (reporter if ranks.first else None) or NullTrainingReporter()
    if is_done(plan, out):
        return out
    ranks.wait()
    with writing(out, "--out") if ranks.first else nullcontext():
        if ranks.first:
            write_json(out / "plan.json", {"fingerprint": plan.fingerprint, **plan.about})
        started = time.perf_counter()
        stage, optimiser = _begin(plan, out, heard, ranks)
        items = _items(plan, stage)
        epochs: list[Mapping[str, Json]] = []
        for number in range(plan.settings.epochs):
            epochs.append(_epoch(plan, stage, optimiser, items, number, heard))
            if ranks.first:
                _tidy(plan, out, epochs)
        _finish(plan, stage, out, epochs, started, heard)
        ranks.wait()
    return out


def _items(plan: TrainingPlan, stage: Stage) -> Items | PairItems:
    """Return what makes of a sample what the model is trained on."""
    from harness_training.items import Items
    from harness_training.pairs import PairItems

    model: Any = stage.module.model
    if stage.recipe.trains_pairs:
        return PairItems(plan.pool, model, MAX_PIXELS)
    weighs = isinstance(stage.recipe, Guarded) and stage.recipe.weighs_tokens
    weigh = stage.recipe.token_weights if weighs else None
    return Items(plan.pool, model, MAX_PIXELS, weigh)


def is_done(plan: TrainingPlan, out: Path) -> bool:
    """Return whether a training has ended in a folder.

    Raises:
        UserError: the folder holds something else.
    """
    _refuse_other(plan, out)
    return (out / RECORD).is_file()


def _refuse_other(plan: TrainingPlan, out: Path) -> None:
    path = out / "plan.json"
    if not path.is_file():
        if out.is_dir() and any(entry.name != ".lock" for entry in out.iterdir()):
            raise UserError("the folder is not empty", where=out, fix="--out with another folder")
        return
    record = read_object(path)
    # What was refused before its first epoch may be put right in the same folder.
    begun = (out / RECORD).is_file() or any(out.glob("epoch-*"))
    if record.get("fingerprint") != plan.fingerprint and begun:
        # What only one of them has differs too; the lineage is a hash of the others.
        keys = [key for key in {**plan.about, **record} if key not in {"fingerprint", "lineage"}]
        about = _plain(plan.about)
        different = [_differing(key, record.get(key), about.get(key)) for key in keys]
        different = [name for name in different if name]
        raise UserError(
            f"the folder holds another training; it differs in {', '.join(different) or 'format'}",
            where=out,
            fix="--out with another folder, or the options it was begun with",
        )


def _differing(name: str, before: Any, after: Any) -> str:
    """Return a name, with what differs below it; nothing when both are the same."""
    if before == after:
        return ""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return name
    below = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    return f"{name} ({', '.join(below)})"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _begin(
    plan: TrainingPlan, out: Path, heard: TrainingReporter, ranks: Processes
) -> tuple[Stage, Any]:
    """Load the model, prepare it, and bring back the last finished epoch's state."""
    from harness_training import loop
    from harness_training.batches import Reference

    _refuse_device(plan.settings)
    recipe = Guarded(plan.recipe, plan.options)
    with _memory_said():
        if plan.settings.shard:
            module, trained = _split(plan, recipe, ranks)
        else:
            module, trained = _prepared(plan, recipe, plan.subject)
    stage = loop.Stage(
        module=module,
        trained=trained,
        recipe=recipe,
        settings=plan.settings,
        folder=out,
        steps=plan.steps,
        report=heard.step,
        micro_batch=min(plan.settings.micro_batch, plan.settings.batch_size // ranks.count),
        processes=ranks,
    )
    if recipe.needs_reference:  # before anything is brought back: the model as it was at first
        stage.reference = Reference(module, _trained_weights(stage))
    heard.say(said_of(sizes(stage)))
    optimiser = loop.Optimiser(stage)
    done = [n for n in range(plan.settings.epochs) if (out / f"epoch-{n:03d}" / "end").is_dir()]
    if done:
        loop.load_state(stage, optimiser, out / f"epoch-{done[-1]:03d}" / "end")
        heard.say(f"continues after epoch {done[-1] + 1} of {plan.settings.epochs}")
    return stage, optimiser


@contextmanager
def _memory_said() -> Iterator[None]:
    """Say in one message that a model and what trains of it do not fit."""
    from harness.engine.batching import out_of_memory

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise UserError(
            "memory does not suffice for the model and its trainable weights",
            fix="a smaller --lora-rank, fewer --train-parts, or --shard over several devices",
        ) from None


def _refuse_device(settings: TrainingSettings) -> None:
    """Refuse a device that does not suit the settings, or is not the process's own."""
    import torch
    from harness.models.devices import resolve_device

    device = resolve_device(settings.device)
    if settings.precision == "float16" and device.type != "cuda":
        raise UserError("full training in float16 needs a CUDA device", fix="--precision bfloat16")
    if device.type == "cuda" and device.index not in {None, torch.cuda.current_device()}:
        raise UserError(  # Trainer would move the model away from it
            f"training uses the first CUDA device of its process, not {settings.device}",
            fix=f"CUDA_VISIBLE_DEVICES={device.index} harness train ... --device cuda",
        )


def _prepared(
    plan: TrainingPlan, recipe: Guarded, subject: ConfiguredModel
) -> tuple[TrainingModule, Trained]:
    """Load a model and prepare it: what trains is chosen, and kept in single precision."""
    import torch

    from harness_training import weights
    from harness_training.module import TrainingModule
    from harness_training.pairs import PairModule

    model = load_trainable(subject, plan.tasks[0])
    if plan.tower is not None:
        weights.take(model, TOWER, plan.tower)
    torch.manual_seed(plan.settings.seed)  # added parts, such as an adversary
    weights.add_parts(model, plan.added)
    parts = dict.fromkeys((*weights.chosen_parts(model, plan.parts), *plan.added))
    trained = weights.Trained(tuple(parts), **asdict(plan.lora), added=plan.added)
    torch.manual_seed(plan.settings.seed)  # new LoRA weights
    weights.prepare(model, trained)
    trained = weights.choose_weights(model, trained, recipe.trains)
    weights.keep_whole_numbers(model, trained)
    precision = plan.settings.precision
    if precision != "float32" and model.features_key is not None:
        # An evaluation's features, computed in the weights' own type, are not quite the same.
        model.features_key = {**model.features_key, "autocast": precision}
    module = (
        PairModule(model, precision)
        if recipe.trains_pairs
        else TrainingModule(model, features_of(subject, model), precision)
    )
    if plan.settings.checkpointing:
        module.recompute()
    return module, trained


def _split(plan: TrainingPlan, recipe: Guarded, ranks: Processes) -> tuple[TrainingModule, Trained]:
    """Prepare a model in each process after the other, and keep there a part of it alone."""
    from harness_training.fsdp import all_processes, meet, split

    devices = all_processes()
    # It need not fit on one of the devices whole.
    subject = replace(plan.subject, runtime=replace(plan.subject.runtime, device="cpu"))
    with ranks.in_turn():
        module, trained = _prepared(plan, recipe, subject)
        split(module, devices)
    meet(module)
    return module, trained


def sizes(stage: Stage) -> dict[str, Json]:
    """Return numbers of parameters, and bytes that are taken before the first activation.

    They are those of weights, gradients, the optimiser's two states and a reference's weights; in
    each process, of a model that is split.
    """
    weights = [one for part in stage.module.parts.values() for one in part.parameters()]
    training = _trained_weights(stage)
    size = sum(one.numel() * one.element_size() for one in weights)
    copies = 3 if stage.reference is None else 4
    size += copies * sum(one.numel() * one.element_size() for one in training)
    return {
        "all": sum(one.numel() for one in weights),
        "trained": sum(one.numel() for one in training),
        "bytes": size // stage.processes.count if stage.settings.shard else size,
    }


def _dtypes(stage: Stage) -> dict[str, Json]:
    """Return the dtypes of weights that train, of those that do not, and of computing."""
    training = _trained_weights(stage)
    trained_ids = {id(one) for one in training}
    weights = (one for part in stage.module.parts.values() for one in part.parameters())
    frozen = [one for one in weights if id(one) not in trained_ids]
    return {
        "trained": [*sorted({str(one.dtype).removeprefix("torch.") for one in training})],
        "frozen": [*sorted({str(one.dtype).removeprefix("torch.") for one in frozen})],
        "computed": stage.settings.precision,
    }


def _trained_weights(stage: Stage) -> list[Tensor]:
    from harness_training.weights import weights

    return [one for _, _, one in weights(stage.module.model, stage.trained)]


def said_of(sizes: Mapping[str, Any]) -> str:
    """Return a line about what :func:`sizes` found."""
    return (
        f"trains {sizes['trained']:,} of {sizes['all']:,} parameters; weights, gradients and "
        f"optimiser take {sizes['bytes'] / 2**20:,.0f} MiB, activations come on top"
    )


def features_of(subject: ConfiguredModel, model: VisionLanguageModel) -> Any:
    """Return where a frozen encoder's features are kept; ``None`` when it trains."""
    from harness.engine.features import FeatureCache

    if model.features_key is None:
        return None
    cache = subject.runtime.cache
    root = None if cache is None else cache / "features"
    return FeatureCache(root, {**model.features_key, "device": model.device.type})


def _epoch(  # noqa: PLR0913, PLR0917  what an epoch is made of
    plan: TrainingPlan,
    stage: Stage,
    optimiser: Any,
    items: Items | PairItems,
    number: int,
    heard: TrainingReporter,
) -> dict[str, Json]:
    """Train one epoch unless it is done; return its record."""
    from harness_training import loop

    folder = stage.folder / f"epoch-{number:03d}"
    record = folder / "record.json"
    if (folder / "end").is_dir() and record.is_file():
        finished_record: dict[str, Json] = read_object(record)
        heard.epoch(number, finished_record)
        return finished_record
    ranks, asks = stage.processes, stage.processes.first or stage.settings.shard
    chosen = folder / "chosen.json"
    is_chosen = chosen.is_file()
    ranks.wait()
    if asks and not is_chosen:
        found_here = _choose(plan, stage, items, number)
        if ranks.first:
            folder.mkdir(parents=True, exist_ok=True)
            loop.write_epoch(chosen, found_here)
    ranks.wait()
    epoch = loop.read_epoch(chosen)
    items.epoch = number
    heard.epoch(number, epoch.figures)
    started = time.monotonic()
    figures = loop.run_epoch(stage, optimiser, number, epoch, items)
    training = round(time.monotonic() - started, 3)
    figures = {"epoch": number, "samples": len(epoch.order), **epoch.figures, **figures}
    stage.recipe.finished(number, figures)
    if asks and plan.validation is not None:
        figures["validation"] = _asked(plan, stage, plan.validation.measure)
    if ranks.first:
        write_json(record, {**figures, "training_seconds": training})
    loop.save_state(stage, optimiser, folder / "end")
    finished: dict[str, Json] = read_object(record)
    heard.epoch(number, finished)
    return finished


def _choose(plan: TrainingPlan, stage: Stage, items: Items | PairItems, number: int) -> Epoch:
    """Ask the recipe what an epoch sees; what its measuring took is among the figures.

    Features of a frozen encoder serve the training as well: they are timed apart.
    """
    from harness_training.measure import measure_pool

    seconds: dict[str, Json] = {}

    def measure() -> Skews:
        begun = time.monotonic()
        pool: Iterator[Any] = (items(place, 1.0) for place in range(len(plan.pool.lessons)))
        stage.module.during(partial(stage.module.remember, pool))
        encoded = time.monotonic()
        skews = _asked(plan, stage, partial(measure_pool, plan.pool))
        seconds["encoding_seconds"] = round(encoded - begun, 3)
        seconds["measuring_seconds"] = round(time.monotonic() - encoded, 3)
        return skews

    chance = Random(plan.settings.seed * 1_000_003 + number)
    epoch = stage.recipe.epoch(number, plan.pool.examples, measure, chance)
    return replace(epoch, figures={**epoch.figures, **seconds})


def _asked(plan: TrainingPlan, stage: Stage, measure: Callable[[Answerer], Found]) -> Found:
    """Return what is measured of the model as it is now, asked as an evaluation asks it.

    A model that is split answers when all processes ask it the same, in the same batches.
    """
    from harness_training.lora_merge import merged

    runtime = plan.subject.runtime
    if stage.settings.shard:
        runtime = replace(runtime, deterministic=True)
    model = stage.module.model
    stage.module.eval()
    # Autocast would round the sums.
    decoder = model.parts().get("language_model")
    single = stage.settings.precision == "float32"
    with merged(decoder) if single and decoder is not None else nullcontext():
        return stage.module.during(lambda: measure(answerer_of(model, runtime)))


def _tidy(plan: TrainingPlan, out: Path, epochs: Sequence[Mapping[str, Json]]) -> None:
    """Remove what finished epochs do not need: all but the last weights, and the best."""
    best = None if plan.validation is None else plan.validation.best(epochs)
    last = len(epochs) - 1
    for number in range(len(epochs)):
        folder = out / f"epoch-{number:03d}"
        for path in (folder / "start", *folder.glob("checkpoint-*")):
            shutil.rmtree(path, ignore_errors=True)
        for path in (folder / "end").iterdir():
            old = number <= last - plan.settings.keep and number != best
            if (path.suffix == ".pt" and number != last) or (path.suffix == ".safetensors" and old):
                path.unlink()


def _finish(  # noqa: PLR0913, PLR0917  all that is known in the end
    plan: TrainingPlan,
    stage: Stage,
    out: Path,
    epochs: Sequence[Mapping[str, Json]],
    started: float,
    heard: TrainingReporter,
) -> None:
    """Put the weights in place, then the record: with it the training is done."""
    from harness_training.weights import restore, save

    if not stage.processes.first and not stage.settings.shard:
        return
    validation = dict(plan.validation.about()) if plan.validation is not None else {}
    if plan.validation is not None:
        best = plan.validation.best(epochs)
        validation["epoch"] = best
        if best is not None and best != len(epochs) - 1:
            restore(stage.module.model, stage.trained, out / f"epoch-{best:03d}" / "end")
        if best is None:
            heard.say(f"{validation['metric']} was defined after no epoch: the last one's weights")
        else:
            heard.say(f"weights of epoch {best + 1}, the best by {validation['metric']}")
    trained = stage.trained
    if plan.tower is not None and TOWER not in trained.parts:
        # The weights of another tower go along, so that the folder is whole by itself.
        trained = replace(trained, parts=(TOWER, *trained.parts))
    save(stage.module.model, trained, out, writes=stage.processes.first)
    if not stage.processes.first:
        return
    seen = sorted(
        {
            f"{lesson.task.spec.data.benchmark} {source_id(lesson.task, lesson.sample)}"
            for lesson in plan.pool.lessons
        }
        | (set() if plan.validation is None else plan.validation.seen())
    )
    write_whole(out / SEEN, (f"{line}\n".encode() for line in seen))
    write_json(
        out / RECORD,
        {
            "format": FORMAT,
            "fingerprint": plan.fingerprint,
            **plan.about,
            **({"validation": validation} if validation else {}),
            "trained": trained.about(),
            "parameters": sizes(stage),
            "dtypes": _dtypes(stage),
            "epochs": list(epochs),
            "versions": _versions(),
            "seconds": round(time.perf_counter() - started, 1),
        },
    )


def _versions() -> dict[str, Json]:
    names = ("torch", "transformers", "peft", "accelerate")
    return {"social-harness": __version__, **versions(*names)}
