"""FER+: ten people's votes for each face of FER2013, in one CSV; faces in folders by split.

``fer2013new.csv``, and the folders that ``generate_training_data.py`` writes (microsoft/FERPlus).
A face's label is the majority's as ``_process_data`` of the authors' ``ferplus.py`` finds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.samples import DataRoot, ImageRef, Sample

EMOTIONS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
)  # fmt: skip
_NONE = ("unknown", "NF")
SPLITS = {
    "train": ("Training", "FER2013Train"),
    "val": ("PublicTest", "FER2013Valid"),
    "test": ("PrivateTest", "FER2013Test"),
}
FILE = "fer2013new.csv"
ANNOTATORS = 10
_OTHER_SUM = f"faces whose votes do not sum to the release's {ANNOTATORS}"
_HEADER = ["Usage", "Image name", *EMOTIONS, *_NONE]


def majority(votes: Sequence[float]) -> int | None:
    """Return the place of the label that most vote for, ``None`` where there is no majority.

    Single votes are taken off first; the label needs more than half of the others.

    Args:
        votes: Those for each of EMOTIONS, for unknown and for no face.
    """
    counted = [number if number > 1 else 0.0 for number in votes]
    most = max(counted)
    return counted.index(most) if most > 0.5 * sum(counted) else None


class FerPlus:
    """Reader of FER+: one sample per face whose majority names one of eight emotions.

    Args:
        options: ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the file of votes, one for all splits."""
        del root
        records.known_split(split, tuple(SPLITS))
        return [FILE]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield faces in the order of the file."""
        folder = SPLITS[records.known_split(split, tuple(SPLITS))][1]
        for name, votes, label in _last(root, split):
            if name and label is not None and label < len(EMOTIONS):
                ident = name.rpartition(".")[0] or name
                yield Sample(
                    id=f"{split}/{ident}",
                    images=(ImageRef(f"{folder}/{name}", root),),
                    target=EMOTIONS[label],
                    cluster=f"{split}/{ident}",
                    fields={"votes": list(votes[: len(EMOTIONS)])},
                    notes={} if sum(votes) == ANNOTATORS else {_OTHER_SUM: 1},
                )

    def left_out(self, root: DataRoot, split: str) -> list[str]:
        """Return the rows without a face or a majority for an emotion, and those named again."""
        rows = _last(root, split)
        twice = [f"{name} (named again)" for name in _twice(root, split)]
        return twice + [
            name or "a row without a face"
            for name, _, label in rows
            if not name or label is None or label >= len(EMOTIONS)
        ]

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Return which images two rows name."""
        names = _twice(root, split)
        if not names:
            return []
        twice = ", ".join(names)
        return [f"{twice}: named by two rows; the last one counts, as its face is written last"]


_Row = tuple[str, list[float], int | None]


def _last(root: DataRoot, split: str) -> list[_Row]:
    """Return a split's rows without those whose image a later row names again."""
    rows: dict[str, _Row] = {}
    for position, row in enumerate(_rows(root, split)):
        key = row[0] or f"#{position}"
        rows.pop(key, None)
        rows[key] = row
    return list(rows.values())


def _twice(root: DataRoot, split: str) -> list[str]:
    counts = Counter(name for name, _, _ in _rows(root, split) if name)
    return [name for name, number in counts.items() if number > 1]


def _rows(root: DataRoot, split: str) -> Iterator[_Row]:
    """Yield name, votes and the majority's place of each row of a split."""
    usage, location = SPLITS[split][0], root.where(FILE)
    usages = {named for named, _ in SPLITS.values()}
    for number, text in records.lines(root, FILE):
        where = f"{location}:{number}"
        cells = text.split(",")
        if number == 1:
            for name in _HEADER:
                if name not in cells:
                    raise records.missing_column(name, cells, where)
            if cells != _HEADER:
                raise DataError("the header is not that of the release", where=where,
                                fix=",".join(_HEADER))  # fmt: skip
            continue
        if len(cells) != len(_HEADER):
            raise DataError(f"the row has {len(cells)} columns, not {len(_HEADER)}", where=where)
        if cells[0] not in usages:
            raise DataError(f"{quoted(cells[0])} is not a part of this release", where=where,
                            fix=", ".join(sorted(usages)))  # fmt: skip
        if cells[0] == usage:
            votes = [
                float(records.as_whole(cell, f"votes for {name}", where))
                for name, cell in zip(_HEADER[2:], cells[2:], strict=True)
            ]
            if min(votes) < 0:
                raise DataError("a number of votes is below 0", where=where)
            yield cells[1].strip(), votes, majority(votes)
