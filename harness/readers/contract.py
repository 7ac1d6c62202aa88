"""The reader contract: a benchmark's release layout in, samples out, nothing opened too early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from harness.samples import DataRoot, Sample


class Reader(Protocol):
    """Reads one benchmark's own release layout. Made by ``(options) -> Reader``.

    Files are named by their way from the root, such as ``labels/train.json``; what can be done
    with a name is in :class:`harness.samples.DataRoot`.
    """

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the annotation files a split needs, in a fixed order, whether or not they exist.

        The harness checks that they exist, says which are missing, and hashes them for the task
        fingerprint; images are not among them.
        """
        ...

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's samples as a stream, in a stable order, samples of one image together.

        At most 300 MB above the interpreter for 1,000,000 rows; no image is opened.

        Raises:
            DataError: for a file that is truncated, not of its format, of another encoding or
                lacking a key; it names file and record.
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
    """A reader that makes no sample of some entries of its files, as the release's rules have it.

    A reader that yields fewer samples than its files name says so here or by :class:`LeavesOut`.
    """

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return what became no sample, in a few words, and how often.

        Asked for after the split's samples were walked through, so that they can be counted then.
        """
        ...


@runtime_checkable
class DescribesFiles(Protocol):
    """A reader that tells by looking how files are to be read, such as their encoding."""

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Return what whoever reads the record should know; printed once, and recorded."""
        ...


@runtime_checkable
class TakesPart(Protocol):
    """A reader that needs a part of what a dataset on the hub holds."""

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return the files a split needs, as patterns such as ``data/validation-*.parquet``.

        Where none of them is there, the dataset holds another layout and is fetched whole.
        """
        ...


@runtime_checkable
class HashesContents(Protocol):
    """A reader whose annotation files also hold images: a fingerprint needs the labels only."""

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the SHA-256 of what the reader reads of an annotation file."""
        ...
