"""The reader contract, and tools for those who write readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.readers.contract import (
        DescribesFiles,
        HashesContents,
        LeavesOut,
        PassesOver,
        Reader,
        TakesPart,
    )

__all__ = ["DescribesFiles", "HashesContents", "LeavesOut", "PassesOver", "Reader", "TakesPart"]

# Descriptors of readers alone must not load the contract: every command reads them.
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "harness.readers.contract"))
