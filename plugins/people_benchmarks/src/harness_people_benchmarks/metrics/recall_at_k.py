"""Recall at k of retrieval between images and their captions, both ways (R@1, R@5, R@10)."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError, UserError
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Places = NDArray[np.intp]

DESCRIPTORS = (
    MetricDescriptor(
        id="recall_at_k",
        target="harness_people_benchmarks.metrics.recall_at_k:RecallAtK",
        summary="Share of images with a caption of theirs among the first k, or the other way.",
        version=2,
        options=(
            Option(
                name="k", type="int", default=1, help="Number of first-ranked items that count."
            ),
            Option(
                name="query",
                default="image",
                choices=("image", "text"),
                help="Images ask for captions, or captions for images.",
            ),
        ),
        needs_target=False,
    ),
)
TIE = 1e-6
"""Cosines closer than this are tied: a float32 product of matrices rounds by its shape."""

_CELLS = 1 << 24  # cosines in memory at once: 64 MB
_BYTE = 255  # rows that a byte can count


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where each query's right answer stands; each ``(queries,)``.

    Attributes:
        above: Wrong answers with a higher cosine than the (best) right one.
        tied: Wrong answers tied with it.
        own: Right answers tied with it, itself included.
    """

    above: Places
    tied: Places
    own: Places

    def reached(self, k: int) -> Floats:
        """Return the chance that a right answer is among the first k, ties in any order."""
        import numpy as np

        missed = np.ones(len(self.above))
        room = np.maximum(0, k - self.above)
        # Places for m of w wrong and r right entries leave out all right ones with a chance of
        # C(w, m) / C(w + r, m), the product of (w + i - m) / (w + i) over i from 1 to r.
        for right in range(1, int(self.own.max(initial=0)) + 1):
            factor = np.maximum(0.0, (self.tied + right - room) / (self.tied + right))
            missed *= np.where(right <= self.own, factor, 1.0)
        return 1.0 - missed


class RecallAtK:
    """Recall at k, in ``[0, 1]``: images and captions of all samples are the gallery.

    An image is right with any of its captions among the first k, a caption with its image there.
    Of ties (:data:`TIE`) each order is as likely as another. A bootstrap draws the queries; the
    gallery stays.

    Args:
        options: ``k`` and ``query``.
        labels: Not looked at.

    Raises:
        UserError: k below 1.
    """

    range = (0.0, 1.0)

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._k = int(str(options["k"]))
        if self._k < 1:
            raise UserError(f"{self._k} is less than 1", where="option 'k'")
        self._of_images = options["query"] == "image"

    def prepare(self, samples: Sequence[ScoredSample]) -> tuple[Places, Floats]:
        """Return ``(queries,)`` the position of each one's sample, and its chance to be right."""
        import numpy as np

        places, reached = [], []
        for members in _galleries(samples):
            ranks = _ranked([samples[at] for at in members])[not self._of_images]
            counts = [1 if self._of_images else len(samples[at].scores or ()) for at in members]
            places.append(np.repeat(np.array(members, dtype=np.intp), counts))
            reached.append(ranks.reached(self._k))
        if not places:
            return np.zeros(0, dtype=np.intp), np.zeros(0)
        return np.concatenate(places), np.concatenate(reached)

    def value(self, prepared: tuple[Places, Floats], weights: Floats) -> Floats:
        """Return ``(draws,)`` shares of the queries that are right."""
        import numpy as np

        places, reached = prepared
        size = weights.shape[1]
        hits = np.bincount(places, reached, minlength=size)
        return ratio(weights @ hits, weights @ np.bincount(places, minlength=size))

    def units(self, prepared: tuple[Places, Floats]) -> tuple[Places, Floats]:
        """Return the queries where each is right or wrong; none where ties decide."""
        places, reached = prepared
        all_binary = ((reached == 0) | (reached == 1)).all()
        return (places, reached) if all_binary else (places[:0], reached[:0])


