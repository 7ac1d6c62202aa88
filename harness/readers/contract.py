"""The reader contract: a benchmark's release layout in, samples out; images stay closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from harness.samples import DataRoot, Sample


class Reader(Protocol):
    """Reads one benchmark's own release layout. Made by ``(options) -> Reader``.

    Files are named by their path from the root, such as ``labels/train.json``; the operations
    on a name are those of :class:`harness.samples.DataRoot`.
    """

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the annotation files a split needs, in a fixed order, whether or not they exist.

        The harness checks that they exist, says which are missing, and hashes them for the task
        fingerprint; images are not among them.
        """
        ...

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's samples as a stream, in a stable order, samples of one image together.

        A reader may use 300 MB for 1,000,000 rows, and opens no image.

        Raises:
            DataError: a file is truncated, has another format or encoding, or lacks a key; the
                message names file and record.
        """
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A reader that leaves images out when its options say so."""

    def left_out(self, root: DataRoot, split: str) -> list[str]:
        """Return their names; ``harness data check`` lists them, records count them."""
        ...


@runtime_checkable
class PassesOver(Protocol):
    """A reader that skips some entries of its files, following the rules of the release.

    A reader that yields fewer samples than its files list reports it here or by :class:`LeavesOut`.
    """

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return the kinds of entries that were skipped, in a few words, and how often.

        Called after the split's samples were read, so that the reader can count while it reads.
        """
        ...


@runtime_checkable
class DescribesFiles(Protocol):
    """A reader that detects how files are to be read, such as their encoding."""

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Return notes for readers of the record; each is printed once and recorded."""
        ...


@runtime_checkable
class TakesPart(Protocol):
    """A reader that needs only some files of a dataset on the hub."""

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return the files a split needs, as patterns such as ``data/validation-*.parquet``.

        If no file matches, the dataset has another layout, and all of it is fetched.
        """
        ...


@runtime_checkable
class HashesContents(Protocol):
    """A reader whose annotation files also hold images: a fingerprint needs only the labels."""

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the SHA-256 of the part of an annotation file that the reader uses."""
        ...
