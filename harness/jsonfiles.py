"""Files of strangers, and the JSON in them: plain data, or one short message that says why not."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import UserError, near, reason_of, short

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path


def read_json(path: Path, *, undefined: bool = False) -> Any:
    """Return the value of a JSON file.

    Args:
        path: The file.
        undefined: As :func:`parse_json` has it.

    Raises:
        UserError: it cannot be read, or :func:`parse_json` refuses it.
    """
    return parse_json(read_file(path), path, undefined=undefined)


def read_file(path: Path, most: int = -1) -> bytes:
    """Return the bytes of a file, the first ``most`` of them where that is not negative.

    Raises:
        UserError: as :func:`open_file`.
    """
    try:
        with open_file(path) as file:
            return file.read(most)
    except OSError as error:
        raise unreadable(path, error) from None


def open_file(path: Path) -> BufferedReader:
    """Return a file, opened to read its bytes.

    Raises:
        OSError: it cannot be read, or is not a regular file: a pipe would be waited for forever.
    """
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise OSError(errno.EINVAL, "is not a file", str(path))
    return path.open("rb")


def unreadable(path: Path, error: OSError) -> UserError:
    """Return the message for a file that cannot be read; one that is not there has its nearest."""
    fix = "check the permissions" if isinstance(error, PermissionError) else "check the path"
    if isinstance(error, FileNotFoundError):
        fix = near_file(path)
    return UserError(f"cannot be read: {reason_of(error)}", where=path, fix=fix)


def refuse_missing(path: Path) -> None:
    """Refuse the path of a file or folder that is not there.

    Raises:
        UserError: it is not; with what may be meant.
    """
    if not os.path.exists(path):  # noqa: PTH110  false, too, for a name that no file can have
        raise UserError("the file or folder does not exist", where=path, fix=near_file(path))


def near_file(path: Path) -> str:
    """Return what may be meant by the path of a file that is not there."""
    try:
        names = [other.name for other in islice(path.parent.iterdir(), 1000)]
    except OSError:
        return f"there is no folder {short(str(path.parent), 200)}"
    return near(path.name, near_but_for_endings(path.name, names)) or "check the path"


def near_but_for_endings(name: str, others: Sequence[str]) -> list[str]:
    """Return names of files that are near: endings alone would make short names near every one."""
    stem, *stems = (PurePath(one).name.partition(".")[0] or one for one in (name, *others))
    return [other for other, its in zip(others, stems, strict=True) if near(stem, [its])]


def read_object(path: Path, *, undefined: bool = False) -> dict[str, Any]:
    """Return the object of a JSON file.

    Args:
        path: The file.
        undefined: As :func:`parse_json` has it.

    Raises:
        UserError: as :func:`read_json`, or it holds something else than an object.
    """
    return as_object(read_json(path, undefined=undefined), path)


def as_object(value: Any, where: Path | str) -> dict[str, Any]:
    """Return a value that is an object.

    Raises:
        UserError: it is not an object.
    """
    if not isinstance(value, dict):
        raise UserError("not a JSON object", where=where)
    return value


def parse_json(content: bytes, where: Path | str, *, undefined: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        content: UTF-8, with or without a byte order mark.
        where: What messages name.
        undefined: Take ``NaN`` and infinities for null instead of refusing them.

    Raises:
        UserError: not UTF-8, not JSON, nested too deeply, a repeated key, a number that is too
            long or not finite.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=unrepeated,
            parse_constant=(lambda _: None) if undefined else no_constant,
            parse_float=float if undefined else _finite,
        )
    except UnicodeDecodeError:
        reason = "not UTF-8 text"
    except RecursionError:
        reason = "not JSON: nested too deeply"
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error}"
    except _Refused as error:
        reason = f"not JSON: {error}"
    except ValueError:  # int() takes no more digits than sys.get_int_max_str_digits() says
        reason = "not JSON: a number with too many digits"
    raise UserError(reason, where=where) from None


class _Refused(ValueError):
    """What Python's parser takes and JSON does not."""


def no_constant(constant: str) -> NoReturn:
    """Refuse NaN and infinities."""
    raise _Refused(f"{constant} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("a number that is too large")
    return number


def unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object none of whose keys is repeated."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"the key {twice[:80]!r} is repeated")
    return unique


def finite_json(value: Any) -> Any:
    """Return plain data in which NaN and infinite numbers are null, since JSON has neither."""
    if isinstance(value, Mapping):
        return {key: finite_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
