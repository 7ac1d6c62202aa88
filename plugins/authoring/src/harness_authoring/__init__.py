"""For authors of plugins: templates of packages, and checks that a plugin keeps its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness new` and `harness plugin`; neither is imported."""
    return [
        CommandDescriptor(
            id="new",
            target="harness_authoring.new.command:new",
            summary="Write the files of a new task or plugin.",
            section="Extend",
        ),
        CommandDescriptor(
            id="plugin",
            target="harness_authoring.check:plugin",
            summary="Check that a plugin keeps its contract.",
            section="Extend",
        ),
    ]
