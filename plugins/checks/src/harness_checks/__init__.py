"""Checks before anything is asked: of data against their release, and of task specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer ``harness data``, ``harness validate`` and ``harness schema``."""
    return [
        CommandDescriptor(
            id="data",
            target="harness_checks.command_data:data",
            summary="Find, check and identify the data of tasks.",
            section="Look around",
            functions={"data_check": "harness_checks.api:data_check"},
        ),
        CommandDescriptor(
            id="validate",
            target="harness_checks.command_validate:validate",
            summary="Check task specs: schema, references, templates.",
            section="Extend",
            functions={"validate": "harness_checks.api:validate"},
        ),
        CommandDescriptor(
            id="schema",
            target="harness_checks.command_schema:schema",
            summary="Print the JSON Schema of task specs, for editors.",
            section="Extend",
        ),
    ]
