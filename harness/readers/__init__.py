"""Readers: one file a benchmark layout."""

from harness.readers.contract import Reader

__all__ = ["Reader"]
