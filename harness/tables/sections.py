"""Which records may stand together, and in what the others differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.runs.record import ASKED, EvaluationRecord

_OF_ANSWERS = ("options_order", "max_new_tokens", "temperature")
_OWN = "the task's own"


def sections_of(records: Sequence[EvaluationRecord]) -> list[list[EvaluationRecord]]:
    """Put records apart so that, within a section, a task means one and the same thing.

    The most frequent variant of each task goes to the first section, the next to the second, and
    so on, those of a whole split before parts of it; ties go by first appearance.
    """
    variants = _variants(records)
    cut = {one for one, record in zip(variants, records, strict=True) if "limited" in record.marks}
    counted: dict[str, Counter[_Variant]] = {}
    for record, variant in zip(records, variants, strict=True):
        counted.setdefault(record.task, Counter())[variant] += 1
    places: dict[str, dict[_Variant, int]] = {}
    for task, counts in counted.items():
        frequent = [variant for variant, _ in counts.most_common()]
        places[task] = {
            one: place for place, one in enumerate(sorted(frequent, key=cut.__contains__))
        }
    sections: dict[int, list[EvaluationRecord]] = {}
    for record, variant in zip(records, variants, strict=True):
        sections.setdefault(places[record.task][variant], []).append(record)
    return [sections[index] for index in sorted(sections)]


@dataclass(frozen=True, slots=True)
class _Variant:
    fingerprint: str
    images: str | None


def _variants(records: Sequence[EvaluationRecord]) -> list[_Variant]:
    """Return each record's variant; one that opened no image joins those of its fingerprint."""
    images_of: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        if record.images is not None:
            key = (record.task, record.task_fingerprint)
            images_of.setdefault(key, Counter())[record.images] += 1
    variants = []
    for record in records:
        images = record.images
        digests = images_of.get((record.task, record.task_fingerprint))
        if images is None and digests is not None:
            images = digests.most_common(1)[0][0]
        variants.append(_Variant(record.task_fingerprint, images))
    return variants


def why(sections: Sequence[Sequence[EvaluationRecord]], index: int) -> str:
    """Say in what the tasks of a section differ from those of the first."""
    reasons, directories = [], set[Path]()
    for task in {record.task: None for record in sections[index]}:
        differing = next(record for record in sections[index] if record.task == task)
        first = next(record for record in sections[0] if record.task == task)
        if differing.directory in directories:
            continue  # the same evaluation, in a group of its samples
        directories.add(differing.directory)
        reasons.append(f"{differing.task_title} differs in {difference(first, differing)}")
    return "Not comparable with the rows above: " + "; ".join(reasons)


def difference(first: EvaluationRecord, second: EvaluationRecord) -> str:
    """Name the parts in which two records of one task differ."""
    parts = [
        name + _known(_facts(first).get(name, {}), _facts(second).get(name, {}))
        for name in dict.fromkeys([*first.task_parts, *second.task_parts])
        if first.task_parts.get(name) != second.task_parts.get(name)
    ]
    if first.images is not None and second.images is not None and first.images != second.images:
        parts.append("images")
    return ", ".join(parts) or "its fingerprint"


def _facts(record: EvaluationRecord) -> dict[str, Mapping[str, object]]:
    """Return what a record keeps of the parts of its task beside their hashes."""
    asked: Any = record.settings.get(ASKED, {})
    return {
        "spec": {"version": record.task_version},
        "prompt": {key: asked[key] for key in ("prompt", "system", "shots") if key in asked},
        "ask": {key: asked[key] for key in _OF_ANSWERS if key in asked},
        "options": record.task_options,
        "sample ids": {"samples": record.counts.samples},
    }


def _known(above: Mapping[str, object], here: Mapping[str, object]) -> str:
    texts = [
        f"{key} {here.get(key, _OWN)}, above {above.get(key, _OWN)}"
        for key in {**above, **here}
        if above.get(key) != here.get(key)
    ]
    return f" ({'; '.join(texts)})" if texts else ""
