"""Counts of what a reader passes over, and of what it finds twice, taken while it walks a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from harness.errors import quoted
from harness.readers import Reader
from harness.samples import DataRoot

AGAIN = "entries that the file has twice, asked each time"


class Repeats:
    """Tells the entries that came before: sixty bytes each are kept."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def notes(self, *entry: object) -> dict[str, int]:
        """Return the notes of an entry's sample: none for the first of its kind."""
        before = len(self._hashes)
        self._hashes.add(hash(entry))
        return {AGAIN: 1} if len(self._hashes) == before else {}


class PassedOver:
    """Counts by split; a reader's ``passed_over`` is :meth:`of`."""

    def __init__(self) -> None:
        self._by_split: dict[tuple[DataRoot, str], Counter[str]] = {}

    def begin(self, root: DataRoot, split: str) -> Counter[str]:
        """Return a counter for a walk through a split that begins."""
        counts = self._by_split[root, split] = Counter()
        return counts

    def of(self, reader: Reader, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return what the last walk through a split counted; without one the split is walked."""
        if (root, split) not in self._by_split:
            for _ in reader.samples(root, split):
                pass
        return dict(self._by_split.get((root, split), {}))


def beside(root: DataRoot, lists: Iterable[str], known: Iterable[str] = ()) -> dict[str, int]:
    """Return how many lists lie beside those that a split reads and are none of the release.

    Args:
        root: Where the release lies.
        lists: Names of the files that are read.
        known: Names of the release's other lists, which other splits or options read.
    """
    named = {*lists, *known}
    homes = sorted({(name.rpartition("/")[0], name[name.rindex(".") :]) for name in named})
    others = [
        path
        for folder, ending in homes
        for path in (root.list(folder) if root.is_dir(folder) else ())
        if path.endswith(ending) and path not in named
    ]
    if not others:
        return {}
    shown = quoted(others[0].rpartition("/")[2])
    return {f"lists beside those of the release, such as {shown}, which are not read": len(others)}
