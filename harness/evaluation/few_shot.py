"""Few-shot examples shown before each question: of the train split, the same for every sample."""

from __future__ import annotations

import heapq

from harness.errors import SampleError, UserError
from harness.evaluation.requests import request_seed, shown_images
from harness.evaluation.task import Task
from harness.samples import Sample
from harness.samples.images import OpenImage, open_image
from harness.specs.prompt import Shot, prompt_text, render_answer


def choose_shots(task: Task, seed: int) -> list[Sample]:
    """Return the train samples shown: those whose id has the smallest hash under the seed.

    Raises:
        UserError: when fewer samples of the train split have a right answer than the spec asks
            for, or one that would be shown cannot be put as question and answer.
    """
    wanted = task.spec.prompt.shots
    if not wanted:
        return []
    keyed = (
        (request_seed(seed, task.id, one.id), one.id, one)
        for one in task.train_samples()
        if one.target is not None
    )
    chosen = heapq.nsmallest(wanted, keyed)
    if len(chosen) < wanted:
        raise UserError(
            f"task {task.id!r} cannot show few-shot examples ({wanted}): {len(chosen)} samples of "
            "its train split have a right answer",
            fix="leave out the task, or --shots",
        )
    for _, name, sample in chosen:
        try:
            prompt_text(task.spec, sample)
            render_answer(task.spec, sample.target)
        except (SampleError, UserError) as error:
            raise UserError(
                f"the few-shot example {name!r} cannot be shown: {error.message}",
                where=f"task {task.id!r}",
                fix=error.fix or "leave out the task, or --shots",
            ) from None
    return [sample for _, _, sample in chosen]


def open_shots(
    task: Task, samples: list[Sample], *, images: bool, opening: OpenImage = open_image
) -> tuple[Shot, ...]:
    """Open the images of the samples shown, as the task's view shows them.

    Raises:
        UserError: when one cannot be opened; without it no question of the task is whole.
    """
    shots: list[Shot] = []
    for sample in samples:
        try:
            opened = shown_images(task.spec, sample, opening) if images else ()
        except SampleError as error:
            raise UserError(f"few-shot example {sample.id!r} cannot be shown: {error}") from None
        shots.append(Shot(sample, tuple(opened)))
    return tuple(shots)
