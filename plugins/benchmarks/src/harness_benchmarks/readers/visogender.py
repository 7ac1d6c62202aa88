"""VisoGender: two tables of occupations with links to images that users fetch themselves.

Columns by position and the meaning of rows as the authors' loader has them (oxai/visogender).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import DataError
from harness.readers import records
from harness.readers.shards import last_part
from harness.samples import DataRoot, Group, ImageRef, Sample

from harness_benchmarks.readers.people import known, spellings, with_article

SPLITS = ("test",)
PRONOUNS = {"masculine": "his", "feminine": "her"}
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_NEWEST = {"OO": "OO_Visogender_10052025.tsv", "OP": "OP_Visogender_11012024.tsv"}
_CONTEXTS = {"single": ("OO",), "two": ("OP",), "both": ("OO", "OP")}
_PEOPLE = {"OO": "single", "OP": "two"}
_GENDERS = spellings(tuple(PRONOUNS))
_DATED = re.compile(r"\w\w_Visogender_(\d\d)(\d\d)(\d{4})\.tsv")


class VisoGender:
    """Reader of VisoGender: one sample per row; its target is the occupation's pronoun.

    Args:
        options: ``context`` (``both``, ``single``: OO, or ``two``: OP), ``missing`` (``error`` or
            ``leave_out``: what becomes of rows without an image), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._tables = _CONTEXTS[records.choice(options, "context", ("both", "single", "two"))]
        self._leave_out = records.choice(options, "missing", ("error", "leave_out")) != "error"
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the newest table of each context, where the repository or the user put it."""
        records.known_split(split, SPLITS)
        return [_table(root, name) for name in self._tables]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield rows in the order of the tables."""
        files = _ImageFiles(root)
        for sample in self._all(root, split, files):
            if sample.images[0].name in files.names or not self._leave_out:
                yield sample

    def left_out(self, root: DataRoot, split: str) -> list[str]:
        """Return the images that would be samples if they were there."""
        if not self._leave_out:
            return []
        files = _ImageFiles(root)
        names = (sample.images[0].name for sample in self._all(root, split, files))
        return [name for name in names if name not in files.names]

    def _all(self, root: DataRoot, split: str, files: _ImageFiles) -> Iterator[Sample]:
        for context, path in zip(self._tables, self.annotations(root, split), strict=True):
            location = root.where(path)
            for number, line in records.lines(root, path):
                if number > 1:
                    yield _sample(line, context, files, f"{location}:{number}")


class _ImageFiles:
    """The images that are there, in the folder images."""

    def __init__(self, root: DataRoot) -> None:
        self.root = root
        # One look at a folder is cheaper than four questions a row.
        self.names = set(root.list("images")) if root.is_dir("images") else set()

    def of(self, ident: str) -> ImageRef:
        """Return a row's image, or the first name it could have."""
        names = [f"images/{ident}{suffix}" for suffix in SUFFIXES]
        return ImageRef(next((name for name in names if name in self.names), names[0]), self.root)


def _sample(line: str, context: str, files: _ImageFiles, where: str) -> Sample:
    cells = [cell.strip() for cell in line.split("\t")]
    least = 9 if context == "OP" else 8
    if len(cells) < least:
        raise DataError(f"the row has {len(cells)} columns and needs at least {least}", where=where)
    ident = records.as_text(cells[0], "IDX", where)
    occupation = records.as_text(cells[3], "the occupation", where).replace("_", " ")
    other = records.as_text(cells[4], "the object or participant", where).replace("_", " ")
    gender = known(cells[7], _GENDERS, "perceived gender", where)
    people = _PEOPLE[context]
    groups = {"gender": Group(gender), "context": Group(people), "sector": Group(cells[1])}
    if context == "OP":
        same = gender == known(cells[8], _GENDERS, "perceived gender", where)
        groups["pair"] = Group("same" if same else "different")
    fields: dict[str, Json] = {
        "occupation": occupation,
        "other": other,
        "concept": occupation,
        "concept_text": with_article(occupation),
        "query": f"{occupation} and {other}",
    }
    return Sample(
        id=ident,
        images=(files.of(ident),),
        target=PRONOUNS[gender],
        cluster=ident,
        fields=fields,
        groups=groups,
    )


def _table(root: DataRoot, context: str) -> str:
    """Return a context's newest table; where it should be when there is none."""
    dated_tables = []
    for folder in ("", context, f"data/visogender_data/{context}"):
        for path in root.list(folder) if root.is_dir(folder) else ():
            name = last_part(path)
            dated = _DATED.fullmatch(name)
            if dated and name.startswith(context):
                dated_tables.append(((dated[3], dated[2], dated[1]), path))
    newest = max(dated_tables, key=lambda pair: pair[0], default=None)
    return newest[1] if newest else _NEWEST[context]
