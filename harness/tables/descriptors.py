"""Descriptors of the built-in leaderboard formats."""

from __future__ import annotations

from harness.descriptors import FormatDescriptor

FORMATS: tuple[FormatDescriptor, ...] = (
    FormatDescriptor(
        id="markdown",
        target="harness.tables.formats:markdown",
        summary="A table for READMEs and issues.",
        suffix=".md",
    ),
    FormatDescriptor(
        id="json",
        target="harness.tables.formats:as_json",
        summary="Every number unrounded, with its interval, notes and marks.",
        suffix=".json",
    ),
    FormatDescriptor(
        id="plain",
        target="harness.tables.formats:plain",
        summary="Text in columns, for mails and logs.",
        suffix=".txt",
    ),
)
