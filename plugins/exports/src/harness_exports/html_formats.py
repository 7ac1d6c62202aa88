"""HTML of a table: a fragment for a page of one's own, or a whole page without outside requests."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from harness.errors import flat
from harness.tables.formats import by_group, rank_note, reported_rows, source_of, spans
from harness.tables.table import CellText, Column, Table, cell_text

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; }
th[scope=row], tbody th[colspan], thead tr:last-child th:first-child { text-align: left; }
thead th[colspan] { text-align: center; }
thead tr:last-child th { border-bottom: 1px solid; }
table { border-top: 2px solid; border-bottom: 2px solid; }
tbody th[colspan] { font-style: italic; font-weight: normal; white-space: normal; }
tbody th[colspan] { border-top: 1px solid; }
small { opacity: .75; }
"""


def html(table: Table) -> str:
    """Return a page that stands alone."""
    title = _text(table.title or "Leaderboard")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>\n{html_fragment(table)}</main>\n</body>\n</html>\n"
    )


def html_fragment(table: Table) -> str:
    """Return the table and its notes; every text of a record is escaped."""
    width = len(table.columns) + 1
    lines = ['<div class="scroll" role="region" aria-label="Leaderboard" tabindex="0">', "<table>"]
    if table.caption:
        lines.append(f"<caption>{_text(table.caption)}</caption>")
    lines += ["<thead>", *_head(table.columns), "</thead>"]
    for section in table.sections:
        lines.append("<tbody>")
        if section.title:
            lines.append(_band(section.title, width))
        for group, rows in by_group(section.rows):
            if group:
                lines.append(_band(group, width))
            for row in rows:
                pairs = zip(table.columns, row.cells, strict=True)
                cells = [_cell(cell_text(*pair, table.looks)) for pair in pairs]
                lines.append(_row(row.model, cells))
        lines.append("</tbody>")
    for panel in table.reported:
        lines += ['<tbody class="reported">', _band(panel.heading, width)]
        for reported, numbers in reported_rows(table.columns, panel):
            lines.append(_row(reported.model, [f"<td>{_text(number)}</td>" for number in numbers]))
        lines.append("</tbody>")
    lines += ["</table>", "</div>", *_notes(table)]
    return "\n".join(lines) + "\n"


def _head(columns: tuple[Column, ...]) -> Iterator[str]:
    over = (
        f'<th scope="colgroup" colspan="{count}">{_text(title)}</th>'
        for title, count in spans(columns)
    )
    yield f"<tr><td></td>{''.join(over)}</tr>"
    metrics = "".join(f'<th scope="col">{_text(column.heading)}</th>' for column in columns)
    yield f'<tr><th scope="col">Model</th>{metrics}</tr>'


def _band(title: str, width: int) -> str:
    return f'<tr><th scope="rowgroup" colspan="{width}">{_text(title)}</th></tr>'


def _row(name: str, cells: list[str]) -> str:
    return f'<tr><th scope="row">{_text(name)}</th>{"".join(cells)}</tr>'


def _cell(text: CellText) -> str:
    number = _text(text.number)
    if text.rank:
        tag = "strong" if text.rank == "best" else "u"
        number = f"<{tag}>{number}</{tag}>"
    marks = f" ({_text(text.marks)})" if text.marks else ""
    small = "; ".join(filter(None, (text.rest, text.losses)))
    return f"<td>{number}{marks}{f' <small>{_text(small)}</small>' if small else ''}</td>"


def _notes(table: Table) -> Iterator[str]:
    notes = [*(source_of(panel) for panel in table.reported), *table.notes]
    notes += rank_note(table, "Bold:", "underlined:")
    if notes:
        yield "<ul>"
        yield from (f"<li>{_text(note)}</li>" for note in notes)
        yield "</ul>"


def _text(text: str) -> str:
    return escape(flat(text))
