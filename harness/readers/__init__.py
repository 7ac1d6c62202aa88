"""Readers: one file a benchmark layout."""

from harness.readers.contract import HashesContents, Reader

__all__ = ["HashesContents", "Reader"]
