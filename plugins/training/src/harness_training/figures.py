"""An epoch's figures in words, for progress and for pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SECONDS = ("encoding_seconds", "measuring_seconds", "training_seconds")
_OF_EPOCH = {"curve", "epoch", "loss", "samples", "steps", *_SECONDS}


def chosen(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a recipe says of the samples it chose, and validation of the epoch."""
    for name, value in sorted(figures.items()):
        if name not in _OF_EPOCH and not isinstance(value, Mapping):
            yield f"{name.replace('_', ' ')} {_shown(value)}"


def parts(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a recipe says of each task or answer by itself."""
    for name, value in sorted(figures.items()):
        if isinstance(value, Mapping):
            pairs = ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
            yield f"{name.replace('_', ' ')}: {pairs}"


def measuring(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield which part of an epoch's time asking the model took, where it was asked."""
    spent, total = figures.get("measuring_seconds"), sum(figures.get(one, 0) for one in _SECONDS)
    if spent is not None and total:
        yield f"measuring {100 * spent / total:.0f} % of the time"


def came_to(figures: Mapping[str, Any]) -> str:
    """Return the numbers of a finished epoch."""
    phrases = [f"{figures['steps']:,} steps"]
    for name in ("loss", "validation"):
        value = figures.get(name)
        phrases += [f"{name} {value:.4f}"] if isinstance(value, float) else []
    return ", ".join([*phrases, *measuring(figures)])


def _shown(value: Any) -> str:
    if value is None:
        return "undefined"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
