"""Ways in which a file of a release is damaged, each drawn from a chance of its own."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Damage = Callable[[bytes, random.Random], bytes]

DEEP = b"[" * 100_000
WORDS: dict[str, bytes] = {
    "a long cell": b"x" * 200_000,
    "400 digits": b"9" * 400,
    "5000 digits": b"9" * 5000,
    "1e400": b"1e400",
    "a lone surrogate": rb"\ud800",
    "a name that leads out": b"../../../etc/passwd",
    "a place of the machine": b"/etc/passwd",
    "NUL": b"a\x00b",
    "brackets": DEEP,
    "null": b"null",
    "-1": b"-1",
    "a date": b"9-Mar",
    "not UTF-8": b"caf\xe9",
    "half a number": b"0.5",
    "a name of a folder": b".",
    "a true one": b"true",
    "no number": b"NaN",
    "nothing in it": b"",
}
"""What stands in the place of a word or a number."""

VALUES: tuple[Any, ...] = (
    None, True, -1, 1.5, 1 << 70, "", "x", "a\x00b", "\ud800", "\n", "../x", "/etc/passwd", "9-Mar",
    "y" * 70_000, [], [[]], {}, {"a": 1}, [None], [1, 2, 3, 4, 5, 6, 7], float("nan"), float("inf"),
)  # fmt: skip


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def swapped_for(text: bytes) -> Damage:
    """Return a damage that puts a text in the place of a word or number, as often as not quoted."""

    def damage(data: bytes, chance: random.Random) -> bytes:
        words = list(re.finditer(rb'"[^"\n]*"|[\w.-]+', data[: 1 << 16]))
        word = chance.choice(words)
        put = b'"' + text + b'"' if chance.random() < 0.5 else text
        return data[: word.start()] + put + data[word.end() :]

    return damage


BYTES: dict[str, Damage] = {
    "truncated": truncated,
    "flipped": flipped,
    **{kind: swapped_for(text) for kind, text in WORDS.items()},
    "a line of its own": lambda data, _: data.replace(b"\n", b"x" * 3_000_000 + b"\n", 1) + b"y",
    "nothing": lambda *_: b"",
    "blanks": lambda *_: b" \n\n \n",
    "noise": lambda data, chance: chance.randbytes(len(data[:4000])),
    "twice": lambda data, _: data + data,
    "UTF-16": lambda data, _: data.decode("utf-8", "replace").encode("utf-16"),
    "other line ends": lambda data, _: data.replace(b"\n", b"\r"),
    "a web page": lambda *_: b"<!DOCTYPE html><html><body>404: Not Found</body></html>\n",
    "a pointer of git": lambda *_: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    ),
}


def _json(change: Callable[[Any, random.Random], Any]) -> Damage:
    def damage(data: bytes, chance: random.Random) -> bytes:
        return json.dumps(change(json.loads(data), chance)).encode("utf-8", "surrogatepass")

    return damage


def _inside(value: Any, chance: random.Random) -> tuple[Any, Any]:
    """Return a container somewhere in a document, and one of its keys or places."""
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = chance.choice(keys)
        below = value[key]
        if not isinstance(below, dict | list) or not below or chance.random() < 0.15:
            return value, key
        value = below


def _another_value(document: Any, chance: random.Random) -> Any:
    if not document or chance.random() < 0.05:
        return chance.choice(VALUES)
    holder, key = _inside(document, chance)
    holder[key] = chance.choice(VALUES)
    return document


def _taken_out(document: Any, chance: random.Random) -> Any:
    holder, key = _inside(document, chance)
    del holder[key]
    return document


def _renamed(document: Any, chance: random.Random) -> Any:
    holder, key = _inside(document, chance)
    if isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    else:
        holder.insert(key, holder[chance.randrange(len(holder))])
    return document


def _the_other_shape(document: Any, _: random.Random) -> Any:
    return {"data": document} if isinstance(document, list) else [document]


JSON: dict[str, Damage] = {
    **{f"another value {number}": _json(_another_value) for number in range(4)},
    "taken out": _json(_taken_out),
    "renamed or repeated": _json(_renamed),
    "one where a list is": _json(_the_other_shape),
    "a list without entries": lambda *_: b"[]",
    "no key": lambda *_: b"{}",
    "a number": lambda *_: b"7",
}


def _table(change: Callable[[list[list[str]], random.Random], None], sign: str) -> Damage:
    def damage(data: bytes, chance: random.Random) -> bytes:
        rows = list(csv.reader(io.StringIO(data.decode()), delimiter=sign))
        change(rows, chance)
        out = io.StringIO()
        csv.writer(out, delimiter=sign, lineterminator="\n").writerows(rows)
        return out.getvalue().encode("utf-8", "surrogatepass")

    return damage


def _another_cell(rows: list[list[str]], chance: random.Random) -> None:
    row = chance.choice(rows[1:] or rows)
    cells = [
        "",
        "-1",
        "9-Mar",
        "1e400",
        "9" * 400,
        "x" * 70_000,
        "../x",
        "a\x00b",
        "\ud800",
        "a\nb",
    ]
    row[chance.randrange(len(row))] = chance.choice(cells)


def _without_column(rows: list[list[str]], chance: random.Random) -> None:
    position = chance.randrange(len(rows[0]))
    for row in rows:
        del row[position : position + 1]


def _columns_changed(rows: list[list[str]], chance: random.Random) -> None:
    first, two = chance.randrange(len(rows[0])), chance.randrange(len(rows[0]))
    rows[0][first], rows[0][two] = rows[0][two], rows[0][first]


def _a_column_twice(rows: list[list[str]], chance: random.Random) -> None:
    rows[0][chance.randrange(len(rows[0]))] = chance.choice(rows[0])


def _short_row(rows: list[list[str]], chance: random.Random) -> None:
    row = chance.choice(rows)
    del row[chance.randrange(len(row)) :]


def _rows_again(rows: list[list[str]], chance: random.Random) -> None:
    rows.insert(chance.randrange(len(rows)), list(chance.choice(rows)))


def _header_gone(rows: list[list[str]], _: random.Random) -> None:
    del rows[0]


def _header_alone(rows: list[list[str]], _: random.Random) -> None:
    del rows[1:]


def tables(sign: str) -> dict[str, Damage]:
    changes = {
        "another cell 0": _another_cell, "another cell 1": _another_cell,
        "a column less": _without_column, "columns changed": _columns_changed,
        "a column twice": _a_column_twice, "a short row": _short_row, "rows again": _rows_again,
        "no header": _header_gone, "the header alone": _header_alone,
    }  # fmt: skip
    return {
        **{kind: _table(change, sign) for kind, change in changes.items()},
        "another delimiter": lambda data, _: data.replace(sign.encode(), b";"),
    }


def _parquet(change: Callable[[Any, random.Random], Any]) -> Damage:
    def damage(data: bytes, chance: random.Random) -> bytes:
        from pyarrow import parquet

        table = change(parquet.read_table(io.BytesIO(data)), chance)
        out = io.BytesIO()
        parquet.write_table(table, out)
        return out.getvalue()

    return damage


def _column(table: Any, chance: random.Random, make: Callable[[int], list[Any]]) -> Any:
    import pyarrow as pa

    position = chance.randrange(table.num_columns)
    return table.set_column(position, table.column_names[position], pa.array(make(table.num_rows)))


def _filled(value: object) -> Damage:
    """Return a damage that fills a column with one value."""
    return _parquet(lambda table, chance: _column(table, chance, lambda rows: [value] * rows))


PARQUET: dict[str, Damage] = {
    "a column less": _parquet(
        lambda table, chance: table.drop_columns([chance.choice(table.column_names)])
    ),
    "a column renamed": _parquet(
        lambda table, chance: table.rename_columns(
            [f"{name}_" if chance.random() < 0.3 else name for name in table.column_names]
        )
    ),
    **{
        f"a column of {kind}": _filled(value)
        for kind, value in {
            "nothing": None, "numbers": 7, "fractions": 1.5, "texts": "x", "lists": [1],
            "bytes": b"\xff", "NUL": "a\x00b", "a name that leads out": "../../etc/passwd",
            "no text": "", "a struct": {"bytes": None, "path": None}, "a long text": "x" * 70_000,
        }.items()
    },
    "no row": _parquet(lambda table, _: table.slice(0, 0)),
    "rows twice": _parquet(lambda table, _: __import__("pyarrow").concat_tables([table, table])),
}  # fmt: skip


def damages(name: str, data: bytes) -> dict[str, Damage]:
    """Return the damages that a file can take, by what they are called."""
    ending = Path(name).suffix
    if ending == ".json" and b"}\n{" in data:  # lines of JSON, under the other's name
        ending = ".jsonl"
    of_its_kind = {
        ".json": JSON, ".csv": tables(","), ".tsv": tables("\t"), ".parquet": PARQUET,
    }.get(ending, {})  # fmt: skip
    return {**BYTES, **of_its_kind}
