"""Descriptors of the built-in leaderboard formats."""

from __future__ import annotations

from harness.descriptors import FormatDescriptor

FORMATS: tuple[FormatDescriptor, ...] = ()
