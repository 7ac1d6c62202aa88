"""CLIP-clip: vectors without the dimensions that tell most about an attribute.

Wang, Liu, Wang. Are Gender-Neutral Queries Really Gender-Neutral? EMNLP 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests import Embed, Failed

from harness_answer_methods.pool import Pool, read_pool
from harness_answer_methods.vectors import VectorMethod, unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_answer_methods.vectors import Rows

_NEIGHBOURS, _SEED = 3, 0


class PooledMethod(VectorMethod):
    """A method that learns from a pool of images with an attribute.

    Args:
        options: ``pool``, ``attribute``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__()
        self.pool: Pool = read_pool(str(options["pool"] or ""), str(options["attribute"]))
        self._checked = False

    def prompts(self, texts: Embed) -> Sequence[Embed]:
        """Return the text by which the pool is known."""
        del texts
        return [Embed((self.pool.text,))]

    def checked(self, prompts: Sequence[Rows]) -> Sequence[Rows]:
        """Return the other prompts, once the pool is known to be this model's."""
        if not self._checked:
            self.pool.check(prompts[0][0])
            self._checked = True
        return prompts[1:]


class FeatureClip(PooledMethod):
    """Images and texts without the ``drop`` dimensions of highest mutual information.

    The information between a dimension of the pool's image vectors and the attribute is
    estimated by nearest neighbours (Ross 2014, scikit-learn's ``mutual_info_classif``).

    Args:
        options: ``pool``, ``attribute``, ``drop``.

    Raises:
        UserError: as :func:`read_pool`; as many dimensions dropped as there are, or none.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self._drop, width = int(str(options["drop"])), self.pool.images.shape[1]
        if not 0 < self._drop < width:
            raise UserError(f"{self._drop} of {width} dimensions cannot be dropped",
                            where="method option 'drop'", fix=f"1 to {width - 1}")  # fmt: skip

    @cached_property
    def kept(self) -> NDArray[np.intp]:
        """The dimensions that stay, in order."""
        return kept_dimensions(self.pool.images, self.pool.values, self._drop)

    def treat(
        self, asked: Embed, images: Rows, texts: Rows, prompts: Sequence[Rows]
    ) -> tuple[Rows, Rows] | Failed:
        """Return both without the dropped dimensions."""
        del asked
        self.checked(prompts)
        seen, read = unit(images[:, self.kept], "an image"), unit(texts[:, self.kept], "a text")
        if isinstance(seen, Failed) or isinstance(read, Failed):
            return seen if isinstance(seen, Failed) else read  # type: ignore[return-value]
        return seen, read


def kept_dimensions(
    images: NDArray[np.float32], values: NDArray[np.intp], drop: int
) -> NDArray[np.intp]:
    """Return the dimensions (D - drop,) that tell least about an attribute, in order.

    Args:
        images: ``(N, D)`` vectors.
        values: ``(N,)`` the attribute's value of each.
        drop: How many dimensions go; of equal ones the first.
    """
    import numpy as np
    from sklearn.feature_selection import mutual_info_classif

    information = mutual_info_classif(
        images.astype(np.float64), values, discrete_features=False, n_neighbors=_NEIGHBOURS,
        random_state=_SEED,
    )  # fmt: skip
    return np.sort(np.argsort(-information, kind="stable")[drop:])
