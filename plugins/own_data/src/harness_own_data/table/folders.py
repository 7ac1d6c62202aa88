"""A folder of images as a table: `label/.../x.jpg` gives columns `path`, `label`, `name`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from harness.errors import DataError
from harness.samples import DataRoot

from harness_own_data.table.rows import Row

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")

HIDDEN = "in hidden folders"
"""Of files that are not read: copies that other programs keep, such as ``.ipynb_checkpoints``."""


class UnlabelledImageError(DataError):
    """An image of the folder is in no folder of a label."""


class ImageFolder:
    """Every image below a folder; see :class:`harness_own_data.table.rows.Table`.

    Columns: ``path`` (from the data folder), ``label`` (the first folder below this one), ``name``
    (the file without its ending), ``id`` (the path from this folder).
    """

    typed = False
    unit = "row"
    notes: Sequence[str] = ()
    seekable = False
    columns: Sequence[str] = ("path", "label", "name", "id")

    def __init__(self, root: DataRoot, name: str) -> None:
        self.root, self.name = root, name

    def unread(self) -> dict[str, int]:
        """Return the endings of files in folders of labels that are read as no image, counted."""
        endings = Counter[str]()
        for path in self.root.walk(self.name):
            below = self._below(path)
            if _is_hidden(below):
                endings[HIDDEN] += path.lower().endswith(ENDINGS)
            elif "/" in below and not path.lower().endswith(ENDINGS):
                endings[PurePosixPath(path).suffix.lower() or "without an ending"] += 1
        return {ending: number for ending, number in sorted(endings.items()) if number}

    def _below(self, path: str) -> str:
        return path[len(self.name) + 1 :] if self.name else path

    def read(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield a row for each image, sorted by path within each folder."""
        number = 0
        for path in self.root.walk(self.name):
            below = self._below(path)
            if not path.lower().endswith(ENDINGS) or _is_hidden(below):
                continue
            number += 1
            label, _, file_name = below.partition("/")
            file = below.rpartition("/")[2]
            cells = {
                "path": path,
                "label": label if file_name else "",
                "name": file.rpartition(".")[0],
                "id": below,
            }
            if "label" in names and not file_name:
                raise UnlabelledImageError(
                    f"the image {file!r} is not in the folder of a label",
                    where=self.root.where(path),
                    fix="one folder for each label: label/image.jpg",
                )
            yield Row(number, -1, [cells[name] for name in names])
        if not number:
            raise DataError("this folder holds no image", where=self.root.where(self.name))


def _is_hidden(path: str) -> bool:
    """Whether a file is hidden, or lies in a hidden folder; no label begins with a dot."""
    return path.startswith(".") or "/." in path
