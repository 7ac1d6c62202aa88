"""VQAv2: a file of questions and a file of annotations a split, COCO's images.

File names as in the official tools and their README (GT-Vision-Lab/VQA, commit a013f004); shards
as the copy lmms-lab/VQAv2 on the Hugging Face hub has them, an image in every row.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.readers.shards import (
    SUFFIX,
    Copies,
    content_hash,
    last_part,
    need_pyarrow,
    renamed,
)
from harness.samples import DataRoot, Fault, Group, ImageRef, Sample

from harness_benchmarks.readers.people import answer_notes

_PARTS = {"train": "train2014", "val": "val2014", "test-dev": "test-dev2015", "test": "test2015"}
SPLITS = tuple(_PARTS)
_ANSWERED = ("train", "val")
_MOST = (1 << 63) - 1  # of an id


class VqaV2:
    """Reader of VQAv2. The target is the list of people's answers; test splits have none.

    Files lie in the root, or in the folders of the official tools (``Questions``,
    ``Annotations``, ``Images/mscoco``) where the root has ``Questions``.

    Args:
        options: ``columns`` (of a copy in parquet, see :func:`renamed`), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        names = {"val": ("validation", "val"), "test-dev": ("testdev", "test-dev")}
        self._copies = Copies(names, columns=renamed(options))
        # Files seen to hold the questions of each image together: walked through from then on.
        self._together: set[tuple[str, int, float]] = set()
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's questions, and its annotations where the release has them.

        Without that file the shards of a copy, should they be there.
        """
        part = _PARTS[records.known_split(split, SPLITS)]
        question_folder, annotation_folder = (
            ("Questions/", "Annotations/") if root.is_dir("Questions") else ("", "")
        )
        files = [f"{question_folder}v2_OpenEnded_mscoco_{part}_questions.json"]
        if split in _ANSWERED:
            files.append(f"{annotation_folder}v2_mscoco_{part}_annotations.json")
        return files if root.is_file(files[0]) else self._copies.shards(root, split) or files

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return what a split needs of a dataset on the hub."""
        return self._copies.patterns(records.known_split(split, SPLITS))

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of what is read but the images."""
        return content_hash(root, name, self._asked(), self._said())

    def _asked(self) -> list[str]:
        return [self._copies.column(name) for name in ("image_id", "question_id", "question")]

    def _said(self) -> list[str]:
        answers, *kinds = map(self._copies.column, ("answers", "answer_type", "question_type"))
        return [f"{answers}.answer", *kinds]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's questions, those of one image together.

        Both files are walked through side by side: where they have the same order, one annotation
        is held at a time; where they do not, those that are read too early wait.

        Raises:
            DataError: a question without an annotation or the other way round, beside what every
                reader raises.
        """
        paths = self.annotations(root, split)
        if paths[0].endswith(SUFFIX):
            yield from self._embedded(root, paths, split)
            return
        part = _PARTS[split].replace("-dev", "")
        folder = f"Images/mscoco/{part}" if root.is_dir("Questions") else part
        answers = _Annotations(root, paths[1]) if len(paths) > 1 else None
        images, last, path_asked = (ImageRef("", root),), -1, root.where(paths[0])
        for question, image, text in self._questions(root, paths[0]):
            if image != last:
                name = f"{folder}/COCO_{part}_{image:012d}.jpg"
                images, last = (ImageRef(name, root),), image
            target_found, groups, about = (
                _NONE if answers is None else answers.of(question, path_asked)
            )
            yield Sample(
                id=str(question),
                images=images,
                target=target_found,
                cluster=str(image),
                fields={"question": text},
                groups=groups,
                notes=answer_notes(target_found),
                fault=None if about in (None, image) else _other_image(image, about),
            )
        if answers is not None:
            answers.refuse_rest(path_asked)

    def _questions(self, root: DataRoot, path: str) -> Iterator[_Question]:
        """Yield question, image and text, those of one image together, images as first named.

        A file is held, a question as its packed text and 24 bytes, until its order is known.
        """
        version = _version(root, path)
        if version in self._together:
            yield from _in_file(root, path)
            return
        packed = _Held(root, path)
        order = packed.order()
        if version and (order[1:] > order[:-1]).all():
            self._together.add(version)
        yield from packed.questions(order)

    def _embedded(self, root: DataRoot, paths: Sequence[str], split: str) -> Iterator[Sample]:
        """Yield a split's questions out of shards; an image is read from its first row."""
        need_pyarrow(paths[0])
        from harness.readers import parquet

        columns, column = self._asked(), self._copies.column("image")
        if split in _ANSWERED:
            columns += self._said()
        parquet.need_images(root, paths, column)
        part = _PARTS[split].replace("-dev", "")
        groups: dict[tuple[str, str], dict[str, Group]] = {}
        last: object = groups
        cluster, images = "", (ImageRef(""),)
        for path, row, (image, question, text, *annotation) in parquet.grouped(
            root, paths, columns[0], columns
        ):
            where = f"{root.where(path)}: row {row}"
            if image != last:
                number = records.as_whole(image, "image_id", where)
                name = f"{part}/COCO_{part}_{number:012d}.jpg"
                images = (ImageRef(name, load=parquet.EmbeddedImage(root, path, row, column)),)
                last, cluster = image, str(number)
            target, sample_groups, _ = _NONE
            if annotation:
                answers, kind, start = annotation
                target = _answers(answers, kind, start, where)
                sample_groups = _grouped(groups, kind, start)
            yield Sample(
                id=str(records.as_whole(question, "question_id", where)),
                images=images,
                target=target,
                cluster=cluster,
                fields={"question": records.as_text(text, "question", where)},
                groups=sample_groups,
                notes=answer_notes(target),
            )


