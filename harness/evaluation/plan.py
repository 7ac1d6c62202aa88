"""The plan of one task: which samples, in which blocks, under which fingerprint.

One pass over the reader; a million samples cost a few bytes each, and no image is opened.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from harness.config.tasks import typed
from harness.descriptors import Json
from harness.errors import DataError, UserError, nearest, quoted
from harness.evaluation.collectors import check_metrics
from harness.evaluation.task import PLUGIN_CODE, Task
from harness.plugins import contract_of, find, plugins
from harness.samples import Sample
from harness.samples.hashes import id_number
from harness.specs import GenerateSpec, fingerprint
from harness.specs.prompt import prompt_fields, refuse_unrenderable

# A block is whole images: at most the first number, and fewer where their samples pass the second.
BLOCK_IMAGES = 64
BLOCK_SAMPLES = 4096
BLOCK_TOKENS = 1 << 16
"""Tokens that a block's answers may take: about a minute of a GPU, so that a kill loses no more."""
IDS = "sample ids"
"""The part of a fingerprint that is the SHA-256 of every id, each followed by a newline."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples of a split are asked.

    Attributes:
        limit: This many samples, those whose id has the smallest hash: the same everywhere, and
            spread over a split that is sorted by class. A fraction is that share of the split.
        ids: Exactly these.
    """

    limit: int | float | None = None
    ids: frozenset[str] | None = None

    @property
    def named(self) -> dict[str, Json]:
        """What of it stands in a row's name; texts of ids would be too long."""
        return {"limit": self.limit} if self.ids is None else {"ids": len(self.ids)}

    @property
    def is_everything(self) -> bool:
        """Whether the whole split is asked."""
        return self.limit is None and self.ids is None

    def narrowed(self, task: Task) -> Selection:
        """Return a selection by ids, or of everything where it leaves nothing out.

        Raises:
            UserError: when an id asked for is not in the split.
        """
        if self.ids is not None:
            missing, others = set(self.ids), 0
            for sample in task.samples():
                missing.discard(sample.id)
                others += sample.id not in self.ids
            for name in sorted(missing):
                examples = [sample.id for sample in islice(task.samples(), 5000)]
                raise UserError(
                    f"task {task.id!r} has no sample {name!r}", fix=nearest(name, examples)
                )
            return Selection(ids=self.ids if others else None)
        if self.limit is None:
            return self
        count = self.limit
        if isinstance(count, float):
            samples = sum(len(names) for names in _ids(task, Selection()))
            if count * samples < 1:
                raise UserError(
                    f"{count:g} of the {samples:,} samples of {task.id!r} is less than one",
                    where="--limit",
                    fix="a number of samples, such as --limit 1",
                )
            count = math.ceil(count * samples)
        smallest = heapq.nsmallest(
            count + 1, ((id_number(name), name) for names in _ids(task, self) for name in names)
        )
        is_part = len(smallest) > count
        return Selection(ids=frozenset(name for _, name in smallest[:count]) if is_part else None)

    def of(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Return the selected samples, in the reader's order."""
        ids = self.ids
        return iter(samples) if ids is None else (one for one in samples if one.id in ids)


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task, planned.

    Attributes:
        blocks: Samples in each block, in order.
        parts: The hash of each part of the fingerprint.
        fingerprint: Hash of the parts.
        lineage: Hash of the parts but plugins' code.
        code: Code of the plugins that read and score.
        left_out: What of the split's files became no sample, in words, and how often.
        empty_slices: Slices of the spec that no sample has a value in, with what may be meant.
    """

    task: Task
    selection: Selection
    blocks: Sequence[int]
    samples: int
    parts: dict[str, str]
    fingerprint: str
    lineage: str
    code: dict[str, Json]
    limited: bool
    marks: tuple[str, ...] = field(default=())
    left_out: Mapping[str, int] = field(default_factory=dict)
    empty_slices: Mapping[str, str] = field(default_factory=dict)

    def stream(self) -> Iterator[list[Sample]]:
        """Yield the samples of each block, in order."""
        samples, reader = self.selection.of(self.task.samples()), self.task.spec.data.reader
        for size in self.blocks:
            block = list(islice(samples, size))
            if len(block) < size:
                raise contract_of(find("reader", reader, plugins().readers())).wrong(
                    "yields fewer samples the second time it is asked for the same split"
                )
            yield block


def plan_task(task: Task, selection: Selection, shots: Sequence[str] = ()) -> TaskPlan:
    """Read a task's annotations once and cut its samples into blocks of whole images.

    Args:
        task: What is planned.
        selection: Which samples are asked.
        shots: Ids of the few-shot examples shown before each question.

    Raises:
        UserError: data missing, a sample id asked for that is not there, no sample at all.
        DataError: annotations that cannot be read, or two samples with one id.
    """
    try:
        check_metrics(task.spec)
        parts = task.parts()
    except UserError as error:
        error.where = error.where or str(task.spec.source or task.id)
        raise
    narrowed = selection.narrowed(task)
    digest = hashlib.sha256()
    blocks, hashes = array("q"), array("q")
    most = _block_samples(task)
    open_size = open_images = 0
    empty_slices: dict[str, str] = {}
    for size in _hashed(_ids(task, narrowed, empty_slices), digest, hashes):
        if open_images == BLOCK_IMAGES or (open_size and open_size + size > most):
            blocks.append(open_size)
            open_size = open_images = 0
        open_size += size
        open_images += 1
    if open_size:
        blocks.append(open_size)
    if not hashes:
        raise UserError(
            f"task {task.id!r} has no sample in split {task.spec.data.split!r}",
            where=task.located.root,
            fix=f"harness data check {typed(task.spec)} says what the folder holds",
        )
    _refuse_repeated(task, narrowed, hashes)
    parts[IDS] = digest.hexdigest()
    if shots:
        parts["shots"] = fingerprint(list(shots))
    all_parts: Json = dict(parts)
    without_code: Json = {name: part for name, part in parts.items() if name != PLUGIN_CODE}
    return TaskPlan(
        task,
        narrowed,
        blocks,
        len(hashes),
        parts,
        fingerprint(all_parts),
        fingerprint(without_code),
        task.code(),
        limited=not narrowed.is_everything,
        marks=task.located.marks,
        left_out=task.left_out(
            task.spec.data.split,
            len(hashes) // len(task.endings) if narrowed.is_everything else None,
        ),
        empty_slices=empty_slices,
    )


def _hashed(images: Iterator[list[str]], digest: Any, hashes: array[int]) -> Iterator[int]:
    """Yield how many samples each image has; ids are hashed many at a time, which is faster."""
    # With more lists than this the garbage collector would start, and look at all of the process.
    while some := list(islice(images, 200)):
        names = list(chain.from_iterable(some))
        digest.update(("\n".join(names) + "\n").encode())
        hashes.extend(map(hash, names))
        yield from map(len, some)


def _block_samples(task: Task) -> int:
    """Return the most samples of a block; fewer where a long answer is written for each."""
    ask = task.spec.ask
    if not isinstance(ask, GenerateSpec):
        return BLOCK_SAMPLES
    return min(BLOCK_SAMPLES, max(1, BLOCK_TOKENS // (ask.max_new_tokens + ask.reasoning.tokens)))


def _ids(
    task: Task, selection: Selection, empty_slices: dict[str, str] | None = None
) -> Iterator[list[str]]:
    """Yield the ids of each image's samples, in the reader's order; note slices that are empty."""
    # An id is all that is needed here; a sample for each value would take many times as long.
    whole = selection.ids is None
    samples = task.read() if whole else selection.of(task.samples())
    endings = task.endings if whole else ("",)
    whole_ids = endings == ("",)
    image: object = None
    names: list[str] = []
    for sample in _looked_at(task, samples, {} if empty_slices is None else empty_slices):
        images, last = sample.images, image
        # This loop is most of what planning costs; a sample without images is a unit of its own.
        if len(images) == 1:
            image = images[0].name
        else:
            image = tuple([each.name for each in images]) or sample.id
        if image != last and names:
            yield names
            names = []
        names += [sample.id] if whole_ids else [sample.id + ending for ending in endings]
    if names:
        yield names


def _looked_at(
    task: Task, samples: Iterator[Sample], empty_slices: dict[str, str]
) -> Iterator[Sample]:
    """Yield samples; in the end note slices that none of them has a value in.

    Raises:
        UserError: in the end, when the prompt names a field that none of them has.
        DataError: in the end, when a right answer is none of the options: no answer is right then.
    """
    lacking, known = prompt_fields(task.spec), set[str]()
    empty, groups = set(task.spec.slices), set[str]()
    kinds = [find("metric", metric.id, plugins().metrics()) for metric in task.spec.metrics]
    options, strays = frozenset(task.options if any(kind.needs_target for kind in kinds) else ()), 0
    first = stray = None
    for sample in samples:
        if lacking or empty or first is None:
            first = first or sample
            known.update(sample.fields)
            groups.update(sample.groups)
            lacking -= known
            empty -= groups
        target = sample.target
        if options and type(target) is str and target not in options:
            stray, strays = stray or sample, strays + 1
        yield sample
    empty_slices |= {name: nearest(name, groups) for name in sorted(empty)}
    if stray is not None:
        answer = str(stray.target)
        raise DataError(
            f"a right answer is none of the options: {quoted(answer)} of {quoted(stray.id)} "
            f"(samples with such answers: {strays:,})",
            where=f"{task.located.root}: ask.choose.labels", fix=nearest(answer, options),
        )  # fmt: skip
    if first is not None and (lacking or {"prompt", "system"} & task.spec.asked.keys()):
        refuse_unrenderable(task.spec, first, lacking, known)


def _refuse_repeated(task: Task, selection: Selection, hashes: array[int]) -> None:
    # numpy's unique looks millions of values up in a table, which takes ten times as long.
    values = np.sort(np.frombuffer(hashes, dtype=np.int64))
    if not (values[1:] == values[:-1]).any():
        return
    seen: set[str] = set()
    for sample in selection.of(task.samples()):
        if sample.id in seen:
            raise DataError(
                f"two samples of {task.id!r} have the id {sample.id!r}", where=task.located.root,
                fix="take the files as the release has them: an entry stands there twice",
            )  # fmt: skip
        seen.add(sample.id)
