"""Descriptors of the built-in readers."""

from __future__ import annotations

from harness.descriptors import ReaderDescriptor

READERS: tuple[ReaderDescriptor, ...] = ()