_Annotation = tuple[list[Json] | None, Mapping[str, Group], int | None]
_NONE: _Annotation = (None, {}, None)
_Read = tuple[Sequence[str], str, str, int | None]


class _Annotations:
    """Annotations by question, read as far as they are asked for."""

    def __init__(self, root: DataRoot, name: str) -> None:
        self._path = root.where(name)
        self._coming = elements(root, name, inside="annotations")
        self._early: dict[int, _Read] = {}
        self._texts: dict[str, str] = {}
        self._groups: dict[tuple[str, str], dict[str, Group]] = {}

    def of(self, question: int, path: str) -> _Annotation:
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
            f"question {question} has no annotation, or occurs twice", where=path,
            fix=f"use the questions and annotations of one release ({last_part(self._path)})",
        )  # fmt: skip

    def refuse_rest(self, path: str) -> None:
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
                f"the annotation of question {left} has no question, or occurs twice",
                where=self._path, fix=f"use the questions of the same release ({last_part(path)})",
            )  # fmt: skip

    def _packed(self, answers: Sequence[str], kind: str, start: str, about: int | None) -> _Read:
        """Return equal texts as one object: people's answers repeat a lot."""
        shared = self._texts.setdefault
        texts = tuple([shared(text, text) for text in answers])
        return texts, shared(kind, kind), shared(start, start), about

    def _grouped(
        self, answers: Sequence[Json], kind: str, start: str, about: int | None
    ) -> _Annotation:
        return list(answers), _grouped(self._groups, kind, start), about


def _grouped(
    made: dict[tuple[str, str], dict[str, Group]], kind: str, start: str
) -> dict[str, Group]:
    """Return the groups of a question; there are some hundred of them."""
    groups = made.get((kind, start))
    if groups is None:
        groups = made[kind, start] = {"answer_type": Group(kind), "question_type": Group(start)}
    return groups


def _other_image(number: int, about: int) -> Fault:
    return Fault(
        "other_image",
        f"the question is about image {number}, its annotation about image {quoted(about)}: the "
        "files are of different releases",
    )


