"""People look at the images of a data set, set by set, and their decisions are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import CommandDescriptor

__all__ = ["harness_commands"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness review`; it is not imported."""
    from harness.descriptors import CommandDescriptor

    return [
        CommandDescriptor(
            id="review",
            target="harness_review.command:review",
            summary="Accept or refuse the images of a data set on a local page.",
            section="Data",
        ),
    ]
