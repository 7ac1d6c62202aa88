"""Faces to probe, and tiny encoders: what trainings' tests are made of."""

from __future__ import annotations

from tests.training.conftest import built, faces

__all__ = ["built", "faces"]
