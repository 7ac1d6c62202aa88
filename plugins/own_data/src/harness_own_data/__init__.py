"""Your own data as tasks: the reader `table`, and the command that writes a spec for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import ReaderDescriptor

__all__ = ["harness_readers"]


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the reader `table`; it is not imported."""
    from harness_own_data.descriptors import READERS

    return READERS