def ranks(images: Vectors, texts: Vectors, owner: Places) -> tuple[Ranks, Ranks]:
    """Return where the right captions of images stand, and the right images of captions.

    Args:
        images: ``(N, D)`` unit vectors.
        texts: ``(M, D)`` unit vectors, those of one image together and images in order.
        owner: ``(M,)`` the image of each text; each image has one.
    """
    import numpy as np

    step = max(1, _CELLS // max(1, len(texts)))
    own_cosines = np.concatenate(
        [
            np.einsum(
                "md,md->m", texts[start : start + _CELLS], images[owner[start : start + _CELLS]]
            )
            for start in range(0, len(texts), _CELLS)
        ]
    )
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    best = np.maximum.reduceat(own_cosines, starts)
    own_tied = np.add.reduceat((own_cosines >= best[owner] - TIE).astype(np.intp), starts)
    above_image, tied_image = np.zeros((2, len(images)), dtype=np.intp)
    above_text, tied_text = np.zeros((2, len(texts)), dtype=np.intp)
    higher, lower = own_cosines + TIE, own_cosines - TIE
    for start in range(0, len(images), step):
        cosines = images[start : start + step] @ texts.T
        # One image at a time stays in the processor's cache; a bool is one byte, added as such.
        for first in range(0, len(cosines), _BYTE):
            above, tied = np.zeros((2, len(texts)), dtype=np.uint8)
            for row, to_texts in enumerate(cosines[first : first + _BYTE], start + first):
                above_image[row] = np.count_nonzero(to_texts > best[row] + TIE)
                tied_image[row] = np.count_nonzero(to_texts >= best[row] - TIE)
                above += to_texts > higher
                tied += to_texts >= lower
            above_text += above
            tied_text += tied
    # What is tied so far holds what is above, and the right answers themselves.
    return (
        Ranks(above_image, np.maximum(0, tied_image - above_image - own_tied), own_tied),
        Ranks(above_text, np.maximum(0, tied_text - above_text - 1), np.ones_like(above_text)),
    )


_known: dict[bytes, tuple[Ranks, Ranks]] = {}
"""Ranks of the last galleries: the columns of one table share them."""


def _ranked(samples: Sequence[ScoredSample]) -> tuple[Ranks, Ranks]:
    digest = hashlib.blake2b(digest_size=16)
    for sample in samples:
        digest.update(f"{sample.id}\x00{len(sample.scores or ())}\x00{sample.vectors}".encode())
    key = digest.digest()
    if key not in _known:
        while len(_known) > 1:
            del _known[next(iter(_known))]
        _known[key] = ranks(*_vectors(samples))
    return _known[key]


def _vectors(samples: Sequence[ScoredSample]) -> tuple[Vectors, Vectors, Places]:
    """Return ``(N, D)`` vectors of images, ``(M, D)`` of texts, and each text's image."""
    import numpy as np

    counts = [len(sample.scores or ()) for sample in samples]
    width = 0
    for sample, count in zip(samples, counts, strict=True):
        if not sample.vectors or not count:
            raise DataError("the record keeps no vectors", where=f"sample {sample.id!r}",
                            fix="ask.embed.keep_vectors: true in the spec")  # fmt: skip
        size = len(base64.b64decode(sample.vectors)) // (4 * (count + 1))
        if width not in {0, size}:
            raise DataError(f"vectors of {size} numbers after vectors of {width}",
                            where=f"sample {sample.id!r}")  # fmt: skip
        width = size
    images = np.empty((len(samples), width), dtype=np.float32)
    texts = np.empty((sum(counts), width), dtype=np.float32)
    owner = np.repeat(np.arange(len(samples)), counts)
    start = 0
    for row, (sample, count) in enumerate(zip(samples, counts, strict=True)):
        vectors = np.frombuffer(base64.b64decode(sample.vectors), dtype="<f4").reshape(-1, width)
        images[row], texts[start : start + count] = vectors[0], vectors[1:]
        start += count
    return images, texts, owner


def _galleries(samples: Sequence[ScoredSample]) -> list[list[int]]:
    """Return positions by gallery: two evaluations that are compared hold each id twice."""
    seen: Counter[str] = Counter()
    galleries: list[list[int]] = []
    for position, sample in enumerate(samples):
        number = seen[sample.id]
        seen[sample.id] += 1
        if number == len(galleries):
            galleries.append([])
        galleries[number].append(position)
    return galleries
