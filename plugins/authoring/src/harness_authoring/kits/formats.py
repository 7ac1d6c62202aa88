"""The kit of leaderboard formats: whatever a name holds, the table stays a table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from harness.tables.render import render
from harness.tables.table import Cell, Column, Reported, ReportedRow, Row, Section, Table

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

PLAIN = "plainmodelname"
_DATA = (".csv", ".tsv")  # rows for other programs, in which a note would be a row
HOSTILE = (
    "<script>alert(1)</script>", "a & b", "a | b | c", 'say "yes"', "it's", "50% of_all #1 $5",
    "{curly} \\begin{evil} ~^", "\\\\ \\end{tabular}", "a,b;c\td", "two\nlines", "\r\n\r\n# head",
    "`code` **bold** _it_ [x](javascript:alert(1))", "</td></tr></table>", "]]>", "<!-- -->",
    "=1+1", "\u202edelivered", "\u0007bell\u001b[31m", "模型 👩🏽\u200d🔬 é", "x" * 400, " ", "-->",
    "&lt;b&gt;", "| --- |", "\u2028line",
)  # fmt: skip


def made_table(name: str = PLAIN, rows: int = 3) -> Table:
    """Return a table with all that a cell can have, one name in it that a stranger chose."""
    columns = (
        Column("pisc", "PISC", "accuracy", "Accuracy", "higher", 100.0, group="Relations"),
        Column("scounter", "SCounter", "max_skew", "MaxSkew@C", "zero", 1.0),
        Column("gaze", "Gaze", "l2", "L2", "lower", 1.0),
    )
    made = [_row(f"model {number}", number) for number in range(rows)]
    if made:
        made[0] = replace(made[0], model=name)
    reported = Reported("A paper", "Somebody 2024", "read from a table", (
        ReportedRow(name, (51.2, None, 0.1)),
    ))  # fmt: skip
    return Table(
        columns=columns,
        sections=(Section("", tuple(made)), Section(f"Another split {name}", (_row("late", 9),))),
        notes=(f"a note on {name}",),
        title=f"Table of {name}",
        caption=f"Caption of {name}",
        reported=(reported,) if rows else (),
    )


def _row(model: str, number: int) -> Row:
    cell = Cell(
        value=40.0 + number, low=35.0, high=45.0 + number, level=0.95, n=120, clusters=60,
        unparsed=0.025, refusals=0.0, errors=number, marks=("demo", "limited"), shown=("limited",),
        evaluation=f"{number:064x}", rank="best" if number == 2 else "", tied=number == 1,
        delta=-1.5, trend="worse", seeds=3, warning="few clusters",
    )  # fmt: skip
    undefined = replace(cell, value=None, low=None, high=None)
    return Row(model, f"{number:064x}", (cell, undefined if number else None,
               replace(cell, supported=number != 1)))  # fmt: skip


def text(subject: Subject) -> None:
    """Return the same text of the same table, with the name of every model."""
    table = made_table()
    written = render(subject.descriptor, table)
    if written != render(subject.descriptor, table):
        raise ContractError("the same table gives another text in a second call")
    for row in table.rows:
        if row.model not in written:
            raise ContractError(f"the model {row.model!r} is left out")
    if lacking := [number for number in ("41", "42", "49") if number not in written]:
        raise ContractError(f"a number of the table is left out: {lacking[0]}")
    if re.search(r"\bnan\b", written, re.IGNORECASE):
        raise ContractError("a cell without a value is shown as nan; leave it empty")
    if written and not written.endswith("\n"):
        raise ContractError("the text does not end with a newline")


def complete(subject: Subject) -> None:
    """Write the heads of columns, published numbers and, in a page for readers, the notes."""
    written = render(subject.descriptor, made_table())
    parts = {"Accuracy": "the head of a column", "A paper": "the title of published numbers",
             "51.2": "a published number"}  # fmt: skip
    if subject.descriptor.suffix not in _DATA:
        parts[f"a note on {PLAIN}"] = "a note below the table"
    for part, noun in parts.items():
        if part not in written:
            raise ContractError(f"{noun} is left out: {part!r}")


def empty(subject: Subject) -> None:
    """Write a table without rows, or without columns."""
    render(subject.descriptor, made_table(rows=0))
    render(subject.descriptor, Table(columns=(), sections=(), notes=()))


def escaping(subject: Subject) -> None:
    """Keep the structure of the file whatever names, titles, notes and captions hold."""
    shape = _SHAPES.get(subject.descriptor.suffix)
    if shape is None:
        raise NotApplicableError(
            f"what a file of the ending {subject.descriptor.suffix} is made of is not known"
        )
    usual = shape(render(subject.descriptor, made_table()))
    for name in HOSTILE:
        written = render(subject.descriptor, made_table(name))
        try:
            structure = shape(written)
        except ValueError as error:
            raise ContractError(f"with the name {name[:60]!r} it cannot be read: {error}") from None
        if structure != usual:
            raise ContractError(
                f"the name {name[:60]!r} changes the structure of the file: "
                f"{_differing(usual, structure)}"
            )


def controls(subject: Subject) -> None:
    """Write no character that drives a terminal or turns the direction of a line."""
    for name in HOSTILE:
        written = render(subject.descriptor, made_table(name))
        if odd := re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", written):
            raise ContractError(f"the name {name[:60]!r} puts {odd.group()!r} into the file")


# --- what a file is made of -----------------------------------------------------------------------


class _Tags(HTMLParser):
    """Counts what a page is made of: tags, their attributes' names, comments."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[f"<{tag} {' '.join(sorted(name for name, _ in attrs))}>"] += 1

    def handle_endtag(self, tag: str) -> None:
        self.counts[f"</{tag}>"] += 1

    def handle_comment(self, data: str) -> None:
        del data
        self.counts["<!---->"] += 1

    def handle_decl(self, decl: str) -> None:
        self.counts[f"<!{decl.split(maxsplit=1)[0]}>"] += 1

    def unknown_decl(self, data: str) -> None:
        del data
        self.counts["<![]>"] += 1


