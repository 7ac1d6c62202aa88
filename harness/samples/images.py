"""Open images from strangers: inside their root, within limits, always as upright RGB."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from harness.errors import DataError, SampleError, short
from harness.samples.limits import MAX_PIXELS
from harness.samples.roots import FileMissing, LeadsOut, TooLarge

if TYPE_CHECKING:
    from harness.samples.sample import ImageRef

_PILLOW = Lock()
_ORIENTATION = 0x0112  # of EXIF; 1 is upright
MAX_BYTES = 512 * 1024 * 1024
FRAMES = "images with several frames or pages, of which the first is shown"


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An opened image.

    Attributes:
        pixels: Upright RGB, as a view shows it.
        sha256: Hash of the encoded bytes on disk.
        key: Hash of bytes *and* view; equal keys mean equal pixels, so features can be shared.
        width: Width in pixels of the upright image before any view.
        height: Height likewise.
        orientation: EXIF orientation, 1 to 8; over 1 it was mirrored or turned to be upright,
            from 5 on by a quarter.
        notes: What is not shown, and what was done to the sample's boxes, with how often.
    """

    pixels: Image.Image
    sha256: str
    key: str
    width: int
    height: int
    orientation: int = 1
    notes: Mapping[str, int] = field(default_factory=dict)


OpenImage = Callable[["ImageRef"], LoadedImage]
"""Opens an image as a run does: :func:`open_image` with the run's limit of pixels."""


def open_image(ref: ImageRef, *, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    """Open an image reference.

    Raises:
        SampleError: missing, empty, truncated, too large, not an image, or outside its root.
    """
    data = _read(ref)
    digest = hashlib.sha256(data).hexdigest()
    if not data:
        raise SampleError("image_empty", f"{_called(ref)}: the file is empty")
    if len(data) > MAX_BYTES:
        raise SampleError("image_too_large", f"{_called(ref)}: over {MAX_BYTES >> 20} MiB")
    try:
        # The limit is ours and checked below from the header, before any pixel is decoded; what
        # pillow says of odd metadata would come once a process, not once a file.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _opened(data) as image:
                pixels = image.width * image.height
                if pixels > max_pixels:
                    raise SampleError(
                        "image_too_large",
                        f"{_called(ref)}: {pixels / 1e6:.0f} megapixels, the limit is "
                        f"{max_pixels / 1e6:.0f}",
                    )
                # What an MPO of a camera has beside its image is a preview or a second view.
                several = image.format != "MPO" and getattr(image, "is_animated", False)
                orientation = _orientation(image)
                upright = to_rgb(ImageOps.exif_transpose(image))
    except SampleError:
        raise
    except UnidentifiedImageError:
        raise SampleError(
            "image_unreadable", f"{_called(ref)}: not an image pillow knows"
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
        # Pillow raises SyntaxError and ValueError for damaged headers, OSError for truncation.
        raise SampleError("image_unreadable", f"{_called(ref)}: {short(str(error), 200)}") from None
    size, notes = upright.size, {FRAMES: 1} if several else {}
    return LoadedImage(upright, digest, digest, *size, orientation, notes)


def image_hash(ref: ImageRef) -> str:
    """Return the SHA-256 of an image's encoded bytes, as :class:`LoadedImage` has it.

    Raises:
        SampleError: missing, too large, or outside its root.
    """
    return hashlib.sha256(_read(ref)).hexdigest()


def _orientation(image: Image.Image) -> int:
    value: Any = image.getexif().get(_ORIENTATION)
    return int(value) if value in range(1, 9) else 1  # files that have it as a fraction turn too


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any mode as RGB: 16-bit is scaled, transparency goes onto white."""
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would clip these to 255; a 16-bit scan must be scaled instead.
        values = np.asarray(image, dtype=np.float64)
        wide = image.mode.startswith("I;16") or values.max(initial=0) > 255
        grey = np.clip(values * (255.0 / 65535.0 if wide else 1.0) + 0.5, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        values *= 255.0 if values.max(initial=0) <= 1 else 1.0
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(paper, layered).convert("RGB")
    return image.convert("RGB")


def _called(ref: ImageRef) -> str:
    return short(ref.name, 240)


def _read(ref: ImageRef) -> bytes:
    if ref.data is not None:
        return ref.data
    if ref.load is not None:
        return ref.load()
    if ref.root is None:
        raise SampleError(
            "image_missing", f"{_called(ref)}: neither bytes nor a root to find it under"
        )
    try:
        return ref.root.read_bytes(ref.name, MAX_BYTES)
    except LeadsOut as error:
        raise SampleError("image_outside_root", f"{_called(ref)}: {error.message}") from None
    except FileMissing as error:
        raise SampleError("image_missing", f"{_called(ref)}: {error.message}") from None
    except TooLarge as error:
        raise SampleError("image_too_large", f"{_called(ref)}: {error.message}") from None
    except DataError as error:
        raise SampleError("image_unreadable", f"{_called(ref)}: {error.message}") from None


def _opened(data: bytes) -> Image.Image:
    """Open an image without pillow's own limit, which is below ours and belongs to the process."""
    with _PILLOW:
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data))
        finally:
            Image.MAX_IMAGE_PIXELS = theirs
