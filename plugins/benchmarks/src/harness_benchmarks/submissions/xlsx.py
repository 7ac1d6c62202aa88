"""One plain table as an Office Open XML workbook: five small files in a zip, texts in the cells.

ECMA-376, part 1. Nothing is formatted or computed: a text that looks like a formula stays a text.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from harness.errors import UserError

MAX_CELL = 32_767
"""Characters a cell may hold."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEETS}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEETS}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>"
    ),
}
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # equal tables, equal bytes


def workbook(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> bytes:
    """Return a workbook with one sheet: a header and the rows.

    Characters that XML does not have, such as the escape, are left out.

    Raises:
        UserError: a text longer than :data:`MAX_CELL`.
    """
    sheet = [_HEAD, f'<worksheet xmlns="{_MAIN}"><sheetData>', _row(columns)]
    sheet += map(_row, rows)
    sheet.append("</sheetData></worksheet>")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in (*_PARTS.items(), ("xl/worksheets/sheet1.xml", "".join(sheet))):
            body = text if text.startswith(_HEAD) else _HEAD + text
            info = zipfile.ZipInfo(name, _FIRST_DAY)
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, body.encode())
    return memory.getvalue()


def _row(cells: Sequence[str | int]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    if len(value) > MAX_CELL:
        raise UserError(
            f"a cell of a sheet holds {MAX_CELL:,} characters, and the text that begins "
            f"{value[:40]!r} has {len(value):,}",
            fix="write --out FILE.tsv, which has no such limit",
        )
    text = escape(_NOT_XML.sub("", value))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
