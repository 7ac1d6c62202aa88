"""Your own data as tasks: the reader `table`, and the command that writes a spec for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import CommandDescriptor, ReaderDescriptor

__all__ = ["harness_commands", "harness_readers"]


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the reader `table`; it is not imported."""
    from harness_own_data.descriptors import READERS

    return READERS


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness new`; it is not imported."""
    from harness.descriptors import CommandDescriptor

    return [
        CommandDescriptor(
            id="new",
            target="harness_own_data.new.command:new",
            summary="Write the spec of a task from your own data.",
            section="Your own",
        )
    ]
