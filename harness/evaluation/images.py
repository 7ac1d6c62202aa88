"""Images of samples, opened and shown as a view says: here, or ahead in processes of their own.

What a process needs for it is light: no model library is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from threading import Thread
from typing import TypeVar

from harness.errors import SampleError
from harness.plugins import thread_pool
from harness.runs.sample_record import ImageFile
from harness.samples import Sample
from harness.samples.images import LoadedImage, OpenImage, open_image
from harness.samples.perturbed import perturbed
from harness.samples.views import View, apply_view

Item = TypeVar("Item")
Result = TypeVar("Result")

# What pickle raises for a closure, a lock, or a class that the other process does not find.
_UNPICKLABLE = (pickle.PicklingError, AttributeError, TypeError, ImportError)
AHEAD, AHEAD_BYTES = 4, 512 << 20
"""Blocks that are opened ahead of the one that is answered, and what their images may take."""
_PARTS = 2  # parts of a block per process, so that one with heavy images delays little


@dataclass(slots=True)
class Opened:
    """The images of a sample.

    Attributes:
        files: Hash, width and height of each that was opened.
        shown: Each as the view shows it.
        error: The fault that kept the next one from being opened or shown.
        notes: What the record says of the sample's images and boxes, and how often.
    """

    files: list[ImageFile] = field(default_factory=list)
    shown: list[LoadedImage] = field(default_factory=list)
    error: SampleError | None = None
    notes: dict[str, int] = field(default_factory=dict)

    def note(self, notes: Mapping[str, int]) -> None:
        """Count what is to be said of one more image or its boxes."""
        for note, times in notes.items():
            self.notes[note] = self.notes.get(note, 0) + times


Opener = Callable[[Sequence[Sample], View, OpenImage], list[Opened]]


def open_images(
    samples: Sequence[Sample], view: View, opening: OpenImage = open_image
) -> list[Opened]:
    """Return the images of samples, in order. Each distinct one is opened once."""
    opened: dict[tuple[object, str], LoadedImage | SampleError] = {}
    return [_opened(sample, view, opening, opened) for sample in samples]


def ahead(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    size: Callable[[Result], int] = lambda _: 0,
) -> Generator[Result]:
    """Yield what work makes of each item, in order; that of the next ones is made meanwhile.

    Args:
        items: Iterated in the caller's thread.
        work: Runs in a thread of its own.
        size: Bytes of a result: as many are made ahead as :data:`AHEAD_BYTES` hold by the largest
            so far, at least one and at most :data:`AHEAD`; one where it has no size.
    """
    source, largest = iter(items), 0
    waiting: deque[Future[Result]] = deque()
    with thread_pool(1) as pool:
        try:
            while True:
                count = min(AHEAD, AHEAD_BYTES // largest) if largest else 1
                for item in islice(source, 1 + max(1, count) - len(waiting)):
                    waiting.append(pool.submit(work, item))
                if not waiting:
                    return
                result = waiting.popleft().result()
                largest = max(largest, size(result))
                yield result
        finally:
            for future in waiting:
                future.cancel()


def _opened(
    sample: Sample,
    view: View,
    opening: OpenImage,
    by_key: dict[tuple[object, str], LoadedImage | SampleError],
) -> Opened:
    opened = Opened()
    try:
        for ref in sample.images:
            key = (ref.root, ref.name if ref.data is None else f"{sample.id}/{ref.name}")
            if key not in by_key:
                try:
                    by_key[key] = opening(ref)
                except SampleError as error:
                    by_key[key] = error
            image = by_key[key]
            if isinstance(image, SampleError):
                raise image
            opened.files.append(ImageFile(image.sha256, image.width, image.height))
            opened.note(image.notes)
            boxes = sample.boxes
            if view.perturbed is not None:
                shown, marked = view.perturbed, not view.is_full
                image, boxes = perturbed(image, sample, *shown, marked=marked)
                opened.files[-1] = opened.files[-1]._replace(view=image.key)
                opened.note(image.notes)
            viewed = apply_view(image, view, boxes)
            opened.shown.append(viewed)
            if viewed is not image:
                opened.note(viewed.notes)
    except SampleError as error:
        opened.error = error
    return opened


class Workers:
    """Processes that open images; a context that ends them.

    What they cannot do is done here, with the same result: samples whose references cannot be
    pickled, and all once a process has died.

    Args:
        number: Processes, at least 1; they start with the first samples.
        say: Told once that a process died.
    """

    def __init__(self, number: int, say: Callable[[str], None]) -> None:
        self._number = number
        self._say = say
        self._pool: ProcessPoolExecutor | None = ProcessPoolExecutor(
            number, multiprocessing.get_context("spawn"), _begin
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def open(self, samples: Sequence[Sample], view: View, opening: OpenImage) -> list[Opened]:
        """Return what :func:`open_images` returns."""
        parts = list(_cut(samples, self._number * _PARTS))
        waiting = [self._submit(part, view, opening) for part in parts]
        opened: list[Opened] = []
        for part, future in zip(parts, waiting, strict=True):
            done = None if future is None else self._result(future)
            opened += open_images(part, view, opening) if done is None else done
        return opened

    def _submit(
        self, samples: Sequence[Sample], view: View, opening: OpenImage
    ) -> Future[bytes | None] | None:
        if self._pool is None:
            return None
        bare = [Sample(held.id, held.images, None, "", boxes=held.boxes) for held in samples]
        try:
            wanted = pickle.dumps((bare, view, opening))
        except _UNPICKLABLE:
            return None
        try:
            with _interrupts_held():
                return self._pool.submit(_work, wanted)
        except BrokenProcessPool:
            self._lost()
            return None

    def _result(self, future: Future[bytes | None]) -> list[Opened] | None:
        """Return what a process opened, or nothing where it could not."""
        try:
            packed = future.result()
        except BrokenProcessPool:
            self._lost()
            return None
        if packed is None:
            return None
        opened: list[Opened] = pickle.loads(packed)  # noqa: S301  from a process of ours
        return opened

    def _lost(self) -> None:
        if self._pool is not None:
            self._pool = None
            self._say(
                "a process that opens images (--workers) died; nothing is lost, the run opens "
                "them itself from here on"
            )


def _cut(samples: Sequence[Sample], parts: int) -> Iterator[Sequence[Sample]]:
    """Cut samples into about ``number`` parts, those of one image together."""
    least, start = -(-len(samples) // parts), 0
    for end in range(1, len(samples) + 1):
        if end == len(samples) or (
            end - start >= least and samples[end].images != samples[end - 1].images
        ):
            yield samples[start:end]
            start = end


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which is the run's to handle."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where a mask is not inherited
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(wanted: bytes) -> bytes | None:
    """Open what is wanted; nothing where it or the result cannot cross between processes."""
    try:
        samples, view, opening = pickle.loads(wanted)  # noqa: S301  from a process of ours
    except _UNPICKLABLE:
        return None
    opened = open_images(samples, view, opening)
    try:
        return pickle.dumps(opened)
    except _UNPICKLABLE:
        return None
