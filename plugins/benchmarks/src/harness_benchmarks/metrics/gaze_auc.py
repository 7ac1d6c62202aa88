"""AUC of a heat map drawn round a named point, against the pixels annotators name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json, MetricDescriptor, Option
from harness.errors import DataError, UserError
from harness.metrics.classes import ratio

from harness_benchmarks.metrics.gaze import annotated_points, named_point

if TYPE_CHECKING:
    import numpy as np
    from harness.metrics.contract import ScoredSample
    from harness.stats.types import Floats
    from numpy.typing import NDArray

DESCRIPTORS = (
    MetricDescriptor(
        id="auc",
        target="harness_benchmarks.metrics.gaze_auc:GazeAuc",
        version=2,
        summary="ROC AUC of a Gaussian round the named point against the annotators' pixels.",
        options=(
            Option(
                name="sigma",
                type="float",
                default=3.0,
                help="Standard deviation of the Gaussian, in cells of the grid.",
            ),
            Option(
                name="grid", type="int", default=64, help="Cells along each side of the heat map."
            ),
        ),
        needs_image_size=True,
    ),
)


class GazeAuc:
    """Mean over samples of the ROC AUC of a heat map at the image's size.

    Positives are the annotators' pixels, clipped to the edge, as ``eval_on_gazefollow.py`` (Chong
    et al.) has it; all other pixels are negatives; ties count one half. A model that names one
    point has no heat map: here it is a Gaussian round the point on a square grid, made as large as
    the image by bilinear interpolation (half-pixel centres, edges repeated). That map is this
    project's choice, so the number compares with point-naming models only.

    An unparsed answer scores 0, the worst there is, as the farthest corner is for a distance. An
    image whose pixels are all positive has no AUC and leaves the mean.

    Args:
        options: ``sigma``: width of the Gaussian in cells; ``grid``: cells along each side.
    """

    size = 2
    range = (0.0, 1.0)
    undefined = "no image has both points that were looked at and others"

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        self._sigma = _positive(options, "sigma", 3.0)
        self._grid = int(_positive(options, "grid", 64.0))

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        """Return the sample's AUC at 0 and the sample at 1."""
        import numpy as np

        if sample.size is None:
            raise DataError("AUC needs the image's size", where=f"sample {sample.id!r}")
        points, answer = annotated_points(sample), named_point(sample)
        if answer is None:
            return {0: 0.0, 1: 1.0}
        width, height = sample.size
        across = self._profile(answer[0], width)
        down = self._profile(answer[1], height)
        pixels = {(_pixel(x, width), _pixel(y, height)) for x, y in points}
        value = _auc(across, down, np.array(sorted(pixels), dtype=np.intp))
        return {} if value is None else {0: value, 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        """Return the mean AUC."""
        return ratio(totals[..., 0], totals[..., 1])

    def _profile(self, share: float, length: int) -> Floats:
        """Return the Gaussian along one side, at the image's size.

        A Gaussian on a grid is the product of one along each side, and bilinear interpolation acts
        on each side alone, so the whole map is the outer product of two profiles.
        """
        import numpy as np

        cells = np.arange(self._grid, dtype=np.float64)
        centre = min(max(share, 0.0), 1.0) * self._grid - 0.5
        bell = np.exp(-((cells - centre) ** 2) / (2 * self._sigma**2))
        places = (np.arange(length) + 0.5) * (self._grid / length) - 0.5
        return np.asarray(np.interp(places, cells, bell), dtype=np.float64)


def _positive(options: Mapping[str, Json], name: str, default: float) -> float:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UserError(f"{value!r} is not a number above 0", where=f"option {name!r}")
    return float(value)


def _pixel(share: float, length: int) -> int:
    return min(max(int(share * length), 0), length - 1)


def _auc(across: Floats, down: Floats, positives: NDArray[np.intp]) -> float | None:
    """Return the AUC of ``outer(down, across)`` with positives ``(n, 2)`` as column, row.

    Counts pixels below each positive column by column in a sorted profile: neither the map nor
    its sorted pixels are ever made.
    """
    import numpy as np

    negatives = len(across) * len(down) - len(positives)
    if not negatives:
        return None
    values = down[positives[:, 1]] * across[positives[:, 0]]
    steps, counts = np.unique(across, return_counts=True)
    up_to = np.concatenate(([0], np.cumsum(counts)))
    below = up_to[_steps_under(down, steps, values, np.less)].sum()
    not_above = up_to[_steps_under(down, steps, values, np.less_equal)].sum()
    won = 0.5 * float(below + not_above)
    # Positives were counted against each other too: each pair gives one in all, each self a half.
    won -= 0.5 * len(positives) ** 2
    return won / (len(positives) * negatives)


def _steps_under(
    rows: Floats, steps: Floats, values: Floats, is_under: np.ufunc
) -> NDArray[np.intp]:
    """Return for each value (n) and row (h) how many steps have a product with the row under it.

    Division gives a first guess; the product decides, so that rounding never breaks a tie.

    Args:
        rows: One side's profile, of shape (h,).
        steps: The other side's distinct numbers, rising.
        values: Of shape (n,).
        is_under: ``np.less``, or ``np.less_equal`` to count products that are equal to the value.
    """
    import numpy as np

    column = values[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # 0 / 0: every product is equal to the value.
        zero = np.inf if is_under is np.less_equal else 0.0
        guess = np.nan_to_num(column / rows, nan=zero, posinf=np.inf)
    counts = np.searchsorted(steps, guess)
    last = len(steps)
    while True:
        ahead = (counts < last) & is_under(rows * steps[np.minimum(counts, last - 1)], column)
        if not ahead.any():
            break
        counts = counts + ahead
    while True:
        overshot = (counts > 0) & ~is_under(rows * steps[np.maximum(counts - 1, 0)], column)
        if not overshot.any():
            return counts
        counts = counts - overshot
