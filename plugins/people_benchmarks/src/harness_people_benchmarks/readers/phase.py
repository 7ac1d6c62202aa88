"""PHASE: people in Conceptual Captions' images, each described by annotators (Garcia et al. 2023).

Layout as the file with all annotations has it: an object of images, in each an object of persons
with a ``region`` in pixels and a list of ``annotations``, and the caption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, near, quoted
from harness.readers import records
from harness.readers.json_stream import members
from harness.samples import Box, DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import PassedOver

SPLITS = ("train", "val")
UNSURE, OTHER = "unsure", "other"
GENDERS = ("male", "female")
ADULTS = ("young", "adult", "senior", UNSURE)
_NOT_THESE = (UNSURE, OTHER, "none", "baby", "child", "toddler", "kid")
NO_REGION = "people without a region, left out"
NO_ANNOTATIONS = "people without annotations, left out"
NO_GENDER = "people without one gender that most annotators saw, left out"
NO_ETHNICITY = "people without one ethnicity that most annotators saw, left out"
NO_ADULT = "people who are not seen as grown up, or without one age, left out"
ACTIVE = "people who make music or do sports, left out"
_FOLDERS = ("", "phase_annotations/")
_ATTRIBUTES = ("gender", "age", "ethnicity", "activity")


class Phase:
    """Reader of PHASE: one sample per person whom most annotators call male, or female.

    Args:
        options: ``people`` (``authors`` leaves out whom the authors of the questions leave out:
            children, people of unsure ethnicity, music and sports; ``all`` keeps them),
            ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._some = records.choice(options, "people", ("authors", "all")) == "authors"
        records.choice(options, "unit", ("image",))
        self._passed = PassedOver()

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's file of all annotations, beside the images or in its own folder."""
        name = f"phase_gcc_{records.known_split(split, SPLITS)}_all_20221101.json"
        paths = [f"{folder}{name}" for folder in _FOLDERS]
        return [next((path for path in paths if root.is_file(path)), name)]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield people by image, in the file's order.

        Raises:
            DataError: an image, a region or an annotation that is not as the release has it.
        """
        file = self.annotations(root, split)[0]
        passed = self._passed.begin(root, split)
        folder = f"images/{split}" if root.is_dir(f"images/{split}") else split
        seen: set[str] = set()
        for image, entry in members(root, file):
            at_image = f"{root.where(file)}: {quoted(image)}"
            if image in seen:
                raise DataError("the image occurs twice", where=at_image)
            seen.add(image)
            for key, person in records.as_mapping(entry, "an image", at_image).items():
                where = f"{at_image}, {quoted(key)}"
                groups = self._groups(key, person, passed, where)
                if groups is None:
                    continue
                region = person["region"]
                x1, y1, x2, y2 = records.numbers(region, 4, "the region", where)
                box = Box("person", x1, y1, x2, y2)
                yield Sample(
                    id=f"{image}#{key}",
                    images=(ImageRef(f"{folder}/{image}", root),),
                    target=None,
                    cluster=image,
                    groups=groups,
                    boxes=(box,),
                )

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many people are left out, and why."""
        return self._passed.of(self, root, split)

    def _groups(
        self, key: str, person: Any, passed: Counter[str], where: str
    ) -> dict[str, Group] | None:
        """Return a person's slices; ``None`` for a caption, and for one who is left out."""
        if key == "caption":
            return None
        fields = records.as_mapping(person, "a person", where)
        reason = next(
            (
                reason
                for name, reason in (("region", NO_REGION), ("annotations", NO_ANNOTATIONS))
                if not fields.get(name)
            ),
            None,
        )
        votes = {} if reason else _votes(fields["annotations"], where)
        reason = reason or self._reason(votes)
        if reason is not None:
            passed[reason] += 1
            return None
        return {
            name: Group(value)
            for name in ("gender", "age", "ethnicity")
            if (value := votes[name]) is not None and value != UNSURE
        }

    def _reason(self, votes: Mapping[str, str | None]) -> str | None:
        """Return why a person is left out: the first rule of the authors' order that applies."""
        if votes["gender"] not in GENDERS:
            return NO_GENDER
        if not self._some:
            return None
        if votes["ethnicity"] in {None, UNSURE, OTHER}:
            return NO_ETHNICITY
        if votes["age"] not in ADULTS:
            return NO_ADULT
        return ACTIVE if votes["activity"] in {"music", "sports"} else None


def _votes(annotations: Any, where: str) -> dict[str, str | None]:
    """Return the one value of each attribute that most annotators chose, ``None`` at a tie."""
    chosen: dict[str, Counter[str]] = {name: Counter() for name in _ATTRIBUTES}
    for number, annotation in enumerate(records.as_list(annotations, "annotations", where)):
        at = f"{where}, annotations[{number}]"
        fields = records.as_mapping(annotation, "an annotation", at)
        for name, counts in chosen.items():
            if fields.get(name) is not None:
                value = records.as_text(fields[name], name, at).strip().lower()
                _refuse_misspelt(value, {"gender": GENDERS, "age": ADULTS}.get(name, ()), name, at)
                counts[value] += 1
    return {name: _most(counts) for name, counts in chosen.items()}


def _refuse_misspelt(value: str, names: Sequence[str], owner: str, where: str) -> None:
    """Refuse a word near one that counts; others, which no list states, leave the person out."""
    if value in names or value in _NOT_THESE:
        return
    if close := near(value, names):
        raise DataError(f"{quoted(value)} is no {owner} of this release", where=where, fix=close)


def _most(counts: Counter[str]) -> str | None:
    top = counts.most_common(2)
    if not top or (len(top) > 1 and top[0][1] == top[1][1]):
        return None
    return top[0][0]
