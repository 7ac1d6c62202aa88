"""PATA: web images of people in scenes, by ethnicity, gender and age (Seth et al., CVPR 2023).

The release is a list of labels and addresses; images are those the user fetched, under the names
that the script of the questions' authors gives them, or the table which that script writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import PassedOver
from harness_benchmarks.readers.people import known, spellings

LIST, TABLE = "pata_fairness.files.lst", "annotations.csv"
FETCHED, WRITTEN = "images_tmp", "images"
SPLITS = ("test",)
GENDERS = spellings(("male", "female"))
AGES = spellings(("young", "old"))
ETHNICITIES = spellings(
    ("black", "caucasian", "east_asian", "hispanic", "indian"), eastasian="east_asian"
)
AGAIN = "lines that name an address again, left out"
TWO_LABELS = "lines that name one address with different labels, left out"
_COLUMNS = ("name", "gender", "ethnicity", "age")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class _Line(NamedTuple):
    """A line of the list: the name of its image without suffix, the address, the slices."""

    name: str
    address: str
    groups: dict[str, Group]


class Pata:
    """Reader of PATA: one sample per image.

    Args:
        options: ``missing`` (``leave_out`` lists the images whose links rotted and asks about the
            others, ``error`` makes each a sample that cannot be asked), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._only_fetched = records.choice(options, "missing", ("leave_out", "error")) != "error"
        records.choice(options, "unit", ("image",))
        self._passed = PassedOver()
        self._rotted: dict[DataRoot, list[str]] = {}

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the list; the authors' table where there is no list with fetched images."""
        records.known_split(split, SPLITS)
        has_list = root.is_file(LIST) and root.is_dir(FETCHED)
        return [TABLE if root.is_file(TABLE) and not has_list else LIST]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield images in the order of the file.

        Raises:
            DataError: a line without a label of this release, or without an address.
        """
        file = self.annotations(root, split)[0]
        passed = self._passed.begin(root, split)
        if file == TABLE:
            yield from _written(root)
            return
        matched = self._matched(root, passed)
        if self._only_fetched and matched and not any(path for _, path in matched):
            raise DataError(
                f"none of the {len(matched):,} images of {LIST} is there",
                where=root.where(_folder(root)),
                fix=f"save each as {FETCHED}/<label>_<line, from 0>.png",
            )
        folder = _folder(root)
        for line, path in matched:
            if path or not self._only_fetched:
                wanted = f"{folder}/{line.name}{_SUFFIXES[0]}"
                yield _sample(line.name, path or wanted, root, line.groups)

    def _matched(self, root: DataRoot, passed: Counter[str]) -> list[tuple[_Line, str | None]]:
        """Return the lines, each with its image where that is there, and keep the others' names."""
        paths = _paths(root)
        matched = [(line, paths.get(line.name)) for line in _lines(root, passed)]
        self._rotted[root] = [
            f"{line.name} ({line.address})" for line, path in matched if path is None
        ]
        return matched

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many lines are left out, and why."""
        return self._passed.of(self, root, split)

    def left_out(self, root: DataRoot, split: str) -> list[str]:
        """Return the images that are not there, each with its address."""
        if not self._only_fetched or self.annotations(root, split)[0] == TABLE:
            return []
        if root not in self._rotted:
            self._matched(root, Counter())
        return self._rotted[root]

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Say how long the list is, whether it is cut, and what the table cannot know."""
        if self.annotations(root, split)[0] == LIST:
            return _length(root)
        return [f"{TABLE} lists the images that were fetched; how many {LIST} has is not known"]


def _length(root: DataRoot) -> list[str]:
    """Return what only its length says of a list, as no source states how long it is."""
    with root.open(LIST) as file:
        data = file.read()
    number = sum(bool(line.strip()) for line in data.splitlines())
    cut = [] if data.endswith(b"\n") else [f"{LIST} ends without a line break: it may be cut"]
    return [f"{LIST} has {number:,} lines; no source states how many it should have", *cut]


def _folder(root: DataRoot) -> str:
    return FETCHED if root.is_dir(FETCHED) or not root.is_dir(WRITTEN) else WRITTEN


def _paths(root: DataRoot) -> dict[str, str]:
    """Return the file of each image that is there, by its name without folder and suffix."""
    folder = _folder(root)
    paths: dict[str, str] = {}
    for path in sorted(root.list(folder) if root.is_dir(folder) else (), key=_rank):
        if path.endswith(_SUFFIXES):
            paths.setdefault(path.removeprefix(f"{folder}/").rpartition(".")[0], path)
    return paths


def _rank(path: str) -> int:
    """Return the place of a file's suffix among those that are looked for."""
    return next((at for at, suffix in enumerate(_SUFFIXES) if path.endswith(suffix)), 0)


def _lines(root: DataRoot, passed: Counter[str]) -> list[_Line]:
    """Return the lines whose address has one set of labels, the first of each address."""
    by_address: dict[str, list[_Line]] = {}
    for line in _all_lines(root):
        by_address.setdefault(line.address, []).append(line)
    lines = []
    for of_one in by_address.values():
        if any(line.groups != of_one[0].groups for line in of_one):
            passed[TWO_LABELS] += len(of_one)
        else:
            passed[AGAIN] += len(of_one) - 1
            lines.append(of_one[0])
    return lines


def _all_lines(root: DataRoot) -> Iterator[_Line]:
    """Yield the lines of the list; images are numbered by line, from 0, without empty lines."""
    location = root.where(LIST)
    for index, (number, text) in enumerate(records.lines(root, LIST)):
        where = f"{location}:{number}"
        label, bar, address = text.partition("|")
        parts = label.strip().rsplit("_", 3)
        if not bar or not address.strip() or len(parts) != len(_COLUMNS):
            raise DataError(
                f"{quoted(text)} is not scene_ethnicity_gender_age|address", where=where,
                fix="download the list again, should it be cut",
            )  # fmt: skip
        groups = _groups(parts[1], parts[2], parts[3], where)
        groups["scene"] = Group(parts[0])
        yield _Line(f"{label.strip()}_{index}", address.strip(), groups)


def _written(root: DataRoot) -> Iterator[Sample]:
    """Yield the rows of the table that the authors' script writes."""
    location, header = root.where(TABLE), list[str]()
    for number, text in records.lines(root, TABLE):
        where = f"{location}:{number}"
        cells = records.cells(text, where)
        if not header:
            header = cells
            for name in _COLUMNS:
                if name not in cells:
                    raise records.missing_column(name, cells, where)
            continue
        if len(cells) != len(header):
            raise DataError(f"the row has {len(cells)} columns, not {len(header)}", where=where)
        row = dict(zip(header, cells, strict=True))
        name = records.as_text(row["name"], "name", where)
        groups = _groups(row["ethnicity"], row["gender"], row["age"], where)
        yield _sample(name.rpartition(".")[0] or name, f"{WRITTEN}/{name}", root, groups)


def _groups(ethnicity: str, gender: str, age: str, where: str) -> dict[str, Group]:
    return {
        "gender": Group(known(gender, GENDERS, "gender", where)),
        "ethnicity": Group(known(ethnicity, ETHNICITIES, "ethnicity", where)),
        "age": Group(known(age, AGES, "age", where)),
    }


def _sample(name: str, path: str, root: DataRoot, groups: dict[str, Group]) -> Sample:
    return Sample(id=name, images=(ImageRef(path, root),), target=None, cluster=name, groups=groups)
