"""Read fields of annotation records and lines of annotation files, with errors that name them."""

from __future__ import annotations

import base64
import binascii
import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from harness.errors import DataError, SampleError, quoted, reason_of, short, unknown
from harness.samples.roots import DataRoot

_MOST = (1 << 63) - 1
_WHOLE = re.compile("-?[0-9]+")
_CELL = 1 << 17  # characters
_LINE = 1 << 20  # bytes; those of releases have some hundred at most


def lines(root: DataRoot, name: str) -> Iterator[tuple[int, str]]:
    """Yield number (from 1) and text of each line that is not blank; a BOM is taken off.

    Raises:
        DataError: when the file is missing, or a line is not UTF-8 or holds a carriage return.
    """
    where = root.where(name)
    try:
        with root.open(name) as file:
            for number, data in enumerate(iter(partial(file.readline, _LINE), b""), start=1):
                if len(data) == _LINE:
                    raise DataError(f"a line of over {_LINE >> 20} MiB", where=f"{where}:{number}")
                text = decoded(data, f"{where}:{number}", first=number == 1)
                if "\r" in text:
                    raise DataError(
                        "lines end in carriage returns alone", where=f"{where}:{number}",
                        fix="take the file as the release has it, or run mac2unix on it",
                    )  # fmt: skip
                if text:
                    yield number, text
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", where=where) from None


def cells(text: str, where: str) -> list[str]:
    """Return the cells of one line of a CSV.

    Raises:
        DataError: a cell that is too long, or a quote that does not end on the line.
    """
    try:
        fields = next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise DataError(f"not valid CSV: {error}", where=where) from None
    longest = max(map(len, fields), default=0)
    if longest > _CELL:  # csv's own limit belongs to the process
        raise DataError(
            f"not valid CSV: a cell of {longest:,} characters, the limit is {_CELL:,}", where=where
        )
    return fields


def decoded(data: bytes, where: str, *, first: bool = False) -> str:
    """Return a line as text without its blanks at the ends; ``first`` takes off a BOM.

    Raises:
        DataError: when it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig" if first else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason}", where=where) from None


def member(record: Any, key: str, where: str) -> Any:
    """Return a record's value.

    Raises:
        DataError: when the record is no object, or the key is missing.
    """
    if not isinstance(record, dict):
        raise DataError(f"an object was expected, found {_kind(record)}", where=where)
    if key not in record:
        raise DataError(f"the key {key!r} is missing", where=where)
    return record[key]


def as_list(value: Any, owner: str, where: str) -> list[Any]:
    """Return ``value`` when it is a list; DataError otherwise."""
    if not isinstance(value, list):
        raise DataError(f"{owner} should be a list, found {_kind(value)}", where=where)
    return value


def as_mapping(value: Any, owner: str, where: str) -> dict[str, Any]:
    """Return ``value`` when it is an object; DataError otherwise."""
    if not isinstance(value, dict):
        raise DataError(f"{owner} should be an object, found {_kind(value)}", where=where)
    return value


def as_text(value: Any, owner: str, where: str) -> str:
    """Return ``value`` when it is a text that is not empty; DataError otherwise."""
    if not isinstance(value, str) or not value:
        raise DataError(f"{owner} should be a text, found {_kind(value)}", where=where)
    return value


def as_whole(value: Any, owner: str, where: str) -> int:
    """Return a whole number of 63 bits, given as one or as its digits; DataError otherwise."""
    try:
        if isinstance(value, bool | float):
            raise ValueError
        if isinstance(value, str) and not _WHOLE.fullmatch(value.strip(" \t")):
            raise ValueError
        number = int(value)
        if not -_MOST <= number <= _MOST:
            raise ValueError
        return number
    except (TypeError, ValueError):
        raise DataError(
            f"{owner} should be a whole number, found {quoted(value)}", where=where
        ) from None


def numbers(values: Any, count: int, owner: str, where: str) -> list[float]:
    """Return ``count`` finite numbers, given as numbers or as texts; DataError otherwise."""
    items = as_list(values, owner, where)
    if len(items) != count:
        raise DataError(f"{owner} should hold {count} numbers, found {len(items)}", where=where)
    converted = [_number(item) for item in items]
    for item, number in zip(items, converted, strict=True):
        if not math.isfinite(number):
            raise DataError(f"{owner} holds {quoted(item)}, not a finite number", where=where)
    return converted


def _number(item: Any) -> float:
    """Return a number, NaN for what is none; Python also reads ``0_1`` and digits of any script."""
    if isinstance(item, bool) or (isinstance(item, str) and ("_" in item or not item.isascii())):
        return math.nan
    try:
        return float(item)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def missing_column(name: str, columns: Sequence[str], where: str) -> DataError:
    """Return the error for a table without a column; it lists those that are there."""
    names = short(", ".join(columns), 300)
    mark = next((mark for mark in ";\t,|" if len(columns) == 1 and mark in names), "")
    fix = f"this file parts its columns by {mark!r}, as the release does not" if mark else ""
    return DataError(f"the column {name!r} is missing; there are {names}", where=where, fix=fix)


def from_base64(cell: str, where: str) -> bytes:
    """Return an image written as base64.

    Raises:
        SampleError: it is not base64.
    """
    try:
        return base64.b64decode("".join(cell.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SampleError(
            "image_unreadable", f"{where}: the image is not base64: {error}"
        ) from None


def choice(options: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str:
    """Return an option's value, by default the first allowed one.

    Raises:
        UserError: for another value.
    """
    value = options.get(name)
    if value is None:
        return allowed[0]
    if value not in allowed:
        raise unknown("value", str(value), allowed, where=f"option {name!r}")
    return str(value)


def known_split(split: str, splits: Sequence[str]) -> str:
    """Return the split; UserError when the release does not have it."""
    if split not in splits:
        raise unknown("split", split, splits)
    return split


def _kind(value: Any) -> str:
    text = "a text" if value else "an empty text"
    names = {dict: "an object", list: "a list", str: text, type(None): "null"}
    return names.get(type(value)) or quoted(value)
