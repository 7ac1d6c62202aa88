"""Makes text of a table in a format, which may be a plugin's."""

from __future__ import annotations

from pathlib import Path

from harness.descriptors import FormatDescriptor
from harness.guard import not_plain
from harness.plugins import contract_of
from harness.runs.seal import write_whole
from harness.tables.table import Table
from harness.targets import load_target


def render(form: FormatDescriptor, table: Table) -> str:
    """Return a table as text.

    Raises:
        PluginError: the format does not load, raises, or returns no text.
        UserError: the table does not fit the format.
    """
    contract, write = contract_of(form), load_target(form)
    with contract.calling("a call"):
        text = write(table)
    if not isinstance(text, str):
        raise contract.returned(text, "a call", "text")
    if why := not_plain(text):
        raise contract.wrong(f"returned text that cannot be written: {why}")
    return text


def write(form: FormatDescriptor, table: Table, path: Path) -> None:
    """Write a table as text into a file, whole or not at all; errors as :func:`render`."""
    write_whole(path, [render(form, table).encode()])
