"""Reader of the world's images with captions: the caption is the target, or one of its labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.readers import records
from harness.samples import ImageRef, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.descriptors import Json
    from harness.samples import DataRoot

TARGETS = ("caption", "colour", "count", "position")


class Drawn:
    """Reader of `SPLIT.jsonl`; see `layouts.drawn`.

    Args:
        options: ``target`` (one of TARGETS), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._target = records.choice(options, "target", TARGETS)
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's lines."""
        del root
        return [f"{split}.jsonl"]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield the images that have the target, in the file's order."""
        (name,) = self.annotations(root, split)
        location = root.where(name)
        for number, line in records.lines(root, name):
            where = f"{location}:{number}"
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"not JSON: {error}", where=where) from None
            file = str(records.member(entry, "file", where))
            target = records.member(entry, self._target, where)
            if target is not None:
                yield Sample(
                    id=file, images=(ImageRef(file, root),), target=str(target), cluster=file
                )
