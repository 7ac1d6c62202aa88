"""Arguments of public functions, made plain by their annotations: a wrong one is a UserError."""

from __future__ import annotations

import math
import os
import re
import reprlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from harness.errors import UserError, unknown

P = ParamSpec("P")
R = TypeVar("R")
FORMER: dict[str, dict[str, str]] = {"read_evaluation": {"whole": "details"}}
"""Function or settings class to the old names of its arguments; they work for one version."""
_DEPTH = 50  # of plain data; what is deeper may hold itself
_PATH_BYTES, _NAME_BYTES = 4096, 255  # as Linux has them
_WRONG = object()
_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    NoneType: "None",
    Path: "a path",
    os.PathLike: "a path",
    Mapping: "a mapping",
    Iterable: "several of them in a list",
    Sequence: "several of them in a list",
}


class Within(NamedTuple):
    """Bounds of a number, as ``Annotated[int, Within(1)]``; ``above`` refuses the least itself."""

    least: float = float("-inf")
    most: float = float("inf")
    above: bool = False

    def __str__(self) -> str:
        least = f"{'above' if self.above else 'at least'} {_in_digits(self.least)}"
        most = f" and at most {_in_digits(self.most)}"
        return least if self.most == float("inf") else least + most

    def holds(self, number: float) -> bool:
        """Whether a number is within."""
        return self.least <= number <= self.most and not (self.above and number == self.least)


