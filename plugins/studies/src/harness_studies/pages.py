"""Pages of documentation that studies write: above a marker a person writes, below it a study."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.errors import UserError


class Titled(Protocol):
    """A study of any kind."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def title(self) -> str:
        """What it asks."""
        ...


def check_page(study: Titled, path: Path) -> None:
    """Refuse a page that is not this study's, before anything is computed.

    Raises:
        UserError: no Markdown file, its folder is not there, or it has no place for the tables.
    """
    if path.suffix != ".md":
        raise UserError("a page must be a Markdown file", where=path, fix="--page NAME.md")
    if not path.parent.is_dir():
        raise UserError("the folder does not exist", where=path.parent)
    if path.exists() and marker(study) not in path.read_text("utf-8"):
        raise UserError(
            "the page has no marker for the study's tables",
            where=path,
            fix=f"add the line {marker(study)} where they go, or name another file",
        )


def marker(study: Titled) -> str:
    """Return the line below which the command writes."""
    return f"<!-- harness study {study.id}: made by the command from here on -->"