def _answers(answers: Any, kind: Any, start: Any, where: str) -> list[Json]:
    """Return the answers in a row of a copy."""
    entries = records.as_list(answers, "answers", where)
    if {str} == {type(kind), type(start), *map(type, entries)} and entries and kind and start:
        return entries
    record = {
        "answers": [{"answer": one} for one in entries], "answer_type": kind, "question_type": start
    }  # fmt: skip
    raise _damage(record, where)


def _read(record: dict[str, Any], question: int, path: str) -> _Read:
    """Return answers, answer type, question type and image of an annotation."""
    try:
        answers = [one["answer"] for one in record["answers"]]
        kind, start = record["answer_type"], record["question_type"]
        if {str} == {type(kind), type(start), *map(type, answers)} and answers and kind and start:
            about = record.get("image_id")
            if about is None or type(about) is int:
                return answers, kind, start, about
    except (TypeError, KeyError):
        pass
    raise _damage(record, f"{path}: question {question}")


def _damage(record: dict[str, Any], where: str) -> DataError:
    """Return what is wrong with an annotation."""
    entries = records.as_list(records.member(record, "answers", where), "answers", where)
    if not entries:
        return DataError("there is no answer", where=where)
    for entry in entries:
        records.as_text(records.member(entry, "answer", where), "an answer", where)
    for name in ("answer_type", "question_type"):
        records.as_text(records.member(record, name, where), name, where)
    if record.get("image_id") is not None:
        records.as_whole(record["image_id"], "image_id", where)
    return DataError("not an annotation", where=where)


_Question = tuple[int, int, str]


def _version(root: DataRoot, name: str) -> tuple[str, int, float] | None:
    """Return what changes when a file does; ``None`` when it cannot be looked at."""
    local = root.local(name)
    try:
        changed = local.stat().st_mtime if local else 0.0
        return root.where(name), root.size(name), changed
    except (OSError, DataError):
        return None


def _in_file(root: DataRoot, name: str) -> Iterator[_Question]:
    """Yield question, image and text as the file has them."""
    path = root.where(name)
    for index, record in elements(root, name, inside="questions"):
        try:
            question, image, text = record["question_id"], record["image_id"], record["question"]
            sound = type(question) is type(image) is int and type(text) is str
        except (TypeError, KeyError):
            sound = False
        if not (sound and text and 0 <= question <= _MOST and 0 <= image <= _MOST):
            where = f"{path}: [{index}]"
            question = _number(record, "question_id", path, index)
            image = _number(record, "image_id", path, index)
            text = records.as_text(records.member(record, "question", where), "question", where)
        yield question, image, text


class _Held:
    """A file's questions, packed."""

    def __init__(self, root: DataRoot, name: str) -> None:
        self._ids, self._images, self._ends = array("q"), array("q"), array("Q")
        self._texts = bytearray()
        for question, image, text in _in_file(root, name):
            self._ids.append(question)
            self._images.append(image)
            self._texts += text.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._texts))

    def order(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Return places by image, images as first named."""
        if not self._ids:
            return np.zeros(0, dtype=np.intp)
        images = np.frombuffer(self._images, dtype=np.int64)
        _, first, group = np.unique(images, return_index=True, return_inverse=True)
        return np.argsort(first[group], kind="stable")

    def questions(self, order: np.ndarray[Any, np.dtype[np.intp]]) -> Iterator[_Question]:
        """Yield questions in an order of places."""
        for index in order.tolist():
            start = self._ends[index - 1] if index else 0
            text = self._texts[start : self._ends[index]].decode("utf-8", "surrogatepass")
            yield self._ids[index], self._images[index], text


def _number(record: Any, key: str, path: str, index: int) -> int:
    value = record.get(key) if isinstance(record, dict) else None
    if type(value) is not int or not 0 <= value <= _MOST:
        where = f"{path}: [{index}]"
        value = records.as_whole(records.member(record, key, where), key, where)
        if value < 0:
            raise DataError(f"{key} {quoted(value)} is not an id", where=where)
    return value
