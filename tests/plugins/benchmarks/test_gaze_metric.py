"""Gaze metrics by their definitions, and the area under the curve against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from harness.descriptors import Json
from harness.errors import DataError, UserError
from tests.metrics.test_metrics import make, sample, score

points = st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)).map(list)


@given(st.lists(points, min_size=1, max_size=10), points)
def test_distances_follow_their_definitions(target: list[list[float]], answer: list[float]) -> None:
    item = sample(list(target), list(answer))
    middle = np.mean(target, axis=0)
    expected = float(np.linalg.norm(middle - answer))
    assert score(make("l2_avg"), [item]) == pytest.approx(expected, abs=1e-9)
    least = min(float(np.linalg.norm(np.subtract(p, answer))) for p in target)
    assert score(make("l2_min"), [item]) == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize("name", ["l2_avg", "l2_min"])
def test_an_unparsed_point_is_at_the_farthest_corner(name: str) -> None:
    item = sample([[0.1, 0.2]], None)
    assert score(make(name), [item]) == pytest.approx(math.hypot(0.9, 0.8))
    corners = [[x, y] for x in (0.0, 1.0) for y in (0.0, 1.0)]
    scores = [score(make(name), [sample([[0.1, 0.2], [0.4, 0.3]], list(c))]) for c in corners]
    assert score(make(name), [sample([[0.1, 0.2], [0.4, 0.3]], None)]) == max(scores)


@pytest.mark.parametrize("target", ["a", [], [[0.1]], [[0.1, "x"]], None, [[math.nan, 0.0]]])
def test_a_target_without_points_is_an_error(target: Json) -> None:
    for name in ("l2_avg", "l2_min", "auc"):
        with pytest.raises(DataError, match=r"not a list of \[x, y\]"):
            make(name).statistics(sample(target, [0.1, 0.1], size=(4, 4)))


def slow_auc(
    target: list[list[float]], answer: list[float], size: tuple[int, int], sigma: float, grid: int
) -> float:
    width, height = size
    metric = make("auc", sigma=sigma, grid=grid)
    heat = np.outer(metric._profile(answer[1], height), metric._profile(answer[0], width))
    truth = np.zeros((height, width), dtype=int)
    for x, y in target:
        column, row = (
            int(np.clip(int(x * width), 0, width - 1)),
            int(np.clip(int(y * height), 0, height - 1)),
        )
        truth[row, column] = 1
    return float(roc_auc_score(truth.ravel(), heat.ravel()))


@given(
    st.lists(points, min_size=1, max_size=8),
    points,
    st.tuples(st.integers(2, 40), st.integers(5, 40)),
    st.sampled_from([0.3, 1.0, 3.0, 30.0]),
    st.sampled_from([2, 8, 64]),
)
@settings(deadline=None, max_examples=200)
def test_auc_equals_scikit_learn_on_the_whole_map(
    target: list[list[float]],
    answer: list[float],
    size: tuple[int, int],
    sigma: float,
    grid: int,
) -> None:
    value = score(make("auc", sigma=sigma, grid=grid), [sample(list(target), answer, size=size)])
    assert value == pytest.approx(slow_auc(target, answer, size, sigma, grid), abs=1e-12)


def test_the_heat_map_is_a_gaussian_resized_bilinearly() -> None:
    torch = pytest.importorskip("torch")
    metric = make("auc", sigma=3.0, grid=64)
    cells = np.arange(64)
    bell = np.exp(
        -((cells[None, :] - (0.3 * 64 - 0.5)) ** 2 + (cells[:, None] - (0.8 * 64 - 0.5)) ** 2) / 18
    )
    large = torch.nn.functional.interpolate(
        torch.from_numpy(bell)[None, None], size=(120, 200), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    mine = np.outer(metric._profile(0.8, 120), metric._profile(0.3, 200))
    np.testing.assert_allclose(mine, large, atol=1e-12)


def test_auc_rewards_a_near_point_and_scores_unparsed_zero() -> None:
    metric = make("auc")
    near = sample([[0.5, 0.5]], [0.51, 0.5], size=(640, 480))
    far = sample([[0.5, 0.5]], [0.0, 0.0], size=(640, 480))
    assert score(metric, [near]) > 0.99
    assert score(metric, [far]) < 0.7
    assert score(metric, [sample([[0.5, 0.5]], None, size=(640, 480))]) == 0.0


def test_auc_needs_a_size_and_leaves_out_an_image_of_one_pixel() -> None:
    with pytest.raises(DataError, match="needs the image's size"):
        make("auc").statistics(sample([[0.5, 0.5]], [0.5, 0.5]))
    assert make("auc").statistics(sample([[0.5, 0.5]], [0.5, 0.5], size=(1, 1))) == {}
    with pytest.raises(UserError, match="above 0"):
        make("auc", sigma=0.0)
