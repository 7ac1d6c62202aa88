"""What a plan settles of a training on pairs of an image and a text. Light: no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.descriptors import Json, ModelDescriptor
from harness.errors import UserError

from harness_training.guard import Guarded
from harness_training.pool import Pool
from harness_training.settings import TrainingSettings


def require_kind(recipe: Guarded, name: str, model: ModelDescriptor, tower: Path | None) -> None:
    """Refuse a recipe of answers for a dual encoder, and one of pairs for any other model.

    Raises:
        UserError: when they do not fit, or a dual encoder is to take another one's tower.
    """
    if recipe.trains_pairs and "vectors" not in model.offers:
        raise UserError(
            f"recipe {name!r} trains dual encoders, and {model.id} is not a dual encoder",
            where="--recipe",
            fix="--model open_clip, or a recipe such as ft",
        )
    if "vectors" in model.offers and not recipe.trains_pairs:
        raise UserError(
            f"recipe {name!r} trains models that write answers, and {model.id} is a dual encoder",
            where="--recipe",
            fix="--recipe contrastive or prompt_array",
        )
    if recipe.trains_pairs and tower is not None:
        raise UserError(
            "a dual encoder cannot take the vision tower of another training", where="--tower"
        )


def with_all_pairs(
    recipe: Guarded, settings: TrainingSettings, processes: int
) -> tuple[TrainingSettings, list[str]]:
    """Return settings with a whole step in memory, and a note of it: its pairs are compared.

    Raises:
        UserError: several processes, which would compare their own pairs alone.
    """
    if not recipe.trains_pairs:
        return settings, []
    if processes > 1:
        raise UserError(
            f"a step's pairs are compared with each other, and {processes} processes would each "
            "compare their own",
            fix="use one process; --gradient-checkpointing saves memory",
        )
    if settings.micro_batch == settings.batch_size:
        return settings, []
    size = settings.batch_size
    note = f"all {size} pairs of a step are in memory at once: each is compared with all"
    return replace(settings, micro_batch=size), [note]


def added_parts(recipe: Guarded, pool: Pool) -> dict[str, dict[str, Json]]:
    """Return the parts that a recipe adds; none, but for a recipe of pairs.

    Raises:
        UserError: naming the first sample that is no pair of one image and a text.
    """
    for lesson in pool.lessons if recipe.trains_pairs else ():
        count = len(lesson.sample.images)
        if count != 1 or lesson.against:
            why = "its text is of another sample" if lesson.against else f"it has {count} images"
            raise UserError(
                f"sample {lesson.sample.id!r} of {lesson.task.id!r} is not a pair of an image "
                f"and a "
                f"text: {why}",
                fix="--form open" if lesson.against else "use a task with one image per sample",
            )
    return recipe.adds(pool.examples) if recipe.trains_pairs else {}
