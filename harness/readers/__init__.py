"""Readers: one file a benchmark layout."""

from harness.readers.contract import HashesContents, LeavesOut, Reader

__all__ = ["HashesContents", "LeavesOut", "Reader"]
