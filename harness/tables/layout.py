"""Layouts and published numbers: YAML that says what a table shows, checked with line numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.descriptors import Direction, Json
from harness.errors import UserError, unknown
from harness.resources import data_folder
from harness.runs.record import EvaluationRecord
from harness.tables.ranks import Within
from harness.tables.table import TableStyle

if TYPE_CHECKING:
    from harness.specs.yaml_loader import Document

FOLDER = "leaderboards"
PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class LayoutColumn:
    """One column. ``metric`` is an id or a heading; empty for the task's headline metric."""

    task: str
    metric: str = ""
    group: str = ""
    heading: str = ""
    direction: Direction = "higher"
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What an evaluation must be to fit."""

    model: str
    task: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)
    settings: Mapping[str, Json] = field(default_factory=dict)
    fingerprint: str = ""

    def fits(self, record: EvaluationRecord) -> bool:
        """Whether a record is of this kind."""
        return (
            fnmatchcase(record.model, self.model)
            and self.task in {"", record.task}
            and record.model_fingerprint.startswith(self.fingerprint)
            and _holds(record.model_options, self.options)
            and _holds(record.settings, self.settings)
        )


def _holds(options: Mapping[str, Json], required: Mapping[str, Json]) -> bool:
    return all(name in options and options[name] == value for name, value in required.items())


@dataclass(frozen=True, slots=True)
class LayoutRows:
    """A group of rows, or with ``label`` one row."""

    match: tuple[Match, ...]
    group: str = ""
    label: str = ""
    versus: str = ""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One reported row; values by task and metric, as tables print them."""

    label: str
    group: str
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Published:
    """Numbers somebody else reported; see :class:`harness.tables.table.Reported`."""

    id: str
    title: str
    citation: str
    read_in: str
    rows: tuple[PublishedRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a table shows. Fields are those of ``leaderboard.schema.json``."""

    id: str
    title: str
    caption: str = ""
    runs: tuple[str, ...] = ()
    columns: tuple[LayoutColumn, ...]
    rows: tuple[LayoutRows, ...] = ()
    others: bool = True
    baseline: str = ""
    rank: Within = "section"
    looks: TableStyle = field(default_factory=TableStyle)
    reported: tuple[Published, ...] = ()

    def entry(self, record: EvaluationRecord) -> int | None:
        """Return the place of the first entry of ``rows`` that a record fits."""
        for index, rows in enumerate(self.rows):
            if any(match.fits(record) for match in rows.match):
                return index
        return None


def layout_names(folder: Path | None = None) -> list[str]:
    """Return the ids of the layouts that travel with the harness."""
    return sorted(path.stem for path in (folder or data_folder(FOLDER)).glob("*.yaml"))


def load_layout(name: str) -> Layout:
    """Return a layout by the id of a shipped one, or by the path of a file.

    Published tables are looked for beside the file, in ``published/``, then among the shipped ones.

    Raises:
        UserError: at ``file:line:column``: no such layout, or one that is not valid.
    """
    shipped = data_folder(FOLDER)
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        if name not in layout_names(shipped):
            raise unknown("layout", name, layout_names(shipped))
        path = shipped / f"{name}.yaml"
    document = _checked(path, "leaderboard")
    raw: Any = document.data
    decimals = raw.get("decimals")
    rows = tuple(_rows(document, raw))
    return Layout(
        id=raw["leaderboard"],
        title=raw["title"],
        caption=raw.get("caption", ""),
        runs=tuple(_places(path, raw.get("runs", ()))),
        columns=tuple(LayoutColumn(**{"decimals": decimals, **held}) for held in raw["columns"]),
        rows=rows,
        others=raw.get("others", True),
        baseline=raw.get("baseline", ""),
        rank=raw.get("rank", "section"),
        looks=TableStyle(
            raw.get("interval", "brackets"), raw.get("delta", "number"), raw["leaderboard"]
        ),
        reported=tuple(_reported(document, raw, (path.parent, shipped))),
    )


def _places(path: Path, runs: list[str]) -> Iterator[str]:
    """Yield what ``runs`` names: a path from the layout's folder, else the name of a run."""
    for name in runs:
        beside = path.parent / name
        yield str(beside) if beside.exists() else name


def _rows(document: Document, raw: Mapping[str, Any]) -> Iterator[LayoutRows]:
    labels = [entry.get("label", "") for entry in raw.get("rows", ())]
    for index, entry in enumerate(raw.get("rows", ())):
        label, versus = entry.get("label", ""), entry.get("versus", "")
        if label and labels.index(label) != index:
            raise UserError(
                f"the label {label!r} is repeated", where=document.where(("rows", index, "label"))
            )
        if versus and versus not in labels:
            where = document.where(("rows", index, "versus"))
            raise unknown("label", versus, filter(None, labels), where=where)
        match = tuple(Match(**held) for held in entry["match"])
        yield LayoutRows(match, entry.get("group", ""), label, versus)


def _reported(
    document: Document, raw: Mapping[str, Any], folders: tuple[Path, ...]
) -> Iterator[Published]:
    for index, name in enumerate(raw.get("reported", ())):
        paths = [folder / PUBLISHED / f"{name}.yaml" for folder in folders]
        file = next((path for path in paths if path.is_file()), None)
        if file is None:
            names = {held.stem for path in paths for held in path.parent.glob("*.yaml")}
            where = document.where(("reported", index))
            raise unknown("published table", name, names, where=where)
        yield load_published(file)


def load_published(path: Path) -> Published:
    """Read a file of published numbers.

    Raises:
        UserError: at ``file:line:column``; a citation is not optional.
    """
    raw: Any = _checked(path, "published").data
    rows = tuple(
        PublishedRow(row["label"], row.get("group", ""), row["values"]) for row in raw["rows"]
    )
    return Published(raw["published"], raw["title"], raw["citation"], raw["read_in"], rows)


def _checked(path: Path, kind: Literal["leaderboard", "published"]) -> Document:
    from harness.specs.schema import schema_problems
    from harness.specs.yaml_loader import read_yaml

    document = read_yaml(path)
    problems = schema_problems(document, kind)
    if problems:
        raise problems[0]
    return document
