"""A LaTeX table in booktabs style, with its caption, for a paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from harness.errors import flat
from harness.tables.formats import by_group, rank_note, reported_rows, source_of, spans
from harness.tables.table import CellText, Column, Table, cell_text

ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "zero": r"$\to 0$", "none": ""}
# Columns that one column of a two-column page holds: bare numbers, or with more in each cell.
WIDE, NARROW = 6, 3

_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&",
    "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedblright{}",
    "`": r"\textasciigrave{}", "'": r"{'}",
    "[": r"{[}", "]": r"{]}", "*": r"{*}",
    "?": r"?{}", "!": r"!{}",
    "±": r"$\pm$", "×": r"$\times$", "≈": r"$\approx$", "→": r"$\to$", "↑": r"$\uparrow$",
    "↓": r"$\downarrow$", "▲": r"$\blacktriangle$", "▼": r"$\blacktriangledown$", "−": r"$-$",
    "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}",
    "·": r"$\cdot$", "°": r"$^{\circ}$", "µ": r"$\mu$", "α": r"$\alpha$", "β": r"$\beta$",
    "γ": r"$\gamma$", "τ": r"$\tau$", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}",
    "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=",
    "\u0306": r"\u", "\u0307": r"\.", "\u0308": r"\"", "\u030a": r"\r", "\u030b": r"\H",
    "\u030c": r"\v", "\u0327": r"\c",
}  # fmt: skip


def latex(table: Table) -> str:
    """Return a ``table`` float; the document needs ``booktabs``, ``amssymb`` and ``graphicx``."""
    width = len(table.columns) + 1
    star = "*" if width > (WIDE if _bare(table) else NARROW) else ""
    return "\n".join(
        [
            r"% \usepackage{booktabs,amssymb,graphicx}",
            rf"\begin{{table{star}}}[t]",
            r"\centering",
            r"\setlength{\belowcaptionskip}{4pt}",
            *_caption(table),
            rf"\{'footnotesize' if star else 'small'}",
            r"\setlength{\tabcolsep}{4pt}",
            # Shrunk only where it would stand out of the page.
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}l{'r' * len(table.columns)}@{{}}}}",
            r"\toprule",
            *_head(table.columns),
            r"\midrule",
            *_body(table, width),
            r"\bottomrule",
            r"\end{tabular}}",
            *_notes(table),
            rf"\end{{table{star}}}",
            "",
        ]
    )


def _bare(table: Table) -> bool:
    """Whether cells hold nothing but their number."""
    cells = [cell for row in table.rows for cell in row.cells if cell is not None]
    return not any(
        cell.delta is not None or (cell.low is not None and table.looks.interval != "none")
        for cell in cells
    )


def _caption(table: Table) -> Iterator[str]:
    title = table.title if not table.title or table.title.endswith(".") else f"{table.title}."
    text = " ".join(filter(None, (title, table.caption, *rank_note(table, "Bold:", "underlined:"))))
    yield rf"\caption{{{escape_latex(text)}}}"
    if table.looks.label:
        yield rf"\label{{tab:{table.looks.label}}}"


def _head(columns: Sequence[Column]) -> Iterator[str]:
    over, rules, start = [], [], 2
    for title, count in spans(columns):
        over.append(rf"\multicolumn{{{count}}}{{c}}{{{escape_latex(title)}}}")
        if count > 1:
            rules.append(rf"\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    yield rf" & {' & '.join(over)} \\"
    if rules:
        yield " ".join(rules)
    names = (
        f"{escape_latex(column.label)} {ARROWS[column.direction]}".rstrip() for column in columns
    )
    yield rf"Model & {' & '.join(names)} \\"


def _body(table: Table, width: int) -> Iterator[str]:
    for number, section in enumerate(table.sections):
        if number:
            yield r"\midrule"
            yield _band(f"Not comparable with the rows above ({number})", width)
        for index, (group, rows) in enumerate(by_group(section.rows)):
            if index and group:
                yield r"\addlinespace"
            if group:
                yield _band(group, width)
            for row in rows:
                pairs = zip(table.columns, row.cells, strict=True)
                cells = [_cell(cell_text(*pair, table.looks)) for pair in pairs]
                indent = r"\quad " if group else ""
                yield rf"{indent}{escape_latex(row.model)} & {' & '.join(cells)} \\"
    for panel in table.reported:
        yield r"\midrule"
        yield _band(panel.heading, width)
        last = panel.rows[0].group
        for reported, numbers in reported_rows(table.columns, panel):
            if reported.group != last:
                yield r"\addlinespace"
            last = reported.group
            yield rf"{escape_latex(reported.model)} & {' & '.join(map(_number, numbers))} \\"


def _band(title: str, width: int) -> str:
    return rf"\multicolumn{{{width}}}{{@{{}}l@{{}}}}{{\textit{{{escape_latex(title)}}}}} \\"


def _cell(text: CellText) -> str:
    number = _number(text.number)
    if text.rank:
        number = rf"\{'textbf' if text.rank == 'best' else 'underline'}{{{number}}}"
    if text.marks:
        number += rf"\textsuperscript{{{escape_latex(text.marks)}}}"
    if text.tied:
        number += r"$^{\approx}$"
    small = [_number(part) for part in (text.delta, text.interval, text.losses) if part]
    return f"{number} {{\\scriptsize {' '.join(small)}}}" if small else number


def _number(text: str) -> str:
    """Return a number as text: a minus sign of its own, and ``--`` as it stands."""
    if text == "--":
        return "--"
    return escape_latex(re.sub(r"(?<!\d)-(?=\d)", "−", text))


def _notes(table: Table) -> Iterator[str]:
    """Yield what must be said under the table, but for what its caption says already."""
    apart = [f"({n}) {section.title}." for n, section in enumerate(table.sections) if n]
    sources = [source_of(panel) for panel in table.reported]
    notes = [note for note in table.notes if note not in table.caption]
    lines = [*apart, *sources, *notes]
    if lines:
        yield r"\par\vspace{2pt}"
        yield r"\begin{minipage}{\linewidth}\footnotesize\raggedright"
        # Addresses are long and may break at a slash.
        yield from (escape_latex(note).replace("/", r"/\allowbreak{}") + r"\par" for note in lines)
        yield r"\end{minipage}"


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it is.

    A letter that common fonts lack is written as its code point, so that the page compiles.
    """
    line = unicodedata.normalize("NFC", flat(text))
    # Two hyphens would become a dash.
    parts = re.split(r"(?<=-)(?=-)", line)
    return "{}".join("".join(map(_letter, part)) for part in parts)


def _letter(letter: str) -> str:
    if letter in _SIGNS:
        return _SIGNS[letter]
    if " " <= letter <= "~":
        return letter
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if len(marks) == 1 and marks[0] in _ACCENTS and base.isascii() and base.isalpha():
        return f"{{{_ACCENTS[marks[0]]}{{{base}}}}}"
    return rf"{{[}}U+{ord(letter):04X}{{]}}"