def _in_digits(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


class Matching(NamedTuple):
    """Form of a text, as ``Annotated[str, Matching("cpu|cuda", "cpu or cuda")]``."""

    pattern: str
    words: str

    def __str__(self) -> str:
        return self.words

    def holds(self, text: str) -> bool:
        """Whether a text has the form."""
        return re.fullmatch(self.pattern, text) is not None


Seed = Annotated[int, Within(0, 2**32 - 1)]
"""What NumPy, PyTorch and transformers all take."""
Device = Annotated[
    str, Matching(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", "auto, cpu, cuda, cuda:1 or mps")
]
Threads = Annotated[int, Within(1, 1024)]
Workers = Annotated[int, Within(0, 1024)]
Several = Annotated[int, Within(1, 1_000_000)]
"""Epochs, steps, samples at once: what nobody has more of."""


def defaults(settings: type) -> dict[str, Any]:
    """Return the defaults of a dataclass's fields by name."""
    return {field.name: field.default for field in fields(settings) if field.default is not MISSING}


def given(settings: Callable[..., R], chosen: Mapping[str, Any], **more: Any) -> R:
    """Return a dataclass made of what is asked of it: what nobody names has its own default."""
    names = {field.name for field in fields(settings)}  # type: ignore[arg-type]
    return settings(**{name: value for name, value in chosen.items() if name in names}, **more)


def check_fields(settings: Any) -> None:
    """Make the fields of a dataclass plain; to be called in its ``__post_init__``.

    Raises:
        UserError: a field of another type, or out of bounds.
    """
    hints, owner = _hints(type(settings)), type(settings).__name__
    for field in fields(settings):
        value = plain(hints[field.name], getattr(settings, field.name), f"{field.name} of {owner}")
        object.__setattr__(settings, field.name, value)


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function's arguments be made plain by :func:`plain` before it is called.

    Raises:
        UserError: an argument too many, one that is missing, or one of another type.
    """
    declared = signature(function)
    name = function.__name__
    gathering = [p.name for p in declared.parameters.values() if p.kind is Parameter.VAR_KEYWORD]

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = {key: hint for key, hint in _hints(function).items() if key != "return"}
        for gathered in gathering:
            hints |= _hints(get_args(hints.pop(gathered))[0])
        kwargs = present_names(name, kwargs)  # type: ignore[assignment]
        for key in kwargs:
            if key not in hints:
                raise unknown(f"argument of {name}()", key, hints)
        try:
            bound = declared.bind(*args, **kwargs)
        except TypeError as error:
            raise UserError(f"{name}(): {error}") from None
        made = dict(bound.arguments)
        for gathered in gathering:
            made |= made.pop(gathered, {})
        made = {key: plain(hints[key], value, f"{key} of {name}()") for key, value in made.items()}
        return function(**made)  # type: ignore[call-arg]

    return called


def _hints(owner: Any) -> dict[str, Any]:
    return dict(_cached_hints(owner, include_extras=True))


_cached_hints = cache(get_type_hints)


def plain(hint: Any, value: Any, where: str) -> Any:
    """Return a value as its annotation says: paths of texts, lists of iterables, plain numbers.

    Args:
        hint: The annotation.
        value: What was given.
        where: What it is, for messages.

    Raises:
        UserError: a value of another type, or out of bounds.
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    if get_origin(hint) is Annotated:
        hint, *bounds = get_args(hint)
        made = plain(hint, value, where)
        for bound in bounds:
            if made is not None and not bound.holds(made):
                raise UserError(f"{where} should be {bound}, not {_shown(made)}")
        return made
    if get_origin(hint) in {Union, UnionType}:
        return _of_union(get_args(hint), value, where)
    if get_origin(hint) is Literal:
        if not isinstance(value, str) or value not in get_args(hint):
            word = value[:100] if isinstance(value, str) else _shown(value)
            raise unknown("value", word, get_args(hint), where=where)
        return value
    made = _MAKERS[hint](value) if hint in _MAKERS else _of_others(hint, value, where)
    if made is _WRONG:
        raise _wrong([hint], value, where)
    return made


def _of_union(members: Sequence[Any], value: Any, where: str) -> Any:
    """Return a value of one of several types; a text is a path wherever a path may be."""
    if any(get_origin(member) is dict for member in members):  # Json
        return _json(value, where)
    members = [member for member in members if member is not str or Path not in members]
    for member in members:
        if _fits(member, value):
            return plain(member, value, where)
    raise _wrong(members, value, where)


def _fits(member: Any, value: Any) -> bool:
    """Whether a value is of a type, whatever may be wrong within it."""
    kind = get_args(member)[0] if get_origin(member) is Annotated else get_origin(member) or member
    if kind is Literal or kind is Path:
        return isinstance(value, str | os.PathLike)
    if kind in {Mapping, os.PathLike}:
        return isinstance(value, kind)
    if kind in {Iterable, Sequence}:
        return _is_list(value)
    if kind in _MAKERS:
        return _MAKERS[kind](value) is not _WRONG
    settings = is_dataclass(kind) and isinstance(value, Mapping)
    return settings or _of_others(kind, value, "") is not _WRONG


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping)


def _of_others(hint: Any, value: Any, where: str) -> Any:
    """Return a value of a mapping, a list, a function, a protocol or a class."""
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in {Iterable, Sequence, Mapping}:
        return _of_several(kind, inner, value, where)
    if kind is Callable:
        return value if callable(value) else _WRONG
    if getattr(kind, "_is_protocol", False):
        return value if all(hasattr(value, name) for name in _methods(kind)) else _WRONG
    if is_dataclass(kind) and isinstance(value, Mapping):
        return _of_mapping(kind, value, where)
    return value if isinstance(value, kind) else _WRONG


def _methods(protocol: Any) -> list[str]:
    names = [*vars(protocol), *getattr(protocol, "__annotations__", ())]
    return [name for name in names if not name.startswith("_") or name == "__call__"]


def _of_several(kind: Any, inner: tuple[Any, ...], value: Any, where: str) -> Any:
    """Return a mapping or a list with plain contents; a text is not a list of letters."""
    if kind is Mapping and isinstance(value, Mapping):
        return {
            plain(inner[0], key, f"a key of {where}"): plain(inner[1], item, f"{key!r} in {where}")
            for key, item in value.items()
        }
    if kind is Mapping or not _is_list(value):
        return _WRONG
    return [plain(inner[0], item, f"an item of {where}") for item in value]


def present_names(owner: str, values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return arguments or settings by their present names; an old one works with a warning."""
    former = FORMER.get(owner, {})
    for old in former.keys() & values.keys():
        note = f"{old} of {owner} is {former[old]} now; the old name will go in the next version"
        warnings.warn(note, FutureWarning, stacklevel=3)
    return {former.get(key, key): value for key, value in values.items()}


def _of_mapping(settings: Any, value: Mapping[Any, Any], where: str) -> Any:
    """Return a dataclass of its fields by name."""
    value = present_names(settings.__name__, value)
    names = [field.name for field in fields(settings) if field.init]
    for key in value:
        if key not in names:
            raise unknown(f"key of {where}", str(key)[:100], names)
    try:
        return settings(**value)
    except TypeError as error:  # one without a default is missing
        raise UserError(f"{where}: {error}") from None


def _json(value: Any, where: str, depth: int = 0) -> Any:
    """Return plain data, as JSON can say it; a path becomes a text."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, os.PathLike):
        value = str(_path(value))
    if value is None or isinstance(value, bool | int | float) or _text(value) is not _WRONG:
        return value
    if depth < _DEPTH and isinstance(value, list | tuple):
        return [_json(one, where, depth + 1) for one in value]
    if depth < _DEPTH and isinstance(value, Mapping):
        return {plain(str, key, where): _json(one, where, depth + 1) for key, one in value.items()}
    raise UserError(f"{where} should be a text, a number or other plain data, not {_shown(value)}")


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, str) and "\0" not in value else _WRONG


def _path(value: Any) -> Any:
    """Return a path of a text or of what stands for one, if the system could have it."""
    try:
        text = os.fspath(value)
        encoded = os.fsencode(text)
    except (TypeError, UnicodeEncodeError):
        return _WRONG
    plain_text = isinstance(text, str) and text and "\0" not in text
    return Path(text) if plain_text and not _is_too_long(encoded) else _WRONG


def _is_too_long(value: Any) -> bool:
    """Whether the system could not have a path for its length or that of a name in it."""
    try:
        encoded = os.fsencode(value)
    except (TypeError, UnicodeEncodeError):
        return False
    names = encoded.split(os.fsencode(os.sep))
    return len(encoded) >= _PATH_BYTES or max(map(len, names)) > _NAME_BYTES


def _whole(value: Any) -> Any:
    return _WRONG if isinstance(value, bool) or not isinstance(value, Integral) else int(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Real):
        return _WRONG
    try:
        return float(value) if math.isfinite(value) else _WRONG
    except OverflowError:
        return _WRONG


_MAKERS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    Path: _path,
    int: _whole,
    float: _number,
    bool: lambda value: value if isinstance(value, bool) else _WRONG,
    NoneType: lambda value: value if value is None else _WRONG,
}


def _wrong(hints: Sequence[Any], value: Any, where: str) -> UserError:
    kinds = [get_origin(hint) or hint for hint in hints]
    kinds = [get_args(hint)[0] if kind is Annotated else kind
             for hint, kind in zip(hints, kinds, strict=True)]  # fmt: skip
    long = ", which is too long" if Path in kinds and _is_too_long(value) else ""
    if Path in kinds and isinstance(value, str | os.PathLike) and str(value):
        text = f"{where} is no path that a system could have: {_shown(str(value))}{long}"
        return UserError(text)
    words = [_WORDS.get(kind) or _class_in_words(kind) for kind in kinds]
    return UserError(f"{where} should be {' or '.join(words)}, not {_shown(value)}{long}")


def _class_in_words(kind: Any) -> str:
    if getattr(kind, "_is_protocol", False):
        return f"an object with {', '.join(_methods(kind))}"
    name = str(getattr(kind, "__name__", kind))
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


def _shown(value: Any) -> str:
    """Return a value as messages show it: short, and whatever its own text does."""
    try:
        return f"{reprlib.repr(value)} ({type(value).__name__})"
    except Exception:  # noqa: BLE001  an object of the user's
        return f"a {type(value).__name__}"
