"""Descriptors of the built-in baselines."""

from __future__ import annotations

from harness.descriptors import ModelDescriptor

BASELINES: tuple[ModelDescriptor, ...] = ()
