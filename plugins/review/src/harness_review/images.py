"""Images of strangers for a browser: within limits, and never anything but an image."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from harness.errors import DataError, SampleError
from harness.samples import ImageRef
from harness.samples.images import MAX_BYTES, open_image

from harness_review.decisions import Decision, Reviewed
from harness_review.sets import Item, Material, ReviewSet

_SAFE = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""First bytes of the formats that browsers show as they stand, and their media types."""


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image as it goes to the browser.

    Attributes:
        content: Encoded bytes: the file's own where browsers show its format, else PNG.
        media_type: Such as ``image/png``.
    """

    content: bytes
    media_type: str


def shown_image(item: Item) -> ShownImage:
    """Return an image for the browser, after it was decoded within the harness's limits.

    Raises:
        SampleError: missing, damaged, too large, or outside its root.
    """
    content = _bytes_of(item)
    opened = open_image(ImageRef(item.id, data=content))
    for start, media_type in _SAFE.items():
        if content.startswith(start):
            return ShownImage(content, media_type)
    encoded = io.BytesIO()
    opened.pixels.save(encoded, "PNG", compress_level=1)
    return ShownImage(encoded.getvalue(), "image/png")


def digest_of(group: ReviewSet) -> str:
    """Return the SHA-256 over the encoded images of a set.

    An image that cannot be read counts by the kind of its fault.
    """
    digest = hashlib.sha256()
    for item in group.items:
        try:
            content = _bytes_of(item)
        except SampleError as error:
            content = error.kind.encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def changed(
    reviews: Iterable[Reviewed], material: Material, each: Callable[[], None]
) -> dict[str, list[Decision]]:
    """Return reviewer to decisions on sets whose images have changed since, or that are gone.

    Args:
        reviews: The files of all reviewers.
        material: As it is now.
        each: Called for each decision.
    """
    sets: Mapping[str, ReviewSet] = {group.id: group for group in material.sets}
    digests: dict[str, str] = {}
    stale: dict[str, list[Decision]] = {}
    for review in reviews:
        for name, decision in review.decisions.items():
            if name in sets and name not in digests:
                digests[name] = digest_of(sets[name])
            if digests.get(name) != decision.images:
                stale.setdefault(review.reviewer, []).append(decision)
            each()
    return stale


def _bytes_of(item: Item) -> bytes:
    image = item.image
    if image is None:
        raise SampleError("image_missing", item.fault)
    if image.data is not None:
        return image.data
    if image.load is not None:
        return image.load()
    try:
        assert image.root is not None
        return image.root.read_bytes(image.name, MAX_BYTES)
    except DataError as error:
        raise SampleError("image_missing", error.message) from None
