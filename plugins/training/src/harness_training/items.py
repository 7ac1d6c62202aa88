"""Examples as ids, once a training; images stay closed while their features are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from harness.engine.contract import VisionLanguageModel
from harness.engine.tokenize import Ids
from harness.errors import UserError
from harness.samples.images import LoadedImage
from harness.training.contract import Example

from harness_training.module import Item
from harness_training.pool import Lesson, Pool

Weigh = Callable[[Example, Sequence[str]], Sequence[float] | None]


class Items:
    """Makes an :class:`Item` of a place in the pool.

    Args:
        pool: What is trained on.
        model: Turns chats into ids.
        max_pixels: Larger images are refused.
        weigh: Weighs the tokens of an answer, as :meth:`Recipe.token_weights` does.
    """

    def __init__(
        self,
        pool: Pool,
        model: VisionLanguageModel,
        max_pixels: int,
        weigh: Weigh | None = None,
    ) -> None:
        self._pool = pool
        self._model = model
        self._max_pixels = max_pixels
        self._weigh = weigh
        self._known: dict[tuple[int, str], Item] = {}
        self.epoch = 0

    def __call__(self, index: int, weight: float, rejected: str = "") -> Item:
        """Return the example with a weight, and with the answer that it is preferred to.

        Raises:
            SampleError: an image that cannot be opened.
            UserError: a prompt and answer longer than the model's context.
        """
        item = self._known.get((index, rejected))
        if item is None:
            item = self._known[index, rejected] = self._item(index, rejected)
        return item if weight == 1 else item.weighted(weight)

    def _item(self, index: int, rejected: str) -> Item:
        lesson = self._pool.lessons[index]
        images = lesson.images(self._max_pixels)
        texts = (lesson.taught(), rejected) if rejected else (lesson.taught(),)
        joint = self._model.prompt(lesson.turns(images), texts)
        answer, *others = [self._ended(ids) for ids in joint.options]
        length = len(joint.prefix) + max(map(len, (answer, *others)))
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
            token_weights=self._weights(index, answer),
            rejected=others[0] if others else (),
        )

    def _ended(self, ids: Ids) -> Ids:
        return ids if ids and ids[-1] in self._model.ends else (*ids, self._model.end)

    def _weights(self, index: int, answer: Ids) -> tuple[float, ...]:
        if self._weigh is None:
            return ()
        tokens = [self._model.decode((token,)) for token in answer]
        return tuple(self._weigh(self._pool.examples[index], tokens) or ())


def _open(lesson: Lesson, max_pixels: int) -> tuple[LoadedImage, ...]:
    return lesson.images(max_pixels)
