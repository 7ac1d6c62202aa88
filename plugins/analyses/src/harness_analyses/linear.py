"""The classifier of a probe: scikit-learn's, on standardised features.

Logistic regression for labels, ridge for points. How strongly it is regularised is chosen on the
validation samples by the task's own metric, the strongest of equals; the model that answers is the
one fitted to the train samples with that strength, so a direct run of scikit-learn gives the same.

Each fit takes one thread: for its narrow matrices two take twice as long, and sums would depend on
how many there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError
from harness.stats.types import Floats
from numpy.typing import NDArray

from harness_analyses.features import Features

C_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse strengths of logistic regression, strongest first."""
ALPHA_GRID = (1e5, 1e4, 1e3, 1e2, 10.0, 1.0)
"""Strengths of ridge, strongest first."""
ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Fitted:
    """A probe that was fitted and has answered the test samples.

    Attributes:
        strength: The chosen C, or alpha for ridge.
        answers: A label or ``[x, y]`` for each test sample.
        scores: ``(test, labels)`` log-probabilities; ``None`` for points. A label that train does
            not have gets the least float.
        converged: Whether the solver of the chosen model stopped by itself.
    """

    strength: float
    answers: Sequence[Json]
    scores: Floats | None
    converged: bool


Judge = Callable[[Sequence[Json], Floats | None], float]
"""Says how good answers to the validation samples are; more is better."""


def require_sklearn() -> None:
    """Check that scikit-learn is there.

    Raises:
        UserError: when it is not.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise UserError(
            "probes need scikit-learn", fix="pip install scikit-learn threadpoolctl"
        ) from None


def fit_labels(
    features: Mapping[str, Features],
    targets: Sequence[str],
    labels: Sequence[str],
    judge: Judge,
) -> Fitted:
    """Fit multinomial logistic regression.

    Args:
        features: ``(samples, width)`` of ``train``, ``val`` and ``test``.
        targets: Right labels of ``train``.
        labels: All labels, in the order of scores.
        judge: Scores the validation answers.
    """
    from sklearn.linear_model import LogisticRegression

    places = {label: place for place, label in enumerate(labels)}
    aims = np.array([places[target] for target in targets])
    scaled = _scaled(features)

    def answer(model: Any, split: str) -> tuple[Sequence[Json], Floats]:
        with np.errstate(divide="ignore"):  # a share of 0 has no logarithm; it gets the least below
            log_probabilities = model.predict_log_proba(scaled[split]).astype(np.float64)
        scores = np.full(
            (len(log_probabilities), len(labels)), np.finfo(np.float32).min, dtype=np.float64
        )
        scores[:, model.classes_] = np.maximum(log_probabilities, np.finfo(np.float32).min)
        return [labels[place] for place in scores.argmax(axis=1)], scores

    return _best(
        C_GRID,
        lambda strength: LogisticRegression(C=strength, max_iter=ITERATIONS),
        (scaled["train"], aims),
        answer,
        judge,
    )


def fit_points(features: Mapping[str, Features], targets: Sequence[Json], judge: Judge) -> Fitted:
    """Fit ridge regression of points, each a share of width and height; see :func:`fit_labels`."""
    from sklearn.linear_model import Ridge

    scaled = _scaled(features)
    aims = np.asarray(targets, dtype=np.float64)

    def answer(model: Any, split: str) -> tuple[Sequence[Json], None]:
        points: list[Json] = np.asarray(model.predict(scaled[split]), dtype=np.float64).tolist()
        return points, None

    return _best(
        ALPHA_GRID, lambda strength: Ridge(alpha=strength), (scaled["train"], aims), answer, judge
    )


def _best(
    grid: Sequence[float],
    make: Callable[[float], Any],
    train: tuple[Features, NDArray[Any]],
    answer: Callable[[Any, str], tuple[Sequence[Json], Floats | None]],
    judge: Judge,
) -> Fitted:
    from threadpoolctl import threadpool_limits

    best: tuple[float, float, Any, bool] | None = None
    with threadpool_limits(1):
        for strength in grid:
            model, converged = _fit(make(strength), *train)
            worth = judge(*answer(model, "val"))
            if best is None or worth > best[0] or np.isnan(best[0]):
                best = (worth, strength, model, converged)
        assert best is not None
        answers, scores = answer(best[2], "test")
    return Fitted(best[1], answers, scores, best[3])


def _fit(model: Any, features: Features, aims: NDArray[Any]) -> tuple[Any, bool]:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        fitted = model.fit(features, aims)
    return fitted, not any(issubclass(one.category, ConvergenceWarning) for one in heard)


def _scaled(features: Mapping[str, Features]) -> dict[str, Features]:
    """Return features standardised by train's mean and spread."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features["train"])
    return {split: scaler.transform(held) for split, held in features.items()}