def _html(written: str) -> Counter[str]:
    parser = _Tags()
    parser.feed(written)
    parser.close()
    return parser.counts


def _rows_of(delimiter: str) -> Any:
    def shape(written: str) -> list[int]:
        rows = csv.reader(io.StringIO(written, newline=""), delimiter=delimiter, strict=True)
        return [len(row) for row in rows]

    return shape


def _json(written: str) -> Any:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(one) for key, one in value.items()}
        return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__

    return shape(json.loads(written))


def _markdown(written: str) -> list[tuple[int, ...]]:
    """Return of each line its bars, tags of HTML and links, and whether it is a heading."""
    marks = (r"(?<!\\)\|", r"(?<!\\)<[A-Za-z/!]", r"(?<!\\)\[[^\]\n]*[^\\]\]\(", "^#")
    return [tuple(len(re.findall(mark, line)) for mark in marks) for line in written.splitlines()]


_COMMAND = re.compile(r"\\(?:begin|end)\{(\w+\*?)\}")


def _latex(written: str) -> tuple[Counter[str], int, int, int]:
    """Return environments, ends of rows, ``&`` and the balance of braces, escapes left out."""
    counts = Counter(_COMMAND.findall(written))
    bare = re.sub(r"\\[&%$#_{}]", "", written)
    lines = [line.partition("%")[0] for line in bare.splitlines()]
    bare = "\n".join(lines)
    if re.search(r"[\^~]\w*evil|\\input|\\write", bare):
        raise ValueError("a command stands in it")
    braces = bare.count("{") - bare.count("}")
    return counts, len(re.findall(r"\\\\(?!\w)", bare)), bare.count("&"), braces


def _lines(written: str) -> int:
    return written.count("\n")


_SHAPES: dict[str, Any] = {
    ".html": _html,
    ".csv": _rows_of(","),
    ".tsv": _rows_of("\t"),
    ".json": _json,
    ".md": _markdown,
    ".tex": _latex,
    ".txt": _lines,
}


def _differing(first: Any, second: Any) -> str:
    if isinstance(first, Counter) and isinstance(second, Counter):
        more = {key: second[key] - first[key] for key in {*first, *second}}
        return ", ".join(f"{key} {count:+}" for key, count in sorted(more.items()) if count)[:200]
    return f"{str(first)[:90]} against {str(second)[:90]}"


CHECKS = (
    Check("text", "the same text of a table; no model or number left out", text),
    Check("complete", "heads, published numbers and notes are written", complete),
    Check("empty", "a table without rows raises nothing", empty),
    Check("escaping", "names that hold markup change nothing of the file's structure", escaping),
    Check("controls", "no control characters", controls),
)
