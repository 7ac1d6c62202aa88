"""Readers: one file a benchmark layout."""

from harness.readers.contract import HashesContents, LeavesOut, Reader, TakesPart

__all__ = ["HashesContents", "LeavesOut", "Reader", "TakesPart"]
