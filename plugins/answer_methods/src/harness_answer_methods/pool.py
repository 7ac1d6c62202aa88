"""A pool of images' vectors with an attribute: a sealed evaluation whose spec keeps vectors."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, nearest, quoted
from harness.runs.sample_record import read_samples
from harness.runs.seal import is_sealed
from harness.specs import EmbedSpec
from harness.specs.resolve import read_resolved

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness_answer_methods.vectors import Rows

SAME = 0.999
"""Least cosine between a text's vector in the pool and now, for one encoder."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Images' vectors and their values of an attribute.

    Attributes:
        images: ``(N, D)`` float32 unit vectors.
        values: ``(N,)`` index into ``names``.
        names: The attribute's values, sorted.
        text: A text whose vector is in the pool, and ``vector`` (D,), that vector: whether the
            pool is of the model that answers is checked by it.
    """

    images: NDArray[np.float32]
    values: NDArray[np.intp]
    names: tuple[str, ...]
    text: str
    vector: NDArray[np.float32]
    where: str

    def check(self, vector: Rows) -> None:
        """Check that the model that answers made this pool.

        Args:
            vector: ``(D,)`` its vector of :attr:`text`.

        Raises:
            UserError: another width, or another direction.
        """
        if vector.shape != self.vector.shape or float(vector @ self.vector) < SAME:
            raise UserError(
                "the pool's vectors come from another encoder", where=self.where,
                fix="evaluate the pool's task with this model, and give that evaluation",
            )  # fmt: skip


def read_pool(path: str, attribute: str) -> Pool:
    """Return the pool of an evaluation.

    Raises:
        UserError: no sealed evaluation with vectors, an attribute that its samples lack, or one
            that has a single value.
    """
    import numpy as np

    folder = Path(path)
    if not path or not is_sealed(folder):
        raise UserError(
            "the pool is not a finished evaluation", where=path or "method option 'pool'",
            fix="harness run --model open_clip ... --tasks fairface_vectors, and "
            "--method-option pool=results/evaluations/fairface_vectors/...",
        )  # fmt: skip
    ask = read_resolved(folder).ask
    if not isinstance(ask, EmbedSpec) or not ask.keep_vectors or "{" in ask.texts[0]:
        raise UserError("its task records no vectors, or has no fixed text", where=path,
                        fix="a task such as fairface_vectors")  # fmt: skip
    vectors, values, first = [], [], b""
    for record in read_samples(folder):
        if record.error is not None or not record.vectors:
            continue
        if attribute not in record.groups:
            raise UserError(f"its samples have no {quoted(attribute)}", where=path,
                            fix=nearest(attribute, record.groups))  # fmt: skip
        data = base64.b64decode(record.vectors)
        size = len(data) // (len(ask.texts) + 1)
        vectors.append(data[:size])
        first = first or data[size : 2 * size]
        values.append(record.groups[attribute].value)
    counts = Counter(values)
    if len(counts) < 2:
        only = f"the single value {quoted(values[0])}" if values else "no value"
        raise UserError(f"{quoted(attribute)} has {only} in the pool", where=path,
                        fix="a pool of images of several groups")  # fmt: skip
    names = tuple(sorted(counts))
    return Pool(
        np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1),
        np.array([names.index(value) for value in values], dtype=np.intp),
        names,
        ask.texts[0],
        np.frombuffer(first, dtype="<f4"),
        path,
    )
