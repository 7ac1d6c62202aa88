"""How much the world holds, without a line of drawing: the plugin loads with every command."""

from __future__ import annotations

from dataclasses import dataclass

BENCHMARKS = (
    "hagridv2", "pisc", "gazefollow", "raf_db", "jrdb_social",
    "scounter", "fairface", "cmsc", "visogender", "vqav2", "textvqa", "mmbench",
)  # fmt: skip

OWN = ("drawn_things", "drawn_people")
"""Images with captions in the world's own layout: for analyses, no benchmark."""

SPLITS = ("train", "val", "test")

COUNTS: dict[str, dict[str, int]] = {
    "hagridv2": {"train": 34 * 120, "val": 34 * 4, "test": 34 * 12},
    "pisc": {"train": 3000, "val": 120, "test": 360},
    "gazefollow": {"train": 8000, "test": 400},
    "raf_db": {"train": 3010, "test": 420},
    "jrdb_social": {"train": 3000, "val": 160, "test": 400},
    "scounter": {"train": 3, "val": 1, "test": 1},
    "fairface": {"train": 1260, "test": 504},
    "cmsc": {"train": 9, "val": 1, "test": 3},
    "visogender": {"OO": 80, "OP": 160},
    "vqav2": {"train": 2400, "test": 240},
    "textvqa": {"train": 1440, "test": 240},
    "mmbench": {"test": 120, "closed": 20},
}
"""Items a split: images, except pairs for jrdb_social and questions for mmbench (`closed` is its
part without answers). cmsc: sets a concept; scounter: threefold, twofold and single, the sets an
occupation of the three pairs of attribute types; visogender: rows a file.
Classes are balanced."""

_FRAME_PATTERN = (2, 3, 4, 3)
_FRAMES_A_SEQUENCE = 10
_PLACES = ("harbour", "station", "garden", "library", "market", "bridge")


@dataclass(frozen=True, slots=True)
class FrameName:
    """Where a stitched frame belongs: its sequence, its file, its first pair and pair count."""

    sequence: str
    file: str
    first: int
    count: int


def frames(split: str) -> tuple[FrameName, ...]:
    """Return the stitched frames of a split; together they hold COUNTS pairs."""
    total, done, names = COUNTS["jrdb_social"][split], 0, list[FrameName]()
    while done < total:
        number = len(names)
        count = min(_FRAME_PATTERN[number % len(_FRAME_PATTERN)], total - done)
        block, frame = divmod(number, _FRAMES_A_SEQUENCE)
        sequence = f"{_PLACES[block % len(_PLACES)]}-{split}-{block:02d}"
        names.append(FrameName(sequence, f"{frame:06d}.jpg", done, count))
        done += count
    return tuple(names)


def sequences(split: str) -> tuple[str, ...]:
    """Return the names of a split's sequences, in order."""
    return tuple(dict.fromkeys(frame.sequence for frame in frames(split)))
