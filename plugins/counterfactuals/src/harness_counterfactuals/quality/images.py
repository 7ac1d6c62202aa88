"""The images of a folder, one after another: of counterfactual sets with their rows, or of any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, SampleError, UserError
from harness.samples.images import LoadedImage, open_image
from harness.samples.roots import data_root
from harness.samples.sample import ImageRef

from harness_counterfactuals.folder import SetFolder
from harness_counterfactuals.manifest import MADE, MANIFEST, Row

if TYPE_CHECKING:
    from harness.evaluation.task import Task
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
        root = data_root(path)
        self._images = [] if self.made else [
            ImageRef(name, root) for name in root.walk() if name.lower().endswith(_ENDINGS)
        ]  # fmt: skip
        if not self.rows and not self._images:
            dropped = " that filters keep" if self.made_rows else ""
            readable = f"images that end in {', '.join(_ENDINGS)}"
            fix = "--all counts those that filters dropped, too" if dropped else readable
            raise UserError(f"the folder holds no image{dropped}", where=path, fix=fix)

    def __len__(self) -> int:
        return len(self.rows) or len(self._images)

    def batches(self) -> Iterator[Batch]:
        """Yield the images: whole sets where there are sets."""
        if self.made is not None:
            for _, rows in groupby(self.rows, key=lambda row: row.set):
                listed = list(rows)
                images = [self.made.image(row) for row in listed]
                yield Batch(images, [row.sha256 for row in listed],
                            [row.file for row in listed], listed)  # fmt: skip
            return
        for start in range(0, len(self._images), _AT_ONCE):
            opened = [(image.name, self._open(image))
                      for image in self._images[start : start + _AT_ONCE]]  # fmt: skip
            readable = [(name, image) for name, image in opened if image is not None]
            if readable:
                names, loaded = zip(*readable, strict=True)
                yield Batch([each.pixels for each in loaded], [each.sha256 for each in loaded],
                            names, ())  # fmt: skip

    def _open(self, image: ImageRef) -> LoadedImage | None:
        try:
            return open_image(image)
        except (SampleError, DataError) as error:
            self.unreadable.append(error.message)
            return None


class TaskImages(ImageFolder):
    """The images of the split that a task evaluates, each once, as its reader gives them.

    Args:
        task: The task; images that are missing are counted as unreadable.

    Raises:
        UserError: its data cannot be had, or have no images.
    """

    def __init__(self, task: Task) -> None:
        self.path, self.made, self.rows, self.made_rows = Path(task.id), None, [], []
        self.unreadable = []
        images = (image for sample in task.read() for image in sample.images)
        self._images = list({image.name: image for image in images}.values())
        if not self._images:
            raise UserError("its samples have no images", where=f"task {task.id!r}")
