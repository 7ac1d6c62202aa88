"""TextVQA 0.5.1: one JSON file per split, images named by their id, OCR in a file of its own.

Keys as in the release and the loaders of facebookresearch/mmf (commit b0ffc7fb); shards as the
copy lmms-lab/textvqa on the Hugging Face hub has them, images and OCR in every row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.readers.shards import SUFFIX, Copies, content_hash, need_pyarrow, renamed
from harness.samples import DataRoot, ImageRef, Sample

from harness_benchmarks.readers.people import answer_notes

SPLITS = ("train", "val", "test")
# The archives unpack to these folders; train and val share one.
_FOLDERS = {"train": "train_images", "val": "train_images", "test": "test_images"}


class TextVqa:
    """Reader of TextVQA. The target is the list of people's answers; the test split has none.

    Args:
        options: ``ocr`` (``none`` or ``rosetta``: samples get the field ``ocr_tokens``, the words
            the release's OCR read in the image, separated by commas), ``columns`` (of a copy in
            parquet, see :func:`renamed`), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._ocr = records.choice(options, "ocr", ("none", "rosetta")) == "rosetta"
        self._copies = Copies({"val": ("validation", "val")}, columns=renamed(options))
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's file, and its OCR where the option asks for it; or a copy's shards."""
        records.known_split(split, SPLITS)
        files = [f"TextVQA_0.5.1_{split}.json"]
        if self._ocr:
            files.append(f"TextVQA_Rosetta_OCR_v0.2_{split}.json")
        return files if root.is_file(files[0]) else self._copies.shards(root, split) or files

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return what a split needs of a dataset on the hub."""
        return self._copies.patterns(records.known_split(split, SPLITS))

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of what is read but the images."""
        return content_hash(root, name, self._asked(), [self._copies.column("answers")])

    def _asked(self) -> list[str]:
        names = ("image_id", "question_id", "question", *(("ocr_tokens",) * self._ocr))
        return [self._copies.column(name) for name in names]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's questions, those of one image together.

        Questions wait as packed bytes until the file has been read: about 200 bytes each.

        Raises:
            DataError: an image without OCR where it is asked for, beside what every reader raises.
        """
        paths = self.annotations(root, split)
        if paths[0].endswith(SUFFIX):
            yield from self._embedded(root, paths, split)
            return
        words = _ocr_tokens(root, paths[1]) if self._ocr else None
        by_image: dict[str, list[bytes]] = {}
        location = root.where(paths[0])
        for index, record in elements(root, paths[0], inside="data"):
            where = f"{location}: [{index}]"
            image = records.as_text(records.member(record, "image_id", where), "image_id", where)
            number = records.as_whole(records.member(record, "question_id", where), "id", where)
            question = records.member(record, "question", where)
            records.as_text(question, "question", where)
            answers = _answers(record.get("answers"), number, where, required=split != "test")
            packed = json.dumps([number, question, answers], separators=(",", ":")).encode()
            by_image.setdefault(image, []).append(packed)
        for image, questions in by_image.items():
            fields: dict[str, Json] = {}
            if words is not None:
                if image not in words:
                    raise DataError(f"image {quoted(image)} has no OCR", where=root.where(paths[1]))
                fields["ocr_tokens"] = words[image]
            for packed in questions:
                number, question, answers = json.loads(packed)
                yield Sample(
                    id=str(number),
                    images=(ImageRef(f"{_FOLDERS[split]}/{image}.jpg", root),),
                    target=answers,
                    cluster=image,
                    fields={"question": question, **fields},
                    notes=answer_notes(answers),
                )

    def _embedded(self, root: DataRoot, paths: Sequence[str], split: str) -> Iterator[Sample]:
        """Yield a split's questions out of shards; an image is read from its first row."""
        need_pyarrow(paths[0])
        from harness.readers import parquet

        columns, column = self._asked(), self._copies.column("image")
        answered = split != "test"
        if answered:
            columns.append(self._copies.column("answers"))
        parquet.need_images(root, paths, column)
        last: object = columns
        images = (ImageRef(""),)
        for path, row, (image, key, question, *more) in parquet.grouped(
            root, paths, columns[0], columns
        ):
            where = f"{root.where(path)}: row {row}"
            number = records.as_whole(key, "question_id", where)
            if image != last:
                name = f"{_FOLDERS[split]}/{records.as_text(image, 'image_id', where)}.jpg"
                images = (ImageRef(name, load=parquet.EmbeddedImage(root, path, row, column)),)
                last = image
            fields = {"question": records.as_text(question, "question", where)}
            if self._ocr:
                fields["ocr_tokens"] = _joined(more[0], image, where)
            answers = _answers(more[-1], number, where, required=True) if answered else None
            yield Sample(
                id=str(number),
                images=images,
                target=answers,
                cluster=image,
                fields=fields,
                notes=answer_notes(answers),
            )


def _answers(answers_given: Any, number: int, where: str, *, required: bool) -> list[Json] | None:
    if not answers_given:
        if required:
            raise DataError(f"question {quoted(number)} has no answers", where=where)
        return None
    answers = records.as_list(answers_given, f"answers of question {quoted(number)}", where)
    if not all(isinstance(answer, str) for answer in answers):
        raise DataError(f"an answer to question {quoted(number)} is not text", where=where)
    return answers


def _ocr_tokens(root: DataRoot, name: str) -> dict[str, str]:
    """Return image to the words read in it, separated by commas."""
    by_image, path = {}, root.where(name)
    for index, record in elements(root, name, inside="data"):
        where = f"{path}: [{index}]"
        image = records.as_text(records.member(record, "image_id", where), "image_id", where)
        tokens = records.member(record, "ocr_tokens", where)
        by_image[image] = _joined(tokens, image, where)
    return by_image


def _joined(tokens: Any, image: str, where: str) -> str:
    texts = records.as_list(tokens, f"ocr_tokens of image {quoted(image)}", where)
    return ", ".join(str(token) for token in texts)
