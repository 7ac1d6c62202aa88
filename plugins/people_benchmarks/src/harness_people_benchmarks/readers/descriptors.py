"""Descriptors of the readers."""

from __future__ import annotations

from harness.descriptors import ReaderDescriptor

READERS: tuple[ReaderDescriptor, ...] = ()
