"""Hold a benchmark's folder against what its release should be: counts, ids, labels, images."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from harness.errors import DataError, SampleError, UserError
from harness.evaluation.task import DRAWN, Task
from harness.plugins import find, plugins, thread_pool
from harness.readers import DescribesFiles, LeavesOut, PassesOver
from harness.readers.misplaced import elsewhere
from harness.samples import Box, ImageRef, Sample
from harness.samples.hashes import id_number
from harness.samples.images import open_image
from harness.samples.views import placed
from harness.specs import ChooseSpec

SHOWN = 10
WHOLE = "all"
"""The split of readers that deal out the others: the whole release."""

OPTION_LETTERS = "ABCDEFGHIJ"
_FEW = 20  # questions of which nothing is said
_OFTEN = 1.5  # times what chance gives
_AHEAD = 64  # images being opened at once, at most

Tick = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and of how many (``None`` when nobody knows)."""


@dataclass(slots=True)
class Finding:
    """One kind of problem in a split: how often, and some cases of it."""

    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count a case and keep the first ones."""
        self.count += 1
        if len(self.examples) < SHOWN:
            self.examples.append(example)


@dataclass(slots=True)
class SplitReport:
    """What a split holds.

    Attributes:
        counts: Unit (samples, images, clusters) to how many there are.
        published: Unit to how many the spec says there should be.
        opened: Images that were opened.
        hashes: Hash of an opened image's bytes to its name.
        problems: What is broken.
        notes: What was left out because an option says so.
    """

    split: str
    counts: dict[str, int] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)
    opened: int = 0
    hashes: dict[bytes, str] = field(default_factory=dict, repr=False)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "split": self.split,
            "counts": self.counts,
            "published": dict(self.published),
            "opened": self.opened,
            "problems": [_plain(finding) for finding in self.problems],
            "notes": [_plain(finding) for finding in self.notes],
        }


def check_task(task: Task, images: int | None, tick: Tick) -> list[SplitReport]:
    """Check every split of a task that is there, and the evaluated one in any case.

    Args:
        task: What is checked.
        images: How many images of each split are opened, always the same; ``None`` opens all.
        tick: Told of progress.

    Raises:
        UserError: the data cannot be found at all.
    """
    data = task.spec.data
    known_splits = find("reader", data.reader, plugins().readers()).splits
    if not known_splits and data.train_split:
        known_splits = (data.train_split,)
    # Splits nobody asks for may be left on the publisher's server; those of drawn data are drawn
    # when a run asks for them.
    drawn = DRAWN in task.located.marks
    splits = [
        split
        for split in dict.fromkeys((data.split, *known_splits))
        if split == data.split or (not drawn and _is_there(task, split))
    ]
    reports = [
        # The others are parts of everything: their images are opened with it.
        _check_split(task, split, 0 if WHOLE in splits and split != WHOLE else images, tick)
        for split in splits
    ]
    for index, report in enumerate(reports):
        for other in reports[:index]:
            _note_shared(report, other)
    return reports


def _note_shared(report: SplitReport, other: SplitReport) -> None:
    """Name images that stand in two splits; the name of a part starts with the whole's."""
    if report.split.startswith(other.split) or other.split.startswith(report.split):
        return
    shared = Finding(f"image also in {other.split}")
    for digest in report.hashes.keys() & other.hashes.keys():
        first, two = report.hashes[digest], other.hashes[digest]
        shared.add(first if first == two else f"{first} is {two}")
    shared.examples.sort()
    if shared.count:
        report.notes.append(shared)


def _is_there(task: Task, split: str) -> bool:
    """Whether a split is there, be it in part, by the files that the evaluated one does not use."""
    try:
        root = task.located.root
        files = list(task.reader.annotations(root, split))
        shared = {*task.reader.annotations(root, task.spec.data.split)}
    except UserError:
        return False
    only_its = [name for name in files if name not in shared]
    return any(map(root.is_file, only_its)) if only_its else all(map(root.is_file, files))


