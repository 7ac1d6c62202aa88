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
        summary="Every number unrounded, with all that stands beside it.",
        suffix=".json",
    ),
    FormatDescriptor(
        id="plain",
        target="harness.tables.formats:plain",
        summary="Text in columns, for mails and logs.",
        suffix=".txt",
    ),
    FormatDescriptor(
        id="latex",
        target="harness.tables.latex:latex",
        summary="A booktabs table with its caption, for a paper.",
        suffix=".tex",
    ),
    FormatDescriptor(
        id="csv",
        target="harness.tables.csv_formats:csv_long",
        summary="One line per number, for analysis.",
        suffix=".csv",
    ),
    FormatDescriptor(
        id="csv_wide",
        target="harness.tables.csv_formats:csv_wide",
        summary="One line per model, for spreadsheets.",
        suffix=".csv",
    ),
    FormatDescriptor(
        id="html",
        target="harness.tables.html_formats:html",
        summary="A page that stands alone.",
        suffix=".html",
    ),
    FormatDescriptor(
        id="html_fragment",
        target="harness.tables.html_formats:html_fragment",
        summary="The table and its notes, for a page of your own.",
        suffix=".html",
    ),
)
