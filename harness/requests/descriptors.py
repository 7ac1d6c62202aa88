"""Descriptors of the built-in extractors."""

from __future__ import annotations

from harness.descriptors import ExtractorDescriptor

EXTRACTORS: tuple[ExtractorDescriptor, ...] = ()
