"""Formats, exporters, encoders and commands that break one promise each."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from harness.analysis.encoders import Encoder
from harness.errors import UserError

CHANCE = itertools.count()


def page(table: Any) -> str:
    """Keep every promise."""
    cells = {row.model: [cell and cell.value for cell in row.cells] for row in table.rows}
    rows = "".join(
        f"<tr><td>{_clean(name)}</td><td>{values}</td></tr>\n" for name, values in cells.items()
    )
    heads = " ".join(_clean(f"{column.name}") for column in table.columns)
    published = "".join(
        f"<p>{_clean(cell.title)} {cell.rows[0].values}</p>" for cell in table.reported
    )
    notes = _clean(" ".join(table.notes))
    return f"<p>{heads}</p><table>{rows}</table>{published}<p>{notes}</p>\n"


def _clean(text: str) -> str:
    return html.escape(re.sub(r"[\x00-\x1f\x7f]", " ", text))


def drifts(table: Any) -> str:
    """text"""
    return f"{page(table)}<!-- {next(CHANCE)} -->\n"


def leaves_out(table: Any) -> str:
    """text"""
    return page(table).replace("model 1", "another")


def shows_nan(table: Any) -> str:
    """text"""
    return page(table).replace("None", "NaN")


def no_notes(table: Any) -> str:
    """complete"""
    return page(replace(table, notes=()))


def no_published(table: Any) -> str:
    """complete"""
    return page(replace(table, reported=()))


def no_heads(table: Any) -> str:
    """complete"""
    return page(replace(table, columns=()))


def first_row(table: Any) -> str:
    """empty"""
    return f"{table.rows[0].model}\n{page(table)}"


def raw(table: Any) -> str:
    """escaping"""
    return html.unescape(page(table))


def rings(table: Any) -> str:
    """controls"""
    return f"{page(table)}<p>{html.escape(table.title)}</p>\n"


def export(records: Any, out: Path, options: Any) -> list[Path]:
    """Keep every promise."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "records.json"
    path.write_text(json.dumps([record.model for record in records]))
    return [path]


def returns_less(records: Any, out: Path, options: Any) -> list[Path]:
    """files"""
    paths = export(records, out, options)
    (out / "more.txt").write_text("more")
    return paths


def no_json(records: Any, out: Path, options: Any) -> list[Path]:
    """files"""
    (path,) = export(records, out, options)
    path.write_text("{value: NaN}")
    return [path]


def appends(records: Any, out: Path, options: Any) -> list[Path]:
    """determinism"""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("a") as file:
        file.write("again\n")
    return [out / "log.txt"]


def writes_beside(records: Any, out: Path, options: Any) -> list[Path]:
    """files"""
    Path("stray.txt").write_text("here")
    return export(records, out, options)


def the_first_alone(records: Any, out: Path, options: Any) -> list[Path]:
    """every_record"""
    return export(records[:1], out, options)


def empties(records: Any, out: Path, options: Any) -> list[Path]:
    """untouched"""
    shutil.rmtree(out, ignore_errors=True)
    return export(records, out, options)


def marks_records(records: Any, out: Path, options: Any) -> list[Path]:
    """untouched"""
    (records[0].directory / f"exported-{next(CHANCE)}").touch()
    return export(records, out, options)


def by_model(records: Any, out: Path, options: Any) -> list[Path]:
    """names"""
    path = out / f"{records[0].model}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return [path]


def find(request: Any) -> Encoder:
    """Keep every promise that loads nothing."""
    if not request.rest.endswith("tiny"):
        raise UserError(f"there is no encoder {request.rest[:40]!r}")
    return Encoder(request.name, {"name": "tiny"}, lambda: None)


def finds_anything(request: Any) -> Encoder:
    """unknown"""
    return Encoder(request.name, {"name": request.rest}, lambda: None)


def another_each_time(request: Any) -> Encoder:
    """identity"""
    find(request)
    return Encoder(request.name, {"call": next(CHANCE)}, lambda: None)


def names_folder(request: Any) -> Encoder:
    """identity"""
    find(request)
    return Encoder(request.name, {"folder": request.rest}, lambda: None)


@click.command()
@click.option("--tasks", help="Tasks.")
def command(tasks: str) -> None:
    """Do nothing."""


@click.command()
@click.option("--tasks")
def no_help(tasks: str) -> None:
    """Helps not."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("rest", nargs=-1)
def wrong_flag(remainder: tuple[str, ...]) -> None:
    """Takes any flag."""
