"""JRDB-Social: one label file per sequence, stitched images in one folder per sequence.

Layout and lists of sequences follow the release's toolkit (sjahangard/JRDB-Social).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError, quoted
from harness.readers import records
from harness.readers.json_stream import members
from harness.samples import Box, DataRoot, Group, ImageRef, Sample

from harness_benchmarks.readers.passed_over import PassedOver, beside

TRAIN = (
    "bytes-cafe-2019-02-07_0", "clark-center-2019-02-28_0",
    "clark-center-intersection-2019-02-28_0", "cubberly-auditorium-2019-04-22_0",
    "forbes-cafe-2019-01-22_0", "gates-159-group-meeting-2019-04-03_0",
    "gates-basement-elevators-2019-01-17_1", "gates-to-clark-2019-02-28_1",
    "hewlett-packard-intersection-2019-01-24_0", "huang-basement-2019-01-25_0",
    "huang-lane-2019-02-12_0", "jordan-hall-2019-04-22_0", "memorial-court-2019-03-16_0",
    "packard-poster-session-2019-03-20_0", "packard-poster-session-2019-03-20_1",
    "packard-poster-session-2019-03-20_2", "stlc-111-2019-04-19_0",
    "svl-meeting-gates-2-2019-04-08_0", "svl-meeting-gates-2-2019-04-08_1",
    "tressider-2019-03-16_0",
)  # fmt: skip
VALID = (
    "clark-center-2019-02-28_1", "gates-ai-lab-2019-02-08_0", "huang-2-2019-01-25_0",
    "meyer-green-2019-03-16_0", "nvidia-aud-2019-04-18_0", "tressider-2019-03-16_1",
    "tressider-2019-04-26_2",
)  # fmt: skip
SPLITS = ("train", "valid", "test")
NO_INTERACTION = "mentions of a pair without an interaction, left out"
NO_BOX = "pairs whose partner has no box in the frame, left out"
ONE_PERSON = "pairs of a person with itself, left out"
TWICE = "boxes of a person who has another in the same frame: the last counts"
SEVERAL = "pairs with several interactions, which the option multi drops"
BOXES = ("first person", "second person")
_LABELS = "labels/labels_2d_activity_social_stitched"
_TRAITS = ("gender", "race", "age")


class JrdbSocial:
    """Reader of JRDB-Social: one sample per interacting pair in a frame.

    A pair stands once a frame, as its first mention has it. A partner without a box in the frame
    cannot be asked about; such pairs are left out.

    Args:
        options: ``multi`` (``first`` or ``drop``: what becomes of a pair with several
            interactions), ``train_sequences``, ``valid_sequences``, ``test_sequences`` (separated
            by commas), ``size`` (``3760x480``: of the images that were marked; ``any``: not said),
            ``unit`` (``sequence`` or ``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._drop = records.choice(options, "multi", ("first", "drop")) == "drop"
        self._unit = records.choice(options, "unit", ("sequence", "image"))
        self._size = _size(str(options.get("size")))
        self._passed = PassedOver()
        self._sequences = {
            split: _names(options.get(f"{split}_sequences"), default)
            for split, default in zip(SPLITS, (TRAIN, VALID, ()), strict=True)
        }

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return one label file a sequence.

        Raises:
            UserError: for the test split without sequences: its labels are not public.
        """
        del root
        names = self._sequences[records.known_split(split, SPLITS)]
        if not names:
            raise UserError(
                f"no sequences are known for the split {split!r} (test labels are not public)",
                fix=f"name them in the option {split}_sequences, or use the split 'valid'",
            )
        return [f"{_LABELS}/{name}.json" for name in names]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield pairs frame by frame, sequence by sequence."""
        passed = self._passed.begin(root, split)
        for path in self.annotations(root, split):
            for frame, entries in members(root, path, inside="labels"):
                yield from self._frame(root, path, frame, entries, passed)

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many pairs cannot be asked about or are dropped, and lists of no split."""
        every = [f"{_LABELS}/{name}.json" for names in self._sequences.values() for name in names]
        return {**self._passed.of(self, root, split), **beside(root, every)}

    def _frame(
        self, root: DataRoot, path: str, frame: str, entries: Any, passed: Counter[str]
    ) -> Iterator[Sample]:
        sequence = PurePosixPath(path).stem
        where = f"{root.where(path)}: {quoted(frame)}"
        people: dict[str, Any] = {}
        for index, entry in enumerate(records.as_list(entries, "a frame", where)):
            name = records.member(entry, "label_id", f"{where} [{index}]")
            ident = records.as_text(name, "label_id", f"{where} [{index}]")
            passed[TWICE] += ident in people
            people[ident] = entry
        done = set()
        for name, entry in people.items():
            person_at = f"{where}, {quoted(name)}"
            links = entry.get("H-interaction") or []
            for link in records.as_list(links, "H-interaction", person_at):
                other = records.as_text(records.member(link, "pair", person_at), "pair", person_at)
                pair = frozenset((name, other))
                value = records.member(link, "inter_labels", person_at)
                labels = list(records.as_mapping(value, "inter_labels", person_at).items())
                if pair in done:
                    continue
                reason = self._why_not(labels, pair, people)
                if reason != NO_INTERACTION:  # another mention of the pair may have one
                    done.add(pair)
                if reason:
                    passed[reason] += 1
                    continue
                boxes = [
                    _box(person, people[person], role, self._size, f"{where}, {quoted(person)}")
                    for person, role in zip((name, other), BOXES, strict=True)
                ]
                yield Sample(
                    id=f"{sequence}/{frame}/{_number(name)}-{_number(other)}",
                    images=(ImageRef(f"images/image_stitched/{sequence}/{frame}", root),),
                    target=labels[0][0],
                    cluster=sequence if self._unit == "sequence" else f"{sequence}/{frame}",
                    groups=_groups(entry, people[other], labels[0][1]),
                    boxes=tuple(boxes),
                )

    def _why_not(
        self, labels: Sequence[Any], pair: frozenset[str], people: Mapping[str, Any]
    ) -> str:
        """Return why a pair is not a sample; nothing when it is one."""
        if len(pair) < 2:
            return ONE_PERSON
        if not labels:
            return NO_INTERACTION
        if not people.keys() >= pair:
            return NO_BOX
        return SEVERAL if self._drop and len(labels) > 1 else ""


def _names(value: Json, default: tuple[str, ...]) -> tuple[str, ...]:
    if value is None:
        return default
    parts = value if isinstance(value, list) else str(value).split(",")
    return tuple(name for part in parts if (name := str(part).strip()))


def _number(name: str) -> str:
    return name.removeprefix("pedestrian:")


def _size(text: str) -> tuple[int, int] | None:
    """Return width and height of ``3760x480``, ``None`` for ``any``."""
    if text == "any":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if match is None:
        raise UserError(
            f"{quoted(text)} is not a size", where="option 'size'", fix="3760x480, or any"
        )
    return int(match[1]), int(match[2])


def _box(name: str, entry: Any, role: str, size: tuple[int, int] | None, where: str) -> Box:
    value = records.member(entry, "box", where)
    x, y, width, height = records.numbers(value, 4, f"box of {quoted(name)}", where)
    return Box(role, x, y, x + width, y + height, size=size)


def _groups(first: Any, second: Any, difficulty: Any) -> dict[str, Group]:
    """Return the pair's traits, such as ``Female + Male``, and how hard annotators found it."""
    groups = {}
    for trait in _TRAITS:
        values = sorted(value for one in (first, second) if (value := _trait(one, trait)))
        if len(values) == 2:
            groups[trait] = Group(" + ".join(values), "human")
    if difficulty is not None:
        groups["difficulty"] = Group(str(difficulty), "human")
    return groups


def _trait(entry: Any, trait: str) -> str:
    """Return a person's trait, or nothing when annotators gave none or several."""
    listed = entry.get("demographics_info")
    first_entry = listed[0] if isinstance(listed, list) and listed else listed
    values = first_entry.get(trait) if isinstance(first_entry, dict) else None
    return str(next(iter(values))) if isinstance(values, dict) and len(values) == 1 else ""
