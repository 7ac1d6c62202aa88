"""Images that are no longer those an evaluation was made from.

A fingerprint holds no pixels: reading every image to plan would take as long as to answer. So
before an evaluation is returned or continued, a few of its images are hashed again. Workers compare
theirs with the coordinator's in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from harness.descriptors import Json
from harness.errors import SampleError, UserError
from harness.evaluation.task import Task
from harness.runs.sample_record import SampleRecord
from harness.samples.images import image_hash

T = TypeVar("T")
SPAN = 4096
"""Samples, from the first on, among which images are looked at."""
IMAGES = 16
"""Samples whose images are hashed, spread over the span."""


def refuse_exchanged(task: Task, records: Iterable[SampleRecord]) -> None:
    """Refuse an evaluation whose images have been exchanged since.

    An image that cannot be read now says nothing: results outlive their data.

    Args:
        task: What is asked now.
        records: The evaluation's records, in plan order.

    Raises:
        UserError: an image has other bytes than those that were recorded.
    """
    recorded = [record for record in islice(records, SPAN) if record.images]
    images_of = {record.id: record.images for record in _spread(recorded)}
    for sample in islice(task.samples(), 2 * SPAN):
        for reference, image in zip(sample.images, images_of.pop(sample.id, ()), strict=False):
            try:
                same = image_hash(reference) == image.sha256
            except SampleError:
                continue
            if not same:
                raise UserError(
                    f"the image of sample {sample.id!r} differs from the one recorded by "
                    f"task {task.id!r}",
                    where=task.located.origin,
                    fix="--again evaluates again and replaces the records; --results FOLDER keeps "
                    "both; or give the folder of images that was used before",
                )
        if not images_of:
            return


def few_hashes(task: Task) -> dict[str, Json]:
    """Return hashes of a few images of a task, by the id of their sample.

    An image that cannot be read has no hash.
    """
    samples = [sample for sample in islice(task.samples(), SPAN) if sample.images]
    hashes: dict[str, Json] = {}
    for sample in _spread(samples):
        with suppress(SampleError):
            hashes[sample.id] = [image_hash(reference) for reference in sample.images]
    return hashes


def _spread(items: Sequence[T]) -> Sequence[T]:
    return items[:: max(1, len(items) // IMAGES)]
