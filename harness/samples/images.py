"""Open images from strangers: inside their root, within limits, always as upright RGB."""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from harness.errors import SampleError

if TYPE_CHECKING:
    from harness.samples.sample import ImageRef

MAX_PIXELS = 200_000_000
"""Pixels of an image at most, unless a run says otherwise."""

_PILLOW = Lock()
MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An opened image.

    Attributes:
        pixels: Upright RGB, as a view shows it.
        sha256: Hash of the encoded bytes on disk.
        key: Hash of bytes *and* view; equal keys mean equal pixels, so features can be shared.
        width: Width in pixels of the upright image before any view.
        height: Height likewise.
    """

    pixels: Image.Image
    sha256: str
    key: str
    width: int
    height: int


def open_image(ref: ImageRef, *, max_pixels: int = MAX_PIXELS) -> LoadedImage:
    """Open an image reference.

    Raises:
        SampleError: missing, empty, truncated, too large, not an image, or outside its root.
    """
    data = _read(ref)
    digest = hashlib.sha256(data).hexdigest()
    if not data:
        raise SampleError("image_empty", f"{ref.name}: the file is empty")
    if len(data) > MAX_BYTES:
        raise SampleError("image_too_large", f"{ref.name}: over {MAX_BYTES >> 20} MiB")
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
                        f"{ref.name}: {pixels / 1e6:.0f} megapixels, the limit is "
                        f"{max_pixels / 1e6:.0f}",
                    )
                upright = to_rgb(ImageOps.exif_transpose(image))
    except SampleError:
        raise
    except UnidentifiedImageError:
        raise SampleError("image_unreadable", f"{ref.name}: not an image pillow knows") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError) as error:
        # Pillow raises SyntaxError and ValueError for damaged headers, OSError for truncation.
        raise SampleError("image_unreadable", f"{ref.name}: {error}") from None
    return LoadedImage(upright, digest, digest, upright.width, upright.height)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any mode as RGB: 16-bit is scaled, transparency goes onto white."""
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would clip these to 255; a 16-bit scan must be scaled instead.
        values = np.asarray(image, dtype=np.float64)
        wide = image.mode.startswith("I;16") or values.max(initial=0) > 255
        top = 65535.0 if wide else 255.0
        grey = np.clip(values * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = 1.0 if values.max(initial=0) <= 1 else 255.0
        return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(paper, layered).convert("RGB")
    return image.convert("RGB")


def _read(ref: ImageRef) -> bytes:
    if ref.data is not None:
        return ref.data
    if ref.load is not None:
        return ref.load()
    if ref.root is None:
        raise SampleError("image_missing", f"{ref.name}: neither bytes nor a root to find it under")
    path = resolve_inside(ref.root, ref.name)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            raise SampleError("image_unreadable", f"{ref.name}: not a regular file")
        if found.st_size > MAX_BYTES:
            raise SampleError("image_too_large", f"{ref.name}: file over {MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise SampleError("image_missing", f"{ref.name}: no such file") from None
    except OSError as error:
        raise SampleError("image_unreadable", f"{ref.name}: {error.strerror}") from None


def resolve_inside(root: Path, name: str) -> Path:
    """Return the file ``name`` under ``root``, links resolved.

    Raises:
        SampleError: when the name, or a link on its way, leads out of the root.
    """
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\x00" in name:
        raise SampleError("image_outside_root", f"{name}: leads out of the data folder")
    try:
        base = root.resolve()
        path = (base / relative).resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise SampleError("image_unreadable", f"{name}: {error}") from None
    if not path.is_relative_to(base):
        raise SampleError("image_outside_root", f"{name}: a link leads out of the data folder")
    return path


def _opened(data: bytes) -> Image.Image:
    """Open an image without pillow's own limit, which is below ours and belongs to the process."""
    with _PILLOW:
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data))
        finally:
            Image.MAX_IMAGE_PIXELS = theirs
