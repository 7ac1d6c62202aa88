"""Checks that a model plugin keeps the contract: a pytest suite, and ``harness plugin check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.testing.candidate import Candidate
    from harness.testing.conformance import ModelConformance

__all__ = ["Candidate", "ModelConformance"]

_HOMES = {
    "Candidate": "harness.testing.candidate",
    "ModelConformance": "harness.testing.conformance",
}

# The suite needs pytest, which the command line does not.
__getattr__ = lazily(__name__, _HOMES)
