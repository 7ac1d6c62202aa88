"""SocialCounterfactuals: parquet shards whose rows are images of people who differ in two traits.

Columns as public code uses them (IntelLabs/multimodal_cognitive_ai); what the caption says behind
the two traits is the occupation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError
from harness.readers import _parquet as parquet
from harness.readers import _records as records
from harness.readers._people import known, spellings, with_article
from harness.readers._splits import SPLITS, Dealer
from harness.samples import Group, ImageRef, Sample

COLUMNS = ("caption", "counterfactual_set", "a1", "a2", "a1_type", "a2_type")
TRAITS = {
    "race": spellings(("White", "Black", "Indian", "Asian", "Middle Eastern", "Latino")),
    "gender": spellings(("male", "female")),
    "physical": spellings(("skinny", "young", "obese", "tattooed", "old")),
}
_SHARD = re.compile(r"train-(\d{5})-of-(\d{5})[-\w]*\.parquet")


class SocialCounterfactuals:
    """Reader of the dataset as Hugging Face holds it: one sample an image, shard by shard.

    The release has one split; ``train``, ``val`` and ``test`` are dealt out by a hash of each
    set's name, ``all`` is everything.

    Args:
        options: ``split_by``, ``shares`` (see :class:`Dealer`), ``unit`` (``set`` or ``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._dealer = Dealer(options)
        self._unit = records.choice(options, "unit", ("set", "image"))

    def annotations(self, root: Path, split: str) -> Sequence[Path]:
        """Return the shards; where names count them, also those that are not there."""
        records.known_split(split, SPLITS)
        folder = root / "data" if (root / "data").is_dir() else root
        found = {}
        total = 0
        for path in folder.iterdir() if folder.is_dir() else ():
            named = _SHARD.fullmatch(path.name)
            if named:
                found[int(named[1])] = path
                total = max(total, int(named[2]))
        if not found:
            return [root / "data" / "train-00000-of-00061.parquet"]
        missing = {
            number: folder / f"train-{number:05d}-of-{total:05d}.parquet"
            for number in range(total)
            if number not in found
        }
        return [path for _, path in sorted({**found, **missing}.items())]

    def content_hash(self, path: Path) -> str:
        """Return the hash of the columns that are read; the images have none in a fingerprint."""
        return parquet.content_hash(path, COLUMNS)

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """Yield a split's images in the order of the shards; each is read when it is asked."""
        for path in self.annotations(root, split):
            shard = path.relative_to(root).as_posix()
            for row, values in enumerate(parquet.rows(path, COLUMNS)):
                where = f"{path}: row {row}"
                row_of = _Row(values, where)
                if self._dealer.takes(split, row_of.name, row_of.occupation):
                    image = ImageRef(f"{shard}:{row}", load=parquet.EmbeddedImage(path, row))
                    yield self._sample(image, row_of)

    def _sample(self, image: ImageRef, row: _Row) -> Sample:
        ident = f"{row.name}/{'-'.join(row.traits.values()).replace(' ', '_')}"
        return Sample(
            id=ident,
            images=(image,),
            target=None,
            cluster=row.name if self._unit == "set" else ident,
            fields={
                "concept": row.occupation,
                "concept_text": with_article(row.occupation),
                "caption": row.caption,
            },
            groups={kind: Group(value, "drawn") for kind, value in row.traits.items()},
            stratum=f"{'-'.join(row.traits)}/{row.occupation}",
        )


class _Row:
    """The texts of a row, checked; ``traits`` maps type to value, as the row orders them."""

    __slots__ = ("caption", "name", "occupation", "traits")

    def __init__(self, values: Sequence[Any], where: str) -> None:
        self.caption, self.name, first, second, *kinds = (
            records.as_text(value, column, where)
            for column, value in zip(COLUMNS, values, strict=True)
        )
        self.occupation = _occupation(self.caption, first, second, where)
        types = [_type(kind, where) for kind in kinds]
        self.traits = {
            kind: known(value, TRAITS[kind], kind, where)
            for kind, value in zip(types, (first, second), strict=True)
        }


def _type(kind: str, where: str) -> str:
    """Return a trait's type; public codes write physical with and without "trait"."""
    for name in TRAITS:
        if kind.lower().startswith(name):
            return name
    raise DataError(f"{kind!r} is no type of trait: {', '.join(TRAITS)}", where=where)


def _occupation(caption: str, first: str, second: str, where: str) -> str:
    """Return what follows both traits, in lower case."""
    _, found, rest = caption.partition(f"{first} {second} ")
    occupation = " ".join(rest.lower().split()).rstrip(".")
    if not found or not occupation:
        raise DataError(
            f"no occupation follows {first!r} and {second!r} in the caption {caption!r}",
            where=where,
        )
    return occupation
