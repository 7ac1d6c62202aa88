"""Checks that a plugin keeps its contract, as pytest suites: from a distribution of their own.

``Conformance`` is the suite of any kind of plugin, ``ModelConformance`` that of models. They come
from entry points of the group ``harness.testing``.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness_authoring.model_checks import ModelReport, check_model
    from harness_authoring.models.candidate import Candidate
    from harness_authoring.models.conformance import ModelConformance
    from harness_authoring.suite import Conformance

__all__ = ["Candidate", "Conformance", "ModelConformance", "ModelReport", "check_model"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for point in entry_points(group=__name__, name=name):
        return point.load()
    raise ImportError(f"{__name__}.{name}: pip install social-harness-authoring")
