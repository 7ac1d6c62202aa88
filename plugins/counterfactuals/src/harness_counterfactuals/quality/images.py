"""The images of a folder, one after another: of counterfactual sets with their rows, or of any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, SampleError, UserError
from harness.samples.images import LoadedImage, open_image
from harness.samples.roots import DataRoot, data_root
from harness.samples.sample import ImageRef

from harness_counterfactuals.folder import SetFolder
from harness_counterfactuals.manifest import MADE, MANIFEST, Row

if TYPE_CHECKING:
    from PIL import Image

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Some images that are open at once.

    Attributes:
        names: Paths within the folder.
        rows: What the manifest says; empty for other folders.
    """

    images: Sequence[Image.Image]
    hashes: Sequence[str]
    names: Sequence[str]
    rows: Sequence[Row]


class ImageFolder:
    """A folder whose images are read in a fixed order, a set or a few at once.

    Args:
        path: The folder, or an archive.
        everything: Whether images that filters dropped count, too.

    Attributes:
        made: The folder of counterfactual sets; ``None`` for another.
        rows: Rows of the manifest that count.
        unreadable: Images that could not be opened, with why; they take no part.

    Raises:
        UserError: no image there.
    """

    def __init__(self, path: Path, *, everything: bool = False) -> None:
        self.path = path
        self.made = SetFolder.open(path) if (path / MADE.file).is_file() else None
        self.rows: list[Row] = []
        self.made_rows: list[Row] = []
        self.unreadable: list[str] = []
        if self.made is not None:
            if not (path / MANIFEST).is_file():
                raise UserError("the manifest is missing", where=path,
                                fix="harness make counterfactuals ... --filter-only")  # fmt: skip
            self.made_rows = self.made.manifest()
            self.rows = [row for row in self.made_rows if everything or not row.dropped]
        self._root = data_root(path)
        self._names = [] if self.made else [
            name for name in self._root.walk() if name.lower().endswith(_ENDINGS)
        ]  # fmt: skip
        if not self.rows and not self._names:
            dropped = " that filters keep" if self.made_rows else ""
            fix = "--all counts those that filters dropped, too" if dropped else ""
            raise UserError(f"the folder holds no image{dropped}", where=path, fix=fix)

    def __len__(self) -> int:
        return len(self.rows) or len(self._names)

    def batches(self) -> Iterator[Batch]:
        """Yield the images: whole sets where there are sets."""
        if self.made is not None:
            for _, rows in groupby(self.rows, key=lambda row: row.set):
                listed = list(rows)
                images = [self.made.image(row) for row in listed]
                yield Batch(images, [row.sha256 for row in listed],
                            [row.file for row in listed], listed)  # fmt: skip
            return
        for start in range(0, len(self._names), _AT_ONCE):
            opened = [(name, self._open(self._root, name))
                      for name in self._names[start : start + _AT_ONCE]]  # fmt: skip
            readable = [(name, image) for name, image in opened if image is not None]
            if readable:
                names, loaded = zip(*readable, strict=True)
                yield Batch([each.pixels for each in loaded], [each.sha256 for each in loaded],
                            names, ())  # fmt: skip

    def _open(self, root: DataRoot, name: str) -> LoadedImage | None:
        try:
            return open_image(ImageRef(name, root))
        except (SampleError, DataError) as error:
            self.unreadable.append(error.message)
            return None
