"""A static site of finished evaluations: pages, data files for its scripts, and a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer ``harness site``, ``harness.build_site`` and galleries of samples."""
    return [
        CommandDescriptor(
            id="site",
            target="harness_site.command:site",
            summary="Build or serve a site of evaluations.",
            section="Evaluate",
            functions={
                "build_site": "harness_site.api:build_site",
                "gallery": "harness_site.gallery:Gallery",
            },
        )
    ]
