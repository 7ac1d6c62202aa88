"""Sealed results of an analysis: named tables as JSON and CSV, under a fingerprint.

Files of ``RESULTS/analyses/KIND/FINGERPRINT/``::

    analysis.json   what was measured of what, under which settings; every table; notes
    NAME.csv        one file per table, for people and spreadsheets
    timings.json    clocks; the only file that differs between equal analyses
    sealed.json     hashes of the others

A table is columns and rows of plain values, so that a figure needs nothing else.
"""

from __future__ import annotations

import csv
import io
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness._version import __version__
from harness.descriptors import Json
from harness.errors import PluginError, UserError, quoted
from harness.jsonfiles import finite_json, parse_json
from harness.packages import versions
from harness.runs.lock import writing
from harness.runs.seal import Sealing, check_files, seal_files, write_json, write_whole
from harness.specs import fingerprint

FORMAT = 1
FOLDER = "analyses"
RECORD = "analysis.json"
SEAL = "sealed.json"
SEALING = Sealing(
    SEAL,
    FORMAT,
    "no finished analysis",
    "remove the analysis's folder; the same command measures anew",
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class AnalysisTable:
    """Rows of plain values under named columns; ``None`` where there is no value."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Json, ...], ...]

    def records(self) -> list[dict[str, Json]]:
        """Return each row as column to value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A finished analysis.

    Attributes:
        about: Everything that decides the numbers; its hash is the fingerprint.
        notes: What a reader should know beside the tables.
    """

    kind: str
    fingerprint: str
    about: Mapping[str, Json]
    tables: tuple[AnalysisTable, ...]
    notes: tuple[str, ...] = ()
    directory: Path = field(default_factory=Path)

    @property
    def marks(self) -> tuple[str, ...]:
        """What model, data and selection put on the numbers, such as ``demo``."""
        marks = self.about.get("marks")
        return tuple(map(str, marks)) if isinstance(marks, list) else ()

    def table(self, name: str) -> AnalysisTable:
        """Return a table by name."""
        return next(table for table in self.tables if table.name == name)

    def as_json(self) -> dict[str, Any]:
        """Return ``analysis.json`` but for the versions."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "about": dict(self.about),
            "notes": list(self.notes),
            "tables": {
                table.name: {
                    "columns": list(table.columns),
                    "rows": [list(row) for row in table.rows],
                }
                for table in self.tables
            },
        }


def table_of(name: str, rows: Sequence[Mapping[str, Json]]) -> AnalysisTable:
    """Return a table of records that share their keys; numbers that are not finite become none."""
    columns = tuple(rows[0]) if rows else ()
    return AnalysisTable(
        name, columns, tuple(tuple(finite_json(row[key]) for key in columns) for row in rows)
    )


def scaled(
    row: Mapping[str, Json], name: str, scale: float
) -> tuple[float | None, float | None, float | None]:
    """Return a record's number and both ends of its interval, scaled; ``None`` for none."""
    value, low, high = (
        None if number is None else number * scale
        for number in (finite(row.get(key)) for key in (name, "low", "high"))
    )
    return value, low, high


def finite(value: object) -> float | None:
    """Return a number that is finite, ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return None
    return float(value)


def finished(results: Path, kind: str, about: Mapping[str, Json]) -> Analysis | None:
    """Return an analysis that is there already; ``None`` when it has yet to be made."""
    directory = _place(results, kind, _hash(kind, about))
    return read_analysis(directory) if (directory / SEAL).is_file() else None


def write_analysis(  # noqa: PLR0913  what a record is made of
    results: Path,
    kind: str,
    about: Mapping[str, Json],
    tables: Sequence[AnalysisTable],
    *,
    notes: Sequence[str] = (),
    seconds: float = 0.0,
) -> Analysis:
    """Write and seal an analysis; return it as it can be read back.

    Raises:
        PluginError: a table's name is not valid.
        UserError: the folder cannot be written, or another process writes into it.
    """
    for table in tables:
        if not _NAME.fullmatch(table.name):  # it becomes the name of a file
            raise PluginError(f"{quoted(table.name)} cannot name a table", fix=_NAME.pattern)
    name = _hash(kind, about)
    directory = _place(results, kind, name)
    made = Analysis(kind, name, about, tuple(tables), tuple(notes), directory)
    with writing(directory):
        write_json(directory / RECORD, {**made.as_json(), "versions": _versions()})
        files = [RECORD]
        for table in tables:
            files.append(f"{table.name}.csv")
            write_whole(directory / files[-1], [_csv(table)])
        ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        write_json(directory / "timings.json", {"finished": ended, "seconds": round(seconds, 2)})
        seal_files(directory, files, SEALING)
    return made


def read_analysis(directory: Path) -> Analysis:
    """Read a sealed analysis, checking every file against its seal.

    Raises:
        UserError: not there, not finished, damaged, or of a newer format.
    """
    content = check_files(directory, (RECORD,), SEALING)[RECORD]
    try:
        content_read = parse_json(content, directory / RECORD)
        tables = tuple(
            AnalysisTable(name, tuple(table["columns"]), tuple(tuple(row) for row in table["rows"]))
            for name, table in content_read["tables"].items()
        )
        return Analysis(
            content_read["kind"],
            content_read["fingerprint"],
            content_read["about"],
            tables,
            tuple(content_read["notes"]),
            directory,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"not an analysis: {error!r:.200}", where=directory) from None


def _hash(kind: str, about: Mapping[str, Json]) -> str:
    return fingerprint({"kind": kind, "format": FORMAT, **about})


def _place(results: Path, kind: str, name: str) -> Path:
    return results / FOLDER / kind / name[:12]


def _csv(table: AnalysisTable) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(["" if cell is None else _guarded(cell) for cell in row] for row in table.rows)
    return text.getvalue().encode()


def _guarded(cell: Json) -> Json:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell


def _versions() -> dict[str, Json]:
    python = platform.python_version()
    return {"social-harness": __version__, "python": python, **versions("numpy")}