def _check_split(task: Task, split: str, images: int | None, tick: Tick) -> SplitReport:
    report = SplitReport(split, published=task.published(split))
    root = task.located.root
    missing = Finding("annotation file missing")
    files = list(task.reader.annotations(root, split))
    for name in files:
        if not root.is_file(name):
            missing.add(name)
    if missing.count:
        hint = elsewhere(root, [name for name in files if not root.is_file(name)])
        missing.examples += [hint.removeprefix("; ")] if hint else []
        report.problems.append(missing)
        return report
    chosen: list[ImageRef] = []
    boxes: _BoxesOf = {}
    try:
        chosen, boxes = _walk(task, report, images, tick)
        _note_what_the_reader_says(task, report)
    except DataError as error:
        report.problems.append(Finding("annotations broken", 1, [str(error)]))
    differs, unreadable = Finding("count differs"), Finding("image unreadable")
    for unit, number in report.published.items():
        if report.counts and report.counts[unit] != number:
            differs.add(f"{report.counts[unit]:,} {unit}, the release has {number:,}")
    misplaced, findings = Finding("box cannot be placed"), dict[str, Finding]()
    for look in _opened(chosen, boxes, split, tick):
        report.opened += 1
        if look.fault:
            unreadable.add(look.fault)
        else:
            report.hashes.setdefault(look.digest, look.name)
        for fault in look.misplaced:
            misplaced.add(fault)
        for note, times in look.notes.items():
            finding = findings.setdefault(note, Finding(note))
            finding.add(look.name)
            finding.count += times - 1
    report.problems += [finding for finding in (differs, unreadable, misplaced) if finding.count]
    report.notes += findings.values()
    return report


def _note_what_the_reader_says(task: Task, report: SplitReport) -> None:
    reader, root = task.reader, task.located.root
    if isinstance(reader, DescribesFiles) and report.counts:
        notes = reader.notes(root, report.split)
        report.notes += [Finding("read so", 1, [note]) for note in notes]
    if isinstance(reader, PassesOver) and report.counts:
        passed = reader.passed_over(root, report.split)
        report.notes += [Finding(what, count) for what, count in passed.items() if count]
    names = reader.left_out(root, report.split) if isinstance(reader, LeavesOut) else []
    if names and report.counts:
        report.notes.append(Finding("left out", len(names), names[:SHOWN]))
        # The release is whole if what was left out is counted with it.
        report.counts["samples"] += len(names)


_BoxesOf = dict[str, dict[tuple[Box, ...], None]]


def _walk(
    task: Task, report: SplitReport, images: int | None, tick: Tick
) -> tuple[list[ImageRef], _BoxesOf]:
    """Read a split once; return the images to open, and the boxes that are shown on them."""
    boxes: _BoxesOf = {}
    marked = bool(images != 0 and not task.spec.prompt.view.is_full)
    ids, clusters, seen_images = _Seen(), _Seen(), _Seen()
    twice, absent, outside, faulty = (
        Finding("id repeated"), Finding("image missing"), Finding("label outside the list"),
        Finding("sample that cannot be asked"),
    )  # fmt: skip
    findings: dict[str, Finding] = {}
    labels = frozenset(task.spec.labels) if isinstance(task.spec.ask, ChooseSpec) else None
    chosen, letters = _Chosen(images), _Letters()
    count = 0
    tick(f"{report.split}: reading", 0, None)
    for sample in task.reader.samples(task.located.root, report.split):
        count += 1
        if count % 1000 == 0:
            tick(f"{report.split}: reading", count, None)
        if not ids.add(sample.id):
            twice.add(sample.id)
        clusters.add(sample.cluster)
        if sample.fault is not None:
            faulty.add(f"{sample.id}: {sample.fault.message}")
        for note, times in sample.notes.items():
            finding = findings.setdefault(note, Finding(note))
            finding.add(sample.id)
            finding.count += times - 1
        if labels is not None and isinstance(sample.target, str) and sample.target not in labels:
            outside.add(f"{sample.id}: {sample.target}")
        letters.add(sample)
        for image in sample.images:
            if marked and sample.boxes:
                boxes.setdefault(image.name, {})[sample.boxes] = None
            if seen_images.add(image.name):
                if image.data is None and image.load is None and not _lies_there(image):
                    absent.add(image.name)
                else:
                    chosen.add(image)
    tick(f"{report.split}: reading", count, count)
    report.counts = {"samples": count, "images": len(seen_images), "clusters": len(clusters)}
    report.problems += [finding for finding in (twice, outside, faulty, absent) if finding.count]
    if not count and report.split in {task.spec.data.split, WHOLE}:
        report.problems.append(Finding("no sample", 1, [report.split]))
    report.notes += [*findings.values(), *letters.findings()]
    return chosen.images(), boxes


