"""Pages and data files: everything that was not written here is text, wherever it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness._version import __version__
from harness.errors import flat
from harness.tables.notes import MEANINGS
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent
ASSETS = ("site.css", "board.js", "samples.js")


def as_script(name: str, value: Any) -> str:
    """Return a script that hands data to a page; ASCII, and nothing in it can end a script.

    Scripts are the only files a page can read when it was itself opened as a file. Texts from
    outside must be values, never keys.
    """
    data = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'siteData("{name}",{data});\n'


def slug(*parts: str) -> str:
    """Return a file's name of ASCII letters, digits and hyphens."""
    words = (re.sub(r"[^a-z0-9]+", "-", part.lower())[:40].strip("-") for part in parts)
    return "-".join(filter(None, words)) or "x"


def plain(value: Any) -> str:
    """Return a value of a record as text for people."""
    if value is None:
        return "--"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass
class Site:
    """The folder being filled.

    Attributes:
        out: Where pages go.
        marks: Marks of all evaluations; pages of some carry their own.
        analysed: Whether there are pages of analyses to go to.
        planes: Whether there is a page of bias against ability.
    """

    out: Path
    marks: Collection[str]
    analysed: bool = False
    planes: bool = False
    pages: list[str] = field(default_factory=list)

    @cached_property
    def _templates(self) -> Environment:
        made = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: flat(value) if type(value) is str else value,
        )
        made.filters["plain"] = plain
        return made

    def page(
        self, name: str, template: str, *, marks: Iterable[str] | None = None, **context: Any
    ) -> None:
        """Write a page from a template; its marks stand at its top."""
        listed_marks = sorted(self.marks if marks is None else set(marks))
        text = self._templates.get_template(template).render(
            **context,
            root="../" * name.count("/"),
            here=name,
            analysed=self.analysed,
            planes=self.planes,
            marks=[(mark, MEANINGS.get(mark, "see the record")) for mark in listed_marks],
            version=__version__,
        )
        self.write(name, text.encode("utf-8", "replace"))
        self.pages.append(name)

    def data(self, name: str, value: Any) -> None:
        """Write a data file ``NAME.js``, which the page asks for as ``NAME``."""
        self.write(f"{name}.js", as_script(name, value).encode("ascii"))

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def assets(self) -> None:
        """Copy style and scripts."""
        for name in ASSETS:
            self.write(f"assets/{name}", (_HERE / "assets" / name).read_bytes())
