"""How a text file is encoded, and files that are no text at all."""

from __future__ import annotations

import codecs
from functools import partial

from harness.errors import DataError, quoted
from harness.samples import DataRoot

_CHUNK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OTHERS = "such as encoding: cp1252, shift_jis, gb18030 or utf-16"
_PACK = "unpack it; an archive may also stand in the place of the data folder"
_FOREIGN = (
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"\x89PNG\r\n", "a PNG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"%PDF-", "a PDF", "save the table in it as CSV (UTF-8)"),
    (b"PK\x03\x04", "a zip archive or an Excel sheet", "save the sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel sheet (.xls)", "save the sheet as CSV (UTF-8)"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV (UTF-8)"),
    (b"\x89HDF\r\n", "an HDF5 file", "write the table as CSV or Parquet"),
    (b"\x93NUMPY", "an array of numpy", "write the table as CSV or Parquet"),
    (b"\x80\x04\x95", "a pickle", "write the table as CSV or Parquet"),
    (b"\x1f\x8b", "packed by gzip", _PACK),
    (b"BZh", "packed by bzip2", _PACK),
    (b"\xfd7zXZ\0", "packed by xz", _PACK),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", _PACK),
    (b"PAR1", "a Parquet file", "format: parquet"),
    (b"ARROW1", "an Arrow file", "format: arrow"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "git lfs pull"),
    (b"<!DOCTYPE html", "an HTML page", "download the file itself, not the page that shows it"),
    (b"<html", "an HTML page", "download the file itself, not the page that shows it"),
)
"""First bytes of files that often bear the name of a table, what they are, and what to do."""


def refuse_foreign(root: DataRoot, name: str, kind: str) -> None:
    """Refuse a file whose first bytes are those of something else than its format.

    Raises:
        DataError: it says what the file is.
    """
    with root.open(name) as file:
        head = file.read(32)
    for mark, what, fix in _FOREIGN:
        if head.startswith(mark) and fix != f"format: {kind}":
            raise DataError(f"is {what}, no table of the format {kind}", where=root.where(name),
                            fix=fix or "name the table that lists the images")  # fmt: skip


def known_encoding(name: str) -> str:
    """Return an encoding as Python calls it.

    Raises:
        DataError: there is none of that name.
    """
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise DataError(f"there is no encoding {quoted(name)}", where="data.options.encoding",
                        fix=OTHERS) from None  # fmt: skip


def detect_encoding(root: DataRoot, name: str) -> str:
    """Return a text file's encoding: by its mark, else UTF-8 where all of it is, else Windows-1252.

    Raises:
        DataError: it is none of them, or no text at all.
    """
    where = root.where(name)
    with root.open(name) as file:
        head = file.read(4096)
        for mark, encoding in _BOMS:
            if head.startswith(mark):
                return str(encoding)
        if b"\0" in head:
            raise DataError(
                "holds null characters: no table of text", where=where, fix=_without_mark(head)
            )
        decoder = codecs.getincrementaldecoder("utf-8")()
        lines = 1
        chunk = head
        while chunk:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                return _western(root, name, lines)
            lines += chunk.count(b"\n")
            chunk = file.read(_CHUNK)
    return "utf-8"


def _without_mark(head: bytes) -> str:
    """Return what mends UTF-16 without a mark: every second byte of its Latin letters is null."""
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[first::2]
        if half.count(0) > 0.8 * len(half) and head.count(0) < 0.6 * len(head):
            return f"save it as UTF-8, or in a spec: encoding: {encoding}"
    return "name a table of text, such as a CSV"


def _western(root: DataRoot, name: str, line: int) -> str:
    """Return ``cp1252`` where every byte is a sign of it."""
    with root.open(name) as file:
        for chunk in iter(partial(file.read, _CHUNK), b""):
            try:
                chunk.decode("cp1252")
            except UnicodeDecodeError:
                raise DataError(
                    "neither UTF-8 nor Windows-1252", where=f"{root.where(name)}:{line}",
                    fix=OTHERS,
                ) from None  # fmt: skip
    return "cp1252"
