"""Images that a variant of a task perturbs: by a plugin, before any box is drawn."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import FAULTS, SampleError
from harness.plugins import contract_of, find, plugins
from harness.samples.sample import Box
from harness.samples.views import Corners, placed
from harness.targets import load_target

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from harness.descriptors import PerturbationDescriptor
    from harness.samples.images import LoadedImage
    from harness.samples.sample import Sample

_SIDES = re.compile(r"\b(left|right|leftmost|rightmost|clockwise)\b", re.IGNORECASE)
_PLACES = re.compile(r"\b(coordinates?|bounding box|bbox|pixels?)\b|[\[(]\s*-?\d+(\.\d+)?\s*,",
                     re.IGNORECASE)  # fmt: skip


class Perturbation(Protocol):
    """What a perturbation's target is."""

    def __call__(
        self, pixels: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
    ) -> tuple[Image.Image, Sequence[Corners]]:
        """Return the perturbed image, and its boxes where they now are.

        Args:
            pixels: Upright RGB.
            boxes: Corners ``(left, top, right, bottom)`` in pixels of the sample's boxes; empty
                unless it needs them, or moves things and the view shows boxes.
            level: From 1.
            random: Seeded by the sample's id, the kind and the image; the same at every level.
        """
        ...


def find_perturbation(kind: str) -> PerturbationDescriptor:
    """Return a perturbation by its id.

    Raises:
        UserError: there is none.
    """
    return find("perturbation", kind, plugins().perturbations())


def perturbed(
    image: LoadedImage, sample: Sample, kind: str, level: int, *, marked: bool = True
) -> tuple[LoadedImage, tuple[Box, ...]]:
    """Return an image as a perturbation shows it, and the sample's boxes where they now are.

    ``key`` is the hash of the pixels shown. ``marked``: whether the view shows or cuts out boxes;
    if not, only a perturbation that needs boxes gets them.

    Raises:
        SampleError: it needs a box that the sample lacks, or leaves none of one.
        PluginError: the plugin's code fails, or returns what it must not.
    """
    import numpy as np
    from PIL import Image

    descriptor = find_perturbation(kind)
    contract, show = contract_of(descriptor), load_target(descriptor)
    moves = (descriptor.moves and marked) or descriptor.needs_boxes
    corners, notes = placed(image, sample.boxes) if moves and sample.boxes else ([], {})
    if descriptor.needs_boxes and not corners:
        raise SampleError("box_missing", f"{kind} needs a box of the sample, which has none")
    seed = hashlib.sha256(f"{kind}\x00{sample.id}\x00{image.sha256}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    with contract.calling("show"):
        changed_pixels: Any = show(image.pixels.copy(), tuple(corners), level, random)
    fits = isinstance(changed_pixels, tuple) and len(changed_pixels) == 2
    if not (
        fits and isinstance(changed_pixels[0], Image.Image) and changed_pixels[0].mode == "RGB"
    ):
        raise contract.returned(changed_pixels, "show", "an RGB image and its boxes")
    pixels, moved = changed_pixels[0], _boxes(changed_pixels[1])
    if moved is None:
        raise contract.returned(changed_pixels[1], "show", "boxes of four finite numbers")
    if len(moved) != len(corners):
        raise contract.wrong(f"returned {len(moved)} boxes from show, not {len(corners)}")
    digest = hashlib.sha256(f"{pixels.size}".encode() + pixels.tobytes()).hexdigest()
    otherwise = replace(
        image, pixels=pixels, key=digest, width=pixels.width, height=pixels.height, orientation=1,
        notes=notes,
    )  # fmt: skip
    if not corners:
        return otherwise, sample.boxes
    pairs = zip(sample.boxes, moved, strict=True)
    return otherwise, tuple(Box(box.name, x1, y1, x2, y2) for box, (x1, y1, x2, y2) in pairs)


def _boxes(moved: Any) -> list[Corners] | None:
    """Return a plugin's boxes as numbers; ``None`` for what are none, or lie inside out."""
    try:
        boxes = [(float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in moved]
    except FAULTS:
        return None
    good = all(math.isfinite(sum(box)) and box[0] <= box[2] and box[1] <= box[3] for box in boxes)
    return boxes if good else None


def refuse_moved(kind: str, texts: Iterable[str], target: object) -> None:
    """Refuse a question that says where things are, when a perturbation moves them.

    Raises:
        SampleError: it names a side or a place, or its right answer is one.
    """
    if not find_perturbation(kind).moves:
        return
    wanted = target if isinstance(target, list) else [target]
    if any(isinstance(one, list) for one in wanted):
        raise SampleError("perturbation_moves", f"{kind} moves the place that is the right answer")
    words = [*texts, *(one for one in wanted if isinstance(one, str))]
    for pattern in (_PLACES, _SIDES):
        for text in words:
            if match := pattern.search(text):
                phrase = match.group().strip()
                raise SampleError("perturbation_moves", f"{kind} changes what {phrase!r} means")
