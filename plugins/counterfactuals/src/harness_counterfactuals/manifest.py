"""A folder of counterfactual sets: its layout, and the facts recorded of it and of each image.

::

    DIR/
      spec.yaml          the spec, as it was read
      about.json         what the folder says of itself (About)
      images.jsonl       a row for each image, in the order of the plan, as it was made
      made.json          the seal over these three; images are hashed in their rows
      images/CONCEPT/SET/BASE/VALUE.png
      scores/FILTER.jsonl   one file a filter (write_scores); a header, then a line for each image
      manifest.jsonl     rows joined with scores: what readers take, dropped images included
      manifest.parquet   the same
      kept.jsonl         the rows of the manifest whose ``dropped`` is empty

A *set* is all images of one concept and number: every combination of attributes, from one seed. A
*base* is the part of a set that differs in the edited attribute alone. ``manifest`` and ``kept``
are derived, and may be written anew at any time. :mod:`harness_counterfactuals.folder` opens one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import DataError
from harness.runs.seal import Sealing, seal_files

if TYPE_CHECKING:
    from harness.descriptors import Json

FORMAT = 1
SPEC, ABOUT, IMAGES, MANIFEST, KEPT = (
    "spec.yaml",
    "about.json",
    "images.jsonl",
    "manifest.jsonl",
    "kept.jsonl",
)
SCORES, PICTURES, PARQUET = "scores", "images", "manifest.parquet"
SEALED = (SPEC, ABOUT, IMAGES)
MADE = Sealing(
    "made.json",
    FORMAT,
    "these sets are not finished",
    "remove the folder; harness make counterfactuals makes the same images again",
)
Drop = Literal["set", "base", "image"]
SPLITS = (("train", 70), ("val", 10), ("test", 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a folder says of itself; the data-set card is written from it.

    Attributes:
        title: As the spec says.
        spec: SHA-256 of what of the spec changes an image file.
        purpose: What the images are for, as the spec says; empty where it needs none.
        licence: The images', as the spec says.
        concepts: Concept to its group.
        attributes: Attribute to value to the words that prompts hold for it.
        edited: The attribute that is edited; the others make the bases.
        editor: Id of the editor.
        schedule: The editor's settings, defaults included.
        generator: The checkpoint: ``model``, ``family``, ``licence``, ``sha256`` by part, and
            of the refiner, if any.
        settings: Size, steps, guidance, negative prompt, dtype, device type, scheduler.
        packages: Versions of packages that the images depend on.
        filters: Filters of the spec, in its order: ``filter`` and ``options``.
        drop: What goes when one image is not fit.
        sets: How many there are.
        images: How many there are.
        note: As the spec says, such as which parts are INFERRED.
        notes: What happened while the images were made, each once.
    """

    title: str
    spec: str
    purpose: str
    licence: str
    concepts: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, str]]
    edited: str
    editor: str
    schedule: Mapping[str, Json]
    generator: Mapping[str, Json]
    settings: Mapping[str, Json]
    packages: Mapping[str, str]
    filters: Sequence[Mapping[str, Json]] = ()
    drop: Drop = "set"
    sets: int = 0
    images: int = 0
    note: str = ""
    notes: Sequence[str] = ()
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One image of a manifest.

    Attributes:
        file: Path below the folder, with forward slashes.
        set: ``CONCEPT-0003``; blanks of the concept are hyphens.
        base: ``SET/VALUES``: the set, and the values of the attributes that are not edited.
        concept: As the spec names it.
        group: Group of the concept.
        split: train, val or test; a set is never divided.
        attributes: Attribute to value. In JSON and Parquet each is a key of its own.
        prompt: As the generator was asked.
        is_source: Whether the others of its base were edited from it.
        seed: It gives the generator's noise.
        editor: Id of the editor.
        schedule: The editor's settings as JSON text.
        models: Part of the generator to the SHA-256 of its weights, as JSON text.
        spec: As ``About`` has it.
        sha256: Hash of the image file.
        width: In pixels.
        height: In pixels.
        scores: ``FILTER.NAME`` to number. In JSON and Parquet each is a key of its own.
        dropped: Filters (and ``human``) that drop it, with their reasons; empty when it is kept.
    """

    file: str
    set: str
    base: str
    concept: str
    group: str
    split: str
    attributes: Mapping[str, str]
    prompt: str
    is_source: bool
    seed: int
    editor: str
    schedule: str
    models: str
    spec: str
    sha256: str
    width: int
    height: int
    scores: Mapping[str, float | None] = field(default_factory=dict)
    dropped: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as one flat object."""
        # By hand: asdict copies every value, which took most of the time of a large manifest.
        flat = {name: getattr(self, name) for name in _COLUMNS}
        return {"file": self.file, **self.attributes, **flat, **self.scores}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], attributes: Iterable[str], where: str) -> Row:
        """Return what :meth:`to_json` gave.

        Raises:
            DataError: a key that is missing or of another type.
        """
        for name, kind in _KINDS.items():
            if type(data.get(name)) is not kind:
                raise DataError(f"the key {name!r} is no {kind.__name__}", where=where)
        values = tuple((name, data.get(name)) for name in attributes)
        if not all(isinstance(value, str) for _, value in values):
            raise DataError("an attribute has no value", where=where)
        scores = {intern(name): value for name, value in data.items() if "." in name}
        # There may be 60,000 rows and more: what many of them have is one object.
        plain: dict[str, Any] = {
            name: intern(data[name]) if name in _REPEATED else data[name] for name in _KINDS
        }
        return cls(attributes=_attributes(values), scores=scores, **plain)


@lru_cache(maxsize=4096)
def _attributes(values: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(values)


_KINDS: dict[str, type] = {
    **dict.fromkeys(("file", "set", "base", "concept", "group", "split", "prompt", "editor"), str),
    **dict.fromkeys(("schedule", "models", "spec", "sha256", "dropped"), str),
    **dict.fromkeys(("seed", "width", "height"), int),
    "is_source": bool,
}
_COLUMNS = tuple(
    each.name for each in fields(Row) if each.name not in {"file", "attributes", "scores"}
)
_REPEATED = frozenset(name for name, kind in _KINDS.items() if kind is str) - {"file", "sha256"}
RESERVED = frozenset({*_KINDS, "attributes", "scores", "id", "image"})
"""Names that no attribute may have."""


def split_of(name: str, shares: Sequence[tuple[str, int]] = SPLITS) -> str:
    """Return the split of a set: dealt by a hash of its name, as the reader ``cmsc`` deals.

    Args:
        name: The set's.
        shares: Split to its share in percent, in order; 100 in all.
    """
    percent = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100
    for split, share in shares:
        if percent < share:
            return split
        percent -= share
    raise ValueError("shares are less than 100 in all")


def seal_folder(directory: Path) -> None:
    """Seal a folder whose images are all made."""
    seal_files(directory, SEALED, MADE)


def is_made(directory: Path) -> bool:
    """Whether a folder is sealed, without checking it."""
    return (directory / MADE.file).is_file()
