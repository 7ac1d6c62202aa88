"""A training that is settled but not begun: data read, choices checked, no weight loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from harness.descriptors import Json, ModelDescriptor, RecipeDescriptor, parse_options
from harness.errors import UserError
from harness.evaluation.model import ConfiguredModel
from harness.evaluation.task import Task
from harness.models.guard import require_offer
from harness.plugin_code import codes_of
from harness.plugins import find, plugins
from harness.specs import fingerprint

from harness_training.checkpoint import open_trained
from harness_training.guard import Guarded, check_pool
from harness_training.pairs_plan import added_parts, require_kind, with_all_pairs
from harness_training.parts import AUTO, FULL, LORA, WORDS, LoraSettings, named_parts
from harness_training.pool import Pool, make_pool
from harness_training.processes import how_many_train
from harness_training.settings import TrainingSettings, learning_rate, trained_parts
from harness_training.validation import Validation, plan_validation


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """A training that is settled but not begun.

    Attributes:
        settings: With the learning rate that is used.
        parts: As asked, or as the recipe says: ``auto``, ``full`` or names.
        chooses_weights: Whether the recipe has a say in which of their weights train.
        validation: What chooses the epoch whose weights are kept; ``None``: the last one.
        fingerprint: Hash of everything that decides the weights.
        steps: Steps of all epochs, if each saw the whole pool.
        tower: A training whose vision tower is in the place of the model's own.
        added: Parts that the recipe adds to a dual encoder, with their settings.
        notes: What the recipe says of the data, and which defaults are nobody's own.
    """

    subject: ConfiguredModel
    tasks: Sequence[Task]
    recipe: RecipeDescriptor
    options: Mapping[str, Json]
    settings: TrainingSettings
    pool: Pool
    form: str | None
    parts: str
    chooses_weights: bool
    lora: LoraSettings
    validation: Validation | None
    fingerprint: str
    about: Mapping[str, Json]
    steps: int
    tower: Path | None = None
    added: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def plan_training(  # noqa: PLR0913  one keyword for each group of flags
    subject: ConfiguredModel,
    tasks: Sequence[Task],
    recipe: str,
    *,
    options: Mapping[str, Json],
    settings: TrainingSettings,
    form: str | None = None,
    limit: int | None = None,
    parts: str = AUTO,
    lora: LoraSettings | None = None,
    tower: Path | None = None,
    validated: Task | None = None,
) -> TrainingPlan:
    """Settle a training: data read, options checked, no weight loaded.

    Raises:
        UserError: an unknown recipe or option, a model that cannot be trained, data that lack what
            the recipe needs, a validation without samples of its own.
    """
    descriptor = find("recipe", recipe, plugins().recipes())
    require_offer(subject.descriptor, "train", "cannot be trained")
    recipe_options = parse_options(descriptor.options, options, owner=f"recipe {recipe!r}")
    count = how_many_train(settings)
    guarded = Guarded(descriptor, recipe_options)
    require_kind(guarded, recipe, subject.descriptor, tower)
    settings, pair_notes = with_all_pairs(guarded, settings, count)
    _refuse_processes(settings, count)
    validation = _validation(validated, settings)
    without = frozenset() if validation is None else validation.without
    pool = make_pool(tasks, form=form, limit=limit, seed=settings.seed, without=without)
    _refuse_split_reference(guarded, recipe, settings)
    notes = [*check_pool(guarded, recipe, pool.examples), *pair_notes]
    added = added_parts(guarded, pool)
    parts = guarded.parts if parts == AUTO else parts
    if parts not in WORDS:
        named_parts(parts, (*FULL, *added), "--train-parts")
    lora = lora or LoraSettings()
    settings, rate_notes = _with_rate(settings, subject.descriptor, parts)
    _refuse_unused(settings, lora, subject.descriptor, parts)
    about: dict[str, Json] = {
        "model": subject.record(tasks[0]),
        "recipe": {"id": recipe, "options": recipe_options},
        "data": {
            "tasks": [task.id for task in tasks],
            "form": form,
            "samples": len(pool.examples),
            "skipped": pool.skipped,
            "sha256": pool.sha256,
        },
        "marks": [*sorted({mark for task in tasks for mark in task.located.marks})],
        "settings": settings.about(),
        "parts": parts,
        "lora": asdict(lora),
        **({} if validation is None else {"validation": validation.about()}),
        **({"processes": count} if count > 1 else {}),
        **({"added": dict[str, Json](added)} if added else {}),
    }
    if tower is not None:
        about["tower"] = open_trained(tower).sha256
    about |= _code(about, tasks, descriptor)
    return TrainingPlan(
        subject=subject,
        tasks=tasks,
        recipe=descriptor,
        options=recipe_options,
        settings=settings,
        pool=pool,
        form=form,
        parts=parts,
        chooses_weights=guarded.chooses_weights,
        lora=lora,
        validation=validation,
        fingerprint=fingerprint(about),
        about=about,
        steps=settings.epochs * math.ceil(len(pool.examples) / settings.batch_size),
        tower=tower,
        added=added,
        notes=(*notes, *rate_notes),
    )


def _code(
    about: Mapping[str, Json], tasks: Sequence[Task], recipe: RecipeDescriptor
) -> dict[str, Json]:
    """Return the code of the plugins that read and train, and a hash of all else."""
    read = {name: code for task in tasks for name, code in task.code().items()}
    code = {**read, **codes_of([plugins().code_of(recipe)])}
    model = about["model"]
    assert isinstance(model, dict)
    lineage: Json = {**about, "model": model["lineage"]}
    return {"code": code, "lineage": fingerprint(lineage)}


def _with_rate(
    settings: TrainingSettings, model: ModelDescriptor, parts: str
) -> tuple[TrainingSettings, list[str]]:
    """Return settings with a learning rate, and a note when it is nobody's own."""
    if settings.learning_rate is not None:
        return settings, []
    rate, named = learning_rate(model.learning_rates, model.trains, parts)
    note = f"the learning rate {rate:g} is the general default: {model.id} names none for {parts}"
    return replace(settings, learning_rate=rate), [] if named else [note]


