"""Explain a model: :func:`harness.probe`, ``gradients``, ``transfer`` and ``mir``.

Plugins add kinds of analysis; these names are the functions of four of them, as installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.descriptors import load_target
from harness.plugins import find, plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.analysis.results import Analysis

    probe: Callable[..., Analysis]
    gradients: Callable[..., Analysis]
    transfer: Callable[..., Analysis]
    mir: Callable[..., Analysis]

__all__ = ["gradients", "mir", "probe", "transfer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(find("analysis kind", name, plugins().analysis_kinds()))
