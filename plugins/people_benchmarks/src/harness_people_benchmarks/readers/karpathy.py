"""COCO and Flickr30k with the captions and splits of Karpathy and Fei-Fei (CVPR 2015).

``dataset_coco.json`` and ``dataset_flickr30k.json``: ``images`` with ``split``, ``filename``,
``filepath`` (COCO's folder) and ``sentences`` (``raw``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.samples import DataRoot, ImageRef, Sample
from harness_benchmarks.readers.passed_over import PassedOver

FILES = {"coco": "dataset_coco.json", "flickr30k": "dataset_flickr30k.json"}
SPLITS = ("train", "val", "test")
CAPTIONS = 5
FEWER = f"images with fewer than {CAPTIONS} captions, left out"
MORE = f"captions after an image's first {CAPTIONS}, which the protocol leaves out"
_NAMED = ("train", "val", "test", "restval")
_FLICKR_FOLDER = "flickr30k-images"


class Karpathy:
    """Reader of Karpathy's JSON: one sample per image, with its first five captions.

    Args:
        options: ``dataset`` (``coco`` or ``flickr30k``), ``restval`` (``train`` counts COCO's
            rest of the validation images as training images, ``leave_out`` does not), ``unit``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))
        self._dataset = records.choice(options, "dataset", tuple(FILES))
        self._restval = records.choice(options, "restval", ("train", "leave_out")) == "train"
        self._passed = PassedOver()

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the data set's one file."""
        del root
        records.known_split(split, SPLITS)
        return [FILES[self._dataset]]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's images in the file's order.

        Raises:
            DataError: an image without file name, split or captions, or that comes twice.
        """
        file = self.annotations(root, split)[0]
        passed = self._passed.begin(root, split)
        seen: set[str] = set()
        for index, entry in elements(root, file, "images"):
            where = f"{root.where(file)}: images[{index}]"
            if self._split(entry, where) != split:
                continue
            name = records.as_text(records.member(entry, "filename", where), "filename", where)
            captions = _captions(entry, where)
            if name in seen:
                raise DataError(f"the image {quoted(name)} occurs twice", where=where)
            seen.add(name)
            passed[MORE] += max(0, len(captions) - CAPTIONS)
            if len(captions) < CAPTIONS:
                passed[FEWER] += 1
                continue
            yield Sample(
                id=name,
                images=(ImageRef(_path(entry, name, root, where), root),),
                target=None,
                cluster=name,
                fields={"captions": captions[:CAPTIONS]},
            )

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many images and captions the protocol leaves out."""
        return {what: times for what, times in self._passed.of(self, root, split).items() if times}

    def _split(self, entry: Any, where: str) -> str:
        named = records.as_text(records.member(entry, "split", where), "split", where)
        if named not in _NAMED:
            raise DataError(f"{quoted(named)} is not a split", where=where, fix=", ".join(_NAMED))
        return "train" if named == "restval" and self._restval else named


def _captions(entry: Any, where: str) -> list[Json]:
    sentences = records.as_list(records.member(entry, "sentences", where), "sentences", where)
    texts: list[Json] = []
    for number, sentence in enumerate(sentences):
        at = f"{where}.sentences[{number}]"
        text = records.as_text(records.member(sentence, "raw", at), "raw", at).strip()
        if not text:
            raise DataError("a caption is empty", where=at)
        texts.append(text)
    return texts


def _path(entry: Any, name: str, root: DataRoot, where: str) -> str:
    """Return an image's path: in COCO's own folder, or in Flickr's, or beside the file."""
    if isinstance(entry, dict) and "filepath" in entry:
        folder = records.as_text(entry["filepath"], "filepath", where)
        return f"{folder}/{name}" if folder else name
    return f"{_FLICKR_FOLDER}/{name}" if root.is_dir(_FLICKR_FOLDER) else name
