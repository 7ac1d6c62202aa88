"""Examples as ids, once a training; images stay closed while their features are known."""

from __future__ import annotations

from functools import partial

from harness.engine.contract import VisionLanguageModel
from harness.errors import UserError
from harness.samples.images import LoadedImage
from harness.training.module import Item
from harness.training.pool import Lesson, Pool


class Items:
    """Makes an :class:`Item` of a place in the pool.

    Args:
        pool: What is trained on.
        model: Turns chats into ids.
        max_pixels: Larger images are refused.
    """

    def __init__(self, pool: Pool, model: VisionLanguageModel, max_pixels: int) -> None:
        self._pool = pool
        self._model = model
        self._max_pixels = max_pixels
        self._known: dict[int, Item] = {}

    def __call__(self, index: int, weight: float) -> Item:
        """Return the example with a weight.

        Raises:
            SampleError: an image that cannot be opened.
            UserError: a prompt and answer longer than the model's context.
        """
        item = self._known.get(index)
        if item is None:
            item = self._known[index] = self._item(index)
        return item if weight == 1 else item.weighted(weight)

    def _item(self, index: int) -> Item:
        lesson = self._pool.lessons[index]
        images = lesson.images(self._max_pixels)
        joint = self._model.prompt(lesson.turns(images), (lesson.taught(),))
        answer = joint.options[0]
        if not answer or answer[-1] not in self._model.ends:
            answer = (*answer, self._model.end)
        length = len(joint.prefix) + len(answer)
        if length > self._model.context:
            raise UserError(
                f"sample {lesson.sample.id!r} of {lesson.task.id!r} takes {length} positions, the "
                f"model has {self._model.context}"
            )
        return Item(
            id=lesson.sample.id,
            prompt=joint.prefix,
            answer=answer,
            keys=tuple(image.key for image in images),
            open=partial(_open, lesson, self._max_pixels),
        )


def _open(lesson: Lesson, max_pixels: int) -> tuple[LoadedImage, ...]:
    return lesson.images(max_pixels)
