"""Descriptors of the built-in readers."""

from __future__ import annotations

from harness.descriptors import Option, ReaderDescriptor


def _unit(*choices: str) -> Option:
    return Option(
        name="unit",
        default=choices[0],
        choices=choices,
        help="What a cluster is: statistics resample whole clusters.",
    )


def _sequences(split: str, source: str) -> Option:
    return Option(
        name=f"{split}_sequences",
        help=f"Sequences of the split {split}, separated by commas; unset: {source}.",
    )


READERS: tuple[ReaderDescriptor, ...] = (
    ReaderDescriptor(
        id="hagrid",
        target="harness.readers.hagrid:Hagrid",
        summary="HaGRIDv2: one picture, one gesture; JSON a split and class.",
        options=(
            Option(
                name="no_gesture",
                default="exclude",
                choices=("exclude", "include"),
                help="Whether the folder no_gesture takes part as a class.",
            ),
            _unit("subject", "image"),
        ),
    ),
    ReaderDescriptor(
        id="pisc",
        target="harness.readers.pisc:Pisc",
        summary="PISC: the relation of two people; fine (6) or coarse (3) labels.",
        options=(
            Option(
                name="level",
                default="fine",
                choices=("fine", "coarse"),
                help="Six relations (relationship.json) or three (domain.json).",
            ),
            _unit("image"),
        ),
    ),
    ReaderDescriptor(
        id="gazefollow",
        target="harness.readers.gazefollow:GazeFollow",
        summary="GazeFollow, extended release: where a person looks, a point an annotator.",
        options=(_unit("image"),),
        splits=("train", "test"),
    ),
    ReaderDescriptor(
        id="raf_db",
        target="harness.readers.raf_db:RafDb",
        summary="RAF-DB, basic set: seven expressions of one face.",
        options=(
            Option(
                name="images",
                default="aligned",
                choices=("aligned", "original"),
                help="Aligned faces, or the original pictures.",
            ),
            _unit("image"),
        ),
        splits=("train", "test"),
    ),
    ReaderDescriptor(
        id="jrdb_social",
        target="harness.readers.jrdb_social:JrdbSocial",
        summary="JRDB-Social: how two people interact in a frame.",
        options=(
            Option(
                name="multi",
                default="first",
                choices=("first", "drop"),
                help="What becomes of a pair with several interactions.",
            ),
            _sequences("train", "the toolkit's 20"),
            _sequences("valid", "the toolkit's 7"),
            _sequences("test", "none, since their labels are not public"),
            _unit("sequence", "image"),
        ),
        splits=("train", "valid", "test"),
    ),
)
