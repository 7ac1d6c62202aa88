"""VQAv2: a file of questions and a file of annotations a split, COCO's pictures.

File names as in the official tools and their README (GT-Vision-Lab/VQA, commit a013f004).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.descriptors import Json
from harness.errors import DataError
from harness.readers import _records as records
from harness.readers._json_stream import elements
from harness.samples import Group, ImageRef, Sample

_PARTS = {"train": "train2014", "val": "val2014", "test-dev": "test-dev2015", "test": "test2015"}
SPLITS = tuple(_PARTS)
_ANSWERED = ("train", "val")
_TYPES = ("answer_type", "question_type")


class VqaV2:
    """Reader of VQAv2. The target is the list of people's answers; test splits have none.

    Files lie in the root, or in the folders of the official tools (``Questions``,
    ``Annotations``, ``Images/mscoco``) where the root has ``Questions``.

    Args:
        options: ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))

    def annotations(self, root: Path, split: str) -> Sequence[Path]:
        """Return the split's questions, and its annotations where the release has them."""
        part = _PARTS[records.known_split(split, SPLITS)]
        tools = (root / "Questions").is_dir()
        asked = root / "Questions" if tools else root
        found = [asked / f"v2_OpenEnded_mscoco_{part}_questions.json"]
        if split in _ANSWERED:
            answered = root / "Annotations" if tools else root
            found.append(answered / f"v2_mscoco_{part}_annotations.json")
        return found

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """Yield a split's questions, those of one image together.

        Both files are walked through side by side: where they have the same order, one annotation
        is held at a time; where they do not, those that are read too early wait.

        Raises:
            DataError: a question without an annotation or the other way round, beside what every
                reader raises.
        """
        paths = self.annotations(root, split)
        part = _PARTS[split].replace("-dev", "")
        folder = f"Images/mscoco/{part}" if (root / "Questions").is_dir() else part
        answers = _Annotations(paths[1]) if len(paths) > 1 else None
        for question in _by_image(paths[0]):
            found = _NONE if answers is None else answers.of(question.id, paths[0])
            yield Sample(
                id=str(question.id),
                images=(ImageRef(f"{folder}/COCO_{part}_{question.image:012d}.jpg", root),),
                target=found.answers,
                cluster=str(question.image),
                fields={"question": question.text},
                groups=found.groups,
            )
        if answers is not None:
            answers.refuse_rest(paths[0])


class _Question(NamedTuple):
    id: int
    image: int
    text: str


class _Annotation(NamedTuple):
    answers: list[Json] | None
    groups: dict[str, Group]


_NONE = _Annotation(None, {})


class _Annotations:
    """Annotations by question, read as far as they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._coming = elements(path, inside="annotations")
        self._early: dict[int, tuple[tuple[str, ...], str, str]] = {}
        self._texts: dict[str, str] = {}
        self._types: dict[tuple[str, str], Group] = {}

    def of(self, question: int, asked: Path) -> _Annotation:
        early = self._early.pop(question, None)
        if early is not None:
            return self._grouped(*early)
        for index, record in self._coming:
            key = _number(record, "question_id", self._path, index)
            read = _read(record, key, self._path)
            if key == question:
                return self._grouped(*read)
            if key in self._early:
                raise DataError(f"question {key} has two annotations", where=self._path)
            self._early[key] = self._packed(*read)
        raise DataError(
            f"question {question} has no annotation, or comes twice", where=asked,
            fix=f"use the questions and annotations of one release ({self._path.name})",
        )  # fmt: skip

    def refuse_rest(self, asked: Path) -> None:
        """Check that every annotation had its question.

        Raises:
            DataError: it names the first one left.
        """
        left = next(iter(self._early), None)
        if left is None:
            for index, record in self._coming:
                left = _number(record, "question_id", self._path, index)
                break
        if left is not None:
            raise DataError(
                f"the annotation of question {left} has no question, or comes twice",
                where=self._path, fix=f"use the questions of the same release ({asked.name})",
            )  # fmt: skip

    def _packed(
        self, answers: list[str], kind: str, start: str
    ) -> tuple[tuple[str, ...], str, str]:
        """Return equal texts as one object: people's answers repeat a lot."""
        one = self._texts.setdefault
        return tuple([one(text, text) for text in answers]), one(kind, kind), one(start, start)

    def _grouped(self, answers: Sequence[Json], *types: str) -> _Annotation:
        groups = {}
        for key in zip(_TYPES, types, strict=True):
            held = self._types.get(key)
            if held is None:
                held = self._types[key] = Group(key[1])
            groups[key[0]] = held
        return _Annotation(list(answers), groups)


def _read(record: dict[str, Any], question: int, path: Path) -> tuple[list[str], str, str]:
    """Return answers, answer type and question type of an annotation."""
    where = f"{path}: question {question}"
    held = records.as_list(records.member(record, "answers", where), "answers", where)
    try:
        answers = [one["answer"] for one in held]
    except (TypeError, KeyError):
        raise DataError("an answer is no object with the key 'answer'", where=where) from None
    if not answers or not all(isinstance(answer, str) for answer in answers):
        raise DataError("an answer is no text, or there is none", where=where)
    kind, start = (records.as_text(records.member(record, name, where), name, where)
                   for name in _TYPES)  # fmt: skip
    return answers, kind, start


def _by_image(path: Path) -> Iterator[_Question]:
    """Yield questions, those of one image together, images in the order they are first named.

    The file is read once; a question is held as its packed text and 24 bytes.
    """
    ids, images, ends, texts = array("q"), array("q"), array("Q"), bytearray()
    for index, record in elements(path, inside="questions"):
        ids.append(_number(record, "question_id", path, index))
        images.append(_number(record, "image_id", path, index))
        text = record.get("question")
        if not isinstance(text, str) or not text:
            where = f"{path}: [{index}]"
            text = records.as_text(records.member(record, "question", where), "question", where)
        texts += text.encode("utf-8", "surrogatepass")
        ends.append(len(texts))
    if not ids:
        return
    _, first, group = np.unique(
        np.frombuffer(images, dtype=np.int64), return_index=True, return_inverse=True
    )
    for place in np.argsort(first[group], kind="stable").tolist():
        start = ends[place - 1] if place else 0
        text = texts[start : ends[place]].decode("utf-8", "surrogatepass")
        yield _Question(ids[place], images[place], text)


def _number(record: Any, key: str, path: Path, index: int) -> int:
    value = record.get(key) if isinstance(record, dict) else None
    if type(value) is not int or not 0 <= value < 1 << 63:
        where = f"{path}: [{index}]"
        value = records.as_whole(records.member(record, key, where), key, where)
        if not 0 <= value < 1 << 63:
            raise DataError(f"{key} {value} is no id", where=where)
    return value