def _lies_there(image: ImageRef) -> bool:
    return image.root is not None and image.root.is_file(image.name)


class _Letters:
    """How often each letter is the right answer of questions whose options have letters."""

    def __init__(self) -> None:
        self._right: Counter[str] = Counter()
        self._by_chance = 0.0  # how often a letter taken by lot would be right

    def add(self, sample: Sample) -> None:
        """Count a sample; one whose right answer is not the letter of an option does not count."""
        options = [name for name in OPTION_LETTERS if sample.fields.get(name) not in (None, "")]
        if sample.target in options and len(options) > 1:
            self._right[str(sample.target)] += 1
            self._by_chance += 1 / len(options)

    def findings(self) -> list[Finding]:
        """Return a note where one letter is right far more often than by chance."""
        if sum(self._right.values()) < _FEW:
            return []
        letter, count = self._right.most_common(1)[0]
        if count < _OFTEN * self._by_chance:
            return []
        share = count / sum(self._right.values())
        kind = f"the right answer is {letter}: always answering {letter} gets {share:.0%}"
        return [Finding(kind, count)]


class _Seen:
    """A set of names at eight bytes of hash each."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, name: str) -> bool:
        """Add a name; return whether it is new."""
        before = len(self._hashes)
        self._hashes.add(id_number(name))
        return len(self._hashes) > before


class _Chosen:
    """All images, or those with the smallest hashes: the same ones every time."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._all: list[ImageRef] = []
        self._heap: list[tuple[int, str, ImageRef]] = []

    def add(self, image: ImageRef) -> None:
        if self._limit is None:
            self._all.append(image)
        elif self._limit:
            entry = (-id_number(image.name), image.name, image)
            if len(self._heap) < self._limit:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)

    def images(self) -> list[ImageRef]:
        """Return them; in the order of the data when all are wanted."""
        if self._limit is None:
            return self._all
        return [image for _, _, image in sorted(self._heap, key=lambda entry: entry[1])]


@dataclass(slots=True)
class _Look:
    """What there is to say of an image that was opened.

    Attributes:
        digest: Hash of its bytes.
        fault: Why it cannot be opened.
        misplaced: Why boxes cannot be placed on it.
        notes: Notes on those that can, and how often.
    """

    name: str
    digest: bytes = b""
    fault: str = ""
    misplaced: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)


def _opened(images: Iterable[ImageRef], boxes: _BoxesOf, split: str, tick: Tick) -> Iterator[_Look]:
    """Open images in parallel; yield what there is to say of each, in order."""

    def look(image: ImageRef) -> _Look:
        return _look(image, boxes.get(image.name, {}))

    waiting = iter(images)
    total = len(images) if isinstance(images, list) else None
    done = 0
    with thread_pool() as pool:
        ahead: list[Future[_Look]] = [pool.submit(look, one) for one in islice(waiting, _AHEAD)]
        while ahead:
            yield ahead.pop(0).result()
            done += 1
            tick(f"{split}: opening images", done, total)
            ahead += [pool.submit(look, one) for one in islice(waiting, 1)]


def _look(image: ImageRef, views: Iterable[tuple[Box, ...]]) -> _Look:
    look = _Look(image.name)
    try:
        opened = open_image(image)
    except SampleError as error:
        look.fault = str(error)
        return look
    look.digest = bytes.fromhex(opened.sha256)
    look.notes |= opened.notes
    for boxes in views:
        try:
            _, notes = placed(opened, boxes)
        except SampleError as error:
            look.misplaced.append(f"{image.name}: {error}")
            continue
        for note, times in notes.items():
            look.notes[note] = look.notes.get(note, 0) + times
    return look


def _plain(finding: Finding) -> dict[str, Any]:
    return {"kind": finding.kind, "count": finding.count, "examples": finding.examples}
