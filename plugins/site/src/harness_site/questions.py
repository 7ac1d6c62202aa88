"""What samples were asked with: prompts, options and images, read again by the task's reader."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from harness.config.settings import Settings
from harness.errors import HarnessError, SampleError
from harness.evaluation.few_shot import choose_shots
from harness.evaluation.requests import open_sample
from harness.evaluation.task import DRAWN, Task
from harness.runs.record import EvaluationRecord
from harness.samples import Sample
from harness.samples.images import LoadedImage
from harness.samples.limits import MAX_PIXELS
from harness.specs.catalog import Catalog
from harness.specs.prompt import Shot, build_turns, options_as_sent, texts_to_embed
from harness.specs.variants import Variant
from harness.tables.layout import Layout

from harness_site.files import Site

# Parts of a task's fingerprint that decide on what is shown here.
SHOWN = ("ask", "data", "options", "prompt", "variant")
THUMB, LARGE = 192, 768
"""Longest sides in pixels of a thumbnail, and of what a click on it opens."""
_QUALITY = 75


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """One sample as it was asked.

    Attributes:
        turns: Role and text of each turn.
        options: Texts of the options as sent, in the order of the labels.
        images: File names of thumbnails.
        large: File names of larger copies, the thumbnail's where an image is no larger.
        note: Why images are not there; empty when all are, or were not wanted.
    """

    turns: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    note: str = ""
    large: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Sources of what records do not hold.

    Attributes:
        catalog: Task specs, for prompts.
        settings: Where data lie, for prompts and images.
        images: Samples of a set that get their thumbnails, at most.
        with_images: Whether images of people who are not drawn are shown too.
        figures: Whether to draw figures.
        say: Told what was left out.
        layouts: Tables that come first.
    """

    catalog: Catalog
    settings: Settings
    images: int
    with_images: bool = False
    figures: bool
    say: Callable[[str], None]
    layouts: tuple[Layout, ...] = ()


@dataclass
class Questions:
    """The questions of one task as an evaluation asked them.

    Attributes:
        wanted: Samples that get their thumbnails, at most.
        problem: Why nothing can be shown; empty when it can.
        licence: Terms of the data whose images are shown; empty where none is.
        withheld: Whether images are left out since they may show people.
        prompts_kept: Whether a record holds its prompts itself.
    """

    site: Site
    folder: str
    wanted: int
    problem: str = ""
    licence: str = ""
    withheld: bool = False
    prompts_kept: bool = False
    _task: Task | None = None
    _shots: list[Shot] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _last: tuple[Any, tuple[_Shown, ...]] = ((), ())

    @classmethod
    def of(cls, record: EvaluationRecord, sources: Sources, site: Site, folder: str) -> Questions:
        """Find the task's data; a problem is returned in ``problem``, not raised.

        Args:
            record: An evaluation that asked them.
            sources: Specs and settings.
            site: Gets the thumbnails.
            folder: Folder of the thumbnails, within the site.
        """
        made = cls(site, folder, sources.images)
        try:
            spec = sources.catalog.task(record.task, record.task_options)
            variant = Variant.named(record.variant) if record.variant else None
            task = Task(replace(spec, variant=variant), sources.settings)
            parts = task.parts()
            differ = [
                part for part in SHOWN if parts.get(part, "") != record.task_parts.get(part, "")
            ]
            if differ:
                made.problem = f"here they differ from those asked: {', '.join(differ)}"
                return made
            seed = int(str(record.settings.get("seed", 0)))
            made._shots = [Shot(sample) for sample in choose_shots(task, seed)]
            made._task = task
            drawn = DRAWN in task.located.marks
            made.withheld = bool(made.wanted) and not (drawn or sources.with_images)
            if made.withheld:
                made.wanted = 0
            elif made.wanted:
                made.licence = " ".join(spec.licence.split())
        except HarnessError as error:
            made.problem = error.message
            if record.task not in sources.catalog.entries:
                made.problem += " (--include FILE names its spec)"
        return made

    def each(self) -> Iterator[tuple[str, Sample]]:
        """Yield ids and samples in the reader's order; nothing where there is a problem."""
        if self._task is None:
            return
        try:
            for sample in self._task.samples():
                yield sample.id, sample
        except HarnessError as error:
            self.problem = error.message

    def asked(self, sample: Sample, *, with_images: bool) -> AskedQuestion:
        """Return a sample as it was asked, with thumbnails where they are wanted or there."""
        assert self._task is not None
        spec = self._task.spec
        try:
            turns = build_turns(spec, sample, (), self._shots)
            options = options_as_sent(spec, sample) or texts_to_embed(spec, sample)
        except (SampleError, HarnessError) as error:
            return AskedQuestion(note=error.message)
        messages = tuple((turn.role, turn.text) for turn in turns)
        try:
            images = self._images(sample, with_images=with_images)
        except SampleError as error:
            return AskedQuestion(messages, options, note=error.message)
        thumbs = tuple(image.thumb for image in images)
        return AskedQuestion(
            messages, options, thumbs, large=tuple(image.large for image in images)
        )

    def _images(self, sample: Sample, *, with_images: bool) -> tuple[_Shown, ...]:
        key = (sample.images, sample.boxes)
        # Questions about one image follow each other.
        if self._last[0] == key:
            return self._last[1]
        if self._task is None or not with_images:
            return ()
        images = []
        for image in open_sample(self._task.spec, sample, MAX_PIXELS):
            name = f"{self.folder}/{image.key[:20]}"
            larger = max(image.pixels.size) > THUMB
            if name not in self._seen:
                self._seen.add(name)
                self.site.write(f"{name}.jpg", _copy(image, THUMB))
                if larger:
                    self.site.write(f"{name}-large.jpg", _copy(image, LARGE))
            images.append(_Shown(f"{name}.jpg", f"{name}-large.jpg" if larger else f"{name}.jpg"))
        self._last = key, tuple(images)
        return self._last[1]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Names of the files of one image."""

    thumb: str
    large: str


def _copy(image: LoadedImage, side: int) -> bytes:
    small, buffer = image.pixels.copy(), io.BytesIO()
    small.thumbnail((side, side))
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
