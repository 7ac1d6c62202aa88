"""Checks that a model plugin keeps the contract: a pytest suite, and ``harness plugin check``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.testing.candidate import Candidate
    from harness.testing.conformance import ModelConformance

__all__ = ["Candidate", "ModelConformance"]

_PLACES = {"Candidate": "candidate", "ModelConformance": "conformance"}


def __getattr__(name: str) -> Any:
    # The suite needs pytest, which the command line does not.
    if name in _PLACES:
        return getattr(import_module(f"harness.testing.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
