"""Your own data as tasks, and your own answers: the reader `table`, the model `predictions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import ModelDescriptor, ReaderDescriptor

__all__ = ["harness_models", "harness_readers"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer `predictions`, the answers of another program."""
    from harness_own_data.descriptors import MODELS

    return MODELS


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the reader `table`; it is not imported."""
    from harness_own_data.descriptors import READERS

    return READERS
