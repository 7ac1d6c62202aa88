"""From sample records to values, intervals, slices and comparisons: one stream over the journal."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.evaluation.collectors import Collector, Shared, collector_of
from harness.evaluation.collectors.frame import frame_of
from harness.evaluation.score import scored_each
from harness.evaluation.slices import SliceCounts, by_slice
from harness.metrics import ScoredSample
from harness.requests.reasoning import holds_reasoning
from harness.runs.record import Counts, Detail, GroupComparison, MetricValue, SliceValue
from harness.runs.sample_record import SampleRecord
from harness.specs import TaskSpec

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{0,15})?")
_EXAMPLES = 1000  # clusters that an example is looked for among
TIED = "answers of which several options have the highest score, so that the first of them counts"


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a task's records. ``images`` is ``None`` when none was opened."""

    counts: Counts
    metrics: tuple[MetricValue, ...]
    slices: tuple[SliceValue, ...]
    images: str | None
    machine_labelled: bool
    by_annotators: bool
    details: tuple[Detail, ...] = ()
    comparisons: tuple[GroupComparison, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return ``metrics.json``; a value that is there says no reason why it is not."""
        lists = ("metrics", "slices", "details", "comparisons")
        return {
            name: [asdict(value, dict_factory=_said) for value in getattr(self, name)]
            for name in lists
        }


def summarise(
    spec: TaskSpec,
    blocks: Iterable[list[SampleRecord]],
    *,
    seed: int = 0,
    left_out: Mapping[str, int] | None = None,
) -> Summary:
    """Compute every metric of a task, overall, by slice and compared over slices.

    Samples that errored are counted and left out; unparsed answers and refusals are scored as
    wrong by the metrics and counted. ``left_out`` is what of the data became no sample.
    """
    shared: Shared = {}
    spellings = _Spellings(spec.unit)
    collectors = [collector_of(metric, spec, shared) for metric in spec.metrics]
    slices = [SliceCounts(name) for name in sorted(spec.slices)]
    frame = frame_of(spec)
    samples = errors = unparsed = refusals = unlabelled = cut = unfinished = 0
    notes = dict(left_out or {})
    digest, any_image, annotated = hashlib.sha256(), False, False
    for block in blocks:
        scored: list[ScoredSample] = []
        for record in block:
            samples += 1
            for image in record.images:
                any_image = True
                digest.update(image.sha256.encode())
            for note, times in record.notes.items():
                notes[note] = notes.get(note, 0) + times
            if record.error is not None:
                errors += 1
                continue
            problem = record.problem
            for note in _remarks(record):
                notes[note] = notes.get(note, 0) + 1
            unparsed += problem == "unparsed"
            refusals += problem == "refusal"
            unlabelled += record.target is None
            if record.written is not None:
                cut += record.written.finish == "length"
                unfinished += bool(record.written.unfinished)
            annotated |= record.annotators is not None
            for position, sample in enumerate(scored_each(record, spec)):
                scored.append(sample)
                spellings.add(record.cluster)
                for counted in slices:
                    counted.add(record.groups.get(counted.name), problem, counts=not position)
        frame.add(*scored)
        for collector in collectors:
            collector.add(*scored)
    values = tuple(collector.overall(frame, seed) for collector in collectors)
    for collector, value in zip(collectors, values, strict=True):
        notes |= _of_metric(collector, value, samples - errors, labelled=samples > unlabelled)
    notes |= _without_values(slices, samples - errors) | _alike(slices)
    notes |= spellings.notes(frame.number)
    by_slices = [by_slice(counted, collectors, frame, seed) for counted in slices]
    counts = Counts(
        samples, samples - errors, errors, unparsed, refusals, frame.number, unlabelled, cut,
        unfinished, notes,
    )  # fmt: skip
    return Summary(
        counts,
        values,
        tuple(value for listed, _ in by_slices for value in listed),
        digest.hexdigest() if any_image else None,
        any(counted.machine for counted in slices),
        annotated,
        tuple(table for collector in collectors for table in collector.tables(frame, seed)),
        tuple(comparison for _, listed in by_slices for comparison in listed),
    )


def _said(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if (name, value) != ("undefined", "")}


def _of_metric(
    collector: Collector, value: MetricValue, scored: int, *, labelled: bool
) -> Mapping[str, int]:
    notes, reason = collector.notes(), getattr(collector.metric, "undefined", "")
    if collector.needs_target and not labelled:
        reason = "none has a right answer"
    if value.value is None and scored and (reason or not notes):
        reason = reason and f" ({reason})"
        notes = {**notes, f"samples, over which {value.column} is undefined{reason}": scored}
    return notes


def _without_values(slices: Iterable[SliceCounts], scored: int) -> dict[str, int]:
    empty = [counted.name for counted in slices if scored and not counted.values]
    return {f"samples, of which none has the group {name!r}": scored for name in empty}


class _Spellings:
    """Counts clusters by how they look, in 8 bytes for each run of samples of one.

    Images are left alone: files whose names differ in their case are two.
    """

    def __init__(self, unit: str) -> None:
        self._unit, self._last = unit, ""
        self._looks = array("q")
        self._first: dict[str, str] = {}
        self._example = ""

    def add(self, cluster: str) -> None:
        """Add the cluster of the next sample."""
        if cluster == self._last or self._unit == "image":
            return
        self._last, look = cluster, seen(cluster)
        self._looks.append(hash(look))
        if len(self._first) < _EXAMPLES or look in self._first:
            first = self._first.setdefault(look, cluster)
            if first != cluster and not self._example:
                self._example = f", {_in_ascii((first, cluster))}"

    def notes(self, clusters: int) -> dict[str, int]:
        """Return how many clusters count apart though they are written almost alike."""
        apart = clusters - len(np.unique(self._looks)) if self._looks else 0
        note = f"clusters ({self._unit}) that count apart from one written almost alike"
        return {note + self._example: apart} if apart > 0 else {}


def _alike(slices: Iterable[SliceCounts]) -> dict[str, int]:
    """Return groups that are written almost alike, and so counted apart, with their samples."""
    notes: dict[str, int] = {}
    for counted in slices:
        spellings: dict[str, list[str]] = {}
        for value in sorted(counted.values):
            spellings.setdefault(seen(value), []).append(value)
        for values in spellings.values():
            if len(values) > 1:
                note = f"samples of groups of {counted.name!r} that are written almost alike, "
                note += _in_ascii(values[:4])
                notes[note] = sum(counted.values[value].n for value in values)
    return notes


def _in_ascii(values: Iterable[str]) -> str:
    return ", ".join(ascii(value[:40]) for value in values)


def seen(value: str) -> str:
    """Return a number as such; of a text all but its case, its blanks, and what nobody sees."""
    plain = "".join(unicodedata.normalize("NFKC", value).casefold().split())
    if _NUMBER.fullmatch(plain):
        return str(float(plain))
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(sign for sign in plain if unicodedata.category(sign) not in {"Cf", "Cc"})


def _remarks(record: SampleRecord) -> Iterator[str]:
    """Yield what the table has to say of how an answer was read."""
    if record.scores is not None and record.answer is not None:
        values = record.scores.values
        if values.count(max(values)) > 1:
            yield TIED
    if record.written is not None and (markers := holds_reasoning(record.written.text)):
        yield f"answers read with the reasoning in them ({markers})"