def _refuse_unused(
    settings: TrainingSettings, lora: LoraSettings, model: ModelDescriptor, parts: str
) -> None:
    """Refuse what was chosen of something that this training does not have.

    Raises:
        UserError: a shape of adapters that do not train, a warm-up that the schedule has not.
    """
    _refuse_decay(settings)
    trained = trained_parts(model.trains, parts)
    for name, value in asdict(lora).items():
        if LORA not in trained and value != getattr(LoraSettings(), name):
            raise UserError(
                f"no adapter trains: the parts are {', '.join(trained) or parts}",
                where=f"--lora-{name}",
                fix="leave it out, or --train-parts lora",
            )
    if settings.schedule == "constant" and settings.warmup not in {0, TrainingSettings().warmup}:
        raise UserError(
            "the schedule 'constant' has no warm-up",
            where="--warmup",
            fix="--schedule constant_with_warmup",
        )


def _validation(task: Task | None, settings: TrainingSettings) -> Validation | None:
    if settings.hold_out and task is None:
        raise UserError(
            "samples are held out, but no validation is set", fix="--validate TASK:METRIC"
        )
    if settings.validate_limit is not None and task is None:
        raise UserError(
            "no validation is set", where="--validate-limit", fix="--validate TASK:METRIC"
        )
    return None if task is None else plan_validation(task, settings)


def _refuse_decay(settings: TrainingSettings) -> None:
    """Refuse a decay that leaves nothing of a weight: a step takes ``rate * decay`` of it away."""
    if settings.learning_rate is not None and settings.learning_rate * settings.weight_decay >= 1:
        raise UserError(
            "each step would remove a weight entirely: learning rate "
            f"{settings.learning_rate:g} times weight decay {settings.weight_decay:g} is 1 or more",
            where="--weight-decay",
        )


def _refuse_split_reference(guarded: Guarded, recipe: str, settings: TrainingSettings) -> None:
    if guarded.needs_reference and settings.shard:
        raise UserError(
            f"recipe {recipe!r} compares with the model as it was at first, whose weights are not "
            "split over processes",
            where="--shard",
            fix="leave --shard out, or train less: --train-parts lora",
        )


def _refuse_processes(settings: TrainingSettings, processes: int) -> None:
    if settings.shard and processes == 1:
        raise UserError(
            "sharding needs several processes, and this is one",
            where="--shard",
            fix="--processes N",
        )
    if settings.shard and settings.precision == "float16":
        raise UserError("a sharded model does not train in float16", where="--precision",
                        fix="--precision bfloat16")  # fmt: skip
    at_once = processes * min(settings.micro_batch, max(1, settings.batch_size // processes))
    if settings.batch_size % at_once:
        each = f" x {processes} processes" if processes > 1 else ""
        raise UserError(
            f"batch {settings.batch_size} is not a multiple of "
            f"micro-batch {settings.micro_batch}{each}",
            where="--batch-size",
            fix="another --batch-size or --micro-batch",
        )
