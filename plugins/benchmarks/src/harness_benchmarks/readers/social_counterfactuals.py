"""SocialCounterfactuals: parquet shards whose rows are images of people who differ in two traits.

Columns as public code uses them (IntelLabs/multimodal_cognitive_ai); what the caption says after
the two traits is the occupation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import parquet, records
from harness.readers.shards import Copies
from harness.samples import DataRoot, Group, ImageRef, Sample

from harness_benchmarks.readers.people import known, spellings, with_article
from harness_benchmarks.readers.splits import SPLITS, Dealer

COLUMNS = ("caption", "counterfactual_set", "a1", "a2", "a1_type", "a2_type")
TRAITS = {
    "race": spellings(("White", "Black", "Indian", "Asian", "Middle Eastern", "Latino")),
    "gender": spellings(("male", "female")),
    "physical": spellings(("skinny", "young", "obese", "tattooed", "old")),
}


class SocialCounterfactuals:
    """Reader of the dataset as Hugging Face holds it: one sample per image, shard by shard.

    The release has one split; ``train``, ``val`` and ``test`` are dealt out by a hash of each
    set's name, ``all`` is everything.

    Args:
        options: ``split_by``, ``shares`` (see :class:`Dealer`), ``unit`` (``set`` or ``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._dealer = Dealer(options)
        self._copies = Copies(dict.fromkeys(SPLITS, ("train",)))
        self._unit = records.choice(options, "unit", ("set", "image"))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the shards; where names count them, also those that are not there."""
        records.known_split(split, SPLITS)
        return self._copies.shards(root, split) or ["data/train-00000-of-00061.parquet"]

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of the columns that are read; the images have none in a fingerprint."""
        return parquet.content_hash(root, name, COLUMNS)

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's images in the order of the shards; each is read when it is asked."""
        # There are 72 kinds of people, and a hundred thousand rows.
        kinds: dict[tuple[str, ...], _Kind] = {}
        for path in self.annotations(root, split):
            location = root.where(path)
            for row, values in enumerate(parquet.rows(root, path, COLUMNS)):
                where = f"{location}: row {row}"
                for column, value in zip(COLUMNS, values, strict=True):
                    if not value or type(value) is not str:
                        records.as_text(value, column, where)
                caption, name, *traits = values
                occupation = _occupation(caption, traits[0], traits[1], where)
                if self._dealer.takes(split, name, occupation):
                    key = tuple(traits)
                    kind = kinds.get(key)
                    if kind is None:
                        kind = kinds[key] = _Kind(traits, where)
                    image = ImageRef(f"{path}:{row}", load=parquet.EmbeddedImage(root, path, row))
                    ident = f"{name}/{kind.name}"
                    yield Sample(
                        id=ident,
                        images=(image,),
                        target=None,
                        cluster=name if self._unit == "set" else ident,
                        fields={
                            "concept": occupation,
                            "concept_text": with_article(occupation),
                            "caption": caption,
                        },
                        groups={**kind.groups},
                        stratum=f"{kind.types}/{occupation}",
                    )


class _Kind:
    """Two traits of a person: ``name`` for ids, ``types`` for strata, and the groups."""

    __slots__ = ("groups", "name", "types")

    def __init__(self, traits: Sequence[str], where: str) -> None:
        first, second, *kinds = traits
        types = [_type(kind, where) for kind in kinds]
        values = [
            known(value, TRAITS[kind], kind, where)
            for kind, value in zip(types, (first, second), strict=True)
        ]
        self.name = "-".join(values).replace(" ", "_")
        self.types = "-".join(types)
        self.groups = {
            kind: Group(value, "drawn") for kind, value in zip(types, values, strict=True)
        }


def _type(kind: str, where: str) -> str:
    """Return a trait's type; public codes write physical with and without "trait"."""
    for name in TRAITS:
        if kind.lower().startswith(name):
            return name
    raise DataError(f"{quoted(kind)} is not a type of trait: {', '.join(TRAITS)}", where=where)


def _occupation(caption: str, first: str, second: str, where: str) -> str:
    """Return what follows both traits, in lower case."""
    _, separator, ending = caption.partition(f"{first} {second} ")
    occupation = " ".join(ending.lower().split()).rstrip(".")
    if not separator or not occupation:
        raise DataError(
            f"no occupation follows {quoted(first)} and {quoted(second)} in the caption "
            f"{quoted(caption)}",
            where=where,
        )
    return occupation
