"""Bend: texts treated one by one, against a pool of images with an attribute.

Gerych et al. BendVLM: Test-Time Debiasing of Vision-Language Embeddings. NeurIPS 2024; the formulas
are those of its code (waltergerych/bend_vlm, ``bend_utils.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests import Embed, Failed

from harness_answer_methods.feature_clip import PooledMethod
from harness_answer_methods.projection import outside
from harness_answer_methods.vectors import LEAST, listed, unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_answer_methods.vectors import Rows

_MOST_KNOWN = 1 << 14


class Bend(PooledMethod):
    """Each text without its own attribute subspace, then equally near to every group.

    First the text is projected off the span of itself with each value of the attribute put before
    its last word. Then, among unit vectors as near to the mean of the ``neighbours`` nearest
    images of one group as to that of every other, the nearest to it is taken.

    Args:
        options: ``pool``, ``attribute``, ``values`` (words of the attribute), ``neighbours``.

    Raises:
        UserError: as :func:`read_pool`; a group with fewer images than ``neighbours``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self._words = listed(options, "values", 2, example="male|female")
        self._neighbours = int(str(options["neighbours"]))
        counts = [int((self.pool.values == at).sum()) for at in range(len(self.pool.names))]
        if not 1 <= self._neighbours <= min(counts):
            raise UserError(
                f"{self._neighbours} neighbours, where the smallest group has {min(counts)} images",
                where="method option 'neighbours'", fix=f"1 to {min(counts)}",
            )  # fmt: skip
        self._treated: dict[tuple[str, bool], Rows] = {}

    def prompts(self, texts: Embed) -> Sequence[Embed]:
        """Return the pool's text, and every text with every value of the attribute."""
        with_values = tuple(with_word(text, word) for text in texts.texts for word in self._words)
        if not with_values:
            return super().prompts(texts)
        return [*super().prompts(texts), Embed(with_values, as_options=texts.as_options)]

    def treat(
        self, asked: Embed, images: Rows, texts: Rows, prompts: Sequence[Rows]
    ) -> tuple[Rows, Rows] | Failed:
        """Return the images as they are, and each text treated."""
        import numpy as np

        others = self.checked(prompts)
        if not len(texts):
            return images, texts
        augmented = others[0].reshape(len(texts), len(self._words), -1)
        if len(self._treated) > _MOST_KNOWN:
            self._treated.clear()
        rows = []
        for text, vector, variants in zip(asked.texts, texts, augmented, strict=True):
            key = text, asked.as_options
            if key not in self._treated:
                row = bent(vector, variants, self.pool.images, self.pool.values, self._neighbours)
                if isinstance(row, Failed):
                    return row
                self._treated[key] = row
            rows.append(self._treated[key])
        return images, np.stack(rows)


def with_word(text: str, word: str) -> str:
    """Return a text with a word before its last: a photo of a doctor, a photo of a male doctor."""
    head, space, last = text.rpartition(" ")
    return f"{head}{space}{word} {last}"


def bent(
    text: Rows,
    augmented: Rows,
    images: NDArray[np.float32],
    values: NDArray[np.intp],
    neighbours: int,
) -> Rows | Failed:
    """Return a text's treated vector (D,).

    Args:
        text: ``(D,)`` its unit vector.
        augmented: ``(k, D)`` those of the text with each value of the attribute.
        images: ``(N, D)`` unit vectors of the pool.
        values: ``(N,)`` the group of each.
        neighbours: How many images of each group count.
    """
    import numpy as np

    projected = unit((outside(augmented) @ text)[None], "a text")
    if isinstance(projected, Failed):
        return projected
    start: Rows = projected[0]
    near: Rows = images @ start.astype(images.dtype)
    means = []
    for group in range(int(values.max()) + 1):
        members = np.flatnonzero(values == group)
        nearest = members[np.argsort(-near[members], kind="stable")[:neighbours]]
        means.append(images[nearest].astype(np.float64).mean(axis=0))
    # e (y - x) = 0 for every other group y: the nearest such e of unit length is the projection.
    apart = np.stack(means[1:]) - means[0]
    if np.abs(apart).max() < LEAST:
        return start
    treated = unit((outside(apart) @ start)[None], "a text")
    if isinstance(treated, Failed):
        return treated
    nearest_text: Rows = treated[0]
    return nearest_text
