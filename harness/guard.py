"""Holds what plugins add to its contract: descriptors, calls, and what calls return."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from harness import descriptors
from harness.errors import (
    FAULTS,
    HarnessError,
    PluginError,
    blame,
    error_text,
    one_line,
    plugin_call,
    raised,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Check = Callable[..., Any]
"""Takes what a method returned and its arguments; returns it, or raises what :meth:`wrong` says."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One thing that a plugin adds, as messages name it.

    Attributes:
        name: Such as ``metric 'kappa'``.
        origin: Such as ``plugin 'mine' of dist-mine 1.2``; empty when no plugin adds it.
        where: Its target.
        kind: The error that a breach raises.
    """

    name: str
    origin: str
    where: str
    kind: type[PluginError] = PluginError

    def calling(
        self, method: str, passes: Callable[[Exception], bool] = lambda _: False
    ) -> AbstractContextManager[None]:
        """Return a context in which what the plugin raises becomes one message."""
        return plugin_call(self.name, method, self.where, passes, self.kind, self.origin)

    def raised(self, method: str, error: BaseException) -> PluginError:
        """Return the error for what a method raised."""
        return raised(self.name, method, self.where, error, self.kind, self.origin)

    def wrong(self, text: str) -> PluginError:
        """Return the error for what the plugin does wrongly, such as ``returned None``."""
        origin = f" ({self.origin})" if self.origin else ""
        return self.kind(f"{self.name} {text}{origin}", where=self.where)

    def returned(self, value: object, method: str, expected: str) -> PluginError:
        """Return the error for a method that returned something else than is wanted."""
        return self.wrong(f"returned {described(value)} from {method}, not {expected}")

    def guarded(
        self, target: Any, checks: Mapping[str, Check], instead: Mapping[str, Any] = {}
    ) -> Any:
        """Return a stand-in for a plugin's object, with each of its public names.

        What a method raises becomes a message, and what it returns goes through its check. Whether
        it keeps a protocol can be asked of the stand-in as of the object.

        Args:
            target: The object.
            checks: By method.
            instead: What stands for a name, in the place of the object's.

        Raises:
            PluginError: the object cannot be looked at.
        """
        members = dict(instead)
        looked: dict[str, Any] = {}
        for name in dir(target):
            if name.startswith("_") or name in instead:
                continue
            with self.calling(name):
                value = getattr(target, name)
            if callable(value):
                members[name] = self.checked(value, name, checks.get(name))
            else:
                looked[name] = _forwarded(self, target, name)
        stand_in = type("Guarded", (), looked)()
        vars(stand_in).update(members)
        return stand_in

    def checked(self, method: Callable[..., Any], name: str, check: Check | None) -> Any:
        """Return a method whose faults become one message; fast, since some are called often."""

        def called(*arguments: Any, **named: Any) -> Any:
            try:
                value = method(*arguments, **named)
            except HarnessError as error:
                blame(error, f"{self.name}, in {name}", self.origin)
                raise
            except FAULTS as error:
                raise self.raised(name, error) from error
            return value if check is None else check(value, *arguments)

        return called

    def listed(self, value: Any, method: str, kind: type, noun: str) -> list[Any]:
        """Return what a method returned as a list of things of one type.

        Raises:
            PluginError: it is not a list, or holds something else.
        """
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise self.returned(value, method, noun)
        with self.calling(method):
            items = list(value)
        for item in items:
            if not isinstance(item, kind):
                raise self.returned(item, method, f"{kind.__name__}: it wants {noun}")
        return items


def _forwarded(contract: Contract, target: Any, name: str) -> property:
    def read(_: object) -> Any:
        with contract.calling(name):
            return getattr(target, name)

    return property(read)


def described(value: object) -> str:
    """Return what a value is, for a message."""
    return "None" if value is None else f"{type(value).__name__} {one_line(_repr(value), 60)}"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except FAULTS:
        return ""


def not_plain(value: object) -> str:
    """Return why a value is not plain data (JSON without NaN); empty when it is."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except FAULTS as error:
        return error_text(error)
    return ""


# --- descriptors ----------------------------------------------------------------------------------


def check_descriptor(descriptor: Any) -> None:
    """Check that the fields of a descriptor are of their types.

    Raises:
        PluginError: one is not, an id is not a plain name (ids name files), or the target
            is no ``module:attribute``.
    """
    kind: Any = type(descriptor)
    hints = _hints(kind)
    own_id = getattr(descriptor, "id", getattr(descriptor, "name", ""))
    for field in fields(descriptor):
        value, hint = getattr(descriptor, field.name), hints[field.name]
        if not _fits(value, hint):
            raise PluginError(
                f"{type(descriptor).__name__} {one_line(_repr(own_id), 60)}: "
                f"{field.name} is {described(value)}, not {_named(hint)}"
            )
        for part in value if isinstance(value, tuple | list) else ():
            if is_dataclass(part):
                check_descriptor(part)
    name = getattr(descriptor, "id", "plain")
    if not _ID.fullmatch(name):
        raise PluginError(
            f"{kind.__name__}: the id {one_line(repr(name), 60)} is not a plain name: letters, "
            "digits, '_', '-' and '.' within, 100 at most"
        )
    for part in ("target", "view"):
        target = getattr(descriptor, part, None)
        if target is None or (part == "view" and not target):
            continue
        module, colon, attribute = target.partition(":")
        if not (colon and module and attribute):
            raise PluginError(
                f"{one_line(repr(name), 60)}: the {part} {one_line(repr(target), 60)} is not "
                "module:attribute"
            )


_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_-])?")


class _Plain:
    """Stands for :data:`harness.descriptors.Json` among the types of fields."""


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, {**vars(descriptors), "Path": Path, "Json": _Plain})


def _fits(value: object, hint: Any) -> bool:
    """Whether a value is of a type, as far as descriptors use types; sequences may be any."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is _Plain:
        return not not_plain(value)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin in {Union, types.UnionType}:
        return any(_fits(value, one) for one in inner)
    if origin is None:
        kinds = (int, float) if hint is float else hint
        fits = not isinstance(hint, type) or isinstance(value, kinds)
        return fits and not (hint in {int, float} and isinstance(value, bool))
    return _holds(value, origin, inner)


def _holds(value: object, origin: Any, inner: tuple[Any, ...]) -> bool:
    """Whether a value is a collection of a kind, and what it holds is of its types."""
    if isinstance(value, Mapping):
        return issubclass(origin, Mapping) and all(
            _fits(key, inner[0]) and _fits(one, inner[1]) for key, one in value.items()
        )
    kind = AbstractSet if origin is frozenset else Sequence
    if isinstance(value, str | bytes) or not isinstance(value, kind) or origin is Mapping:
        return False
    return all(_fits(one, inner[0]) for one in value)


def _named(hint: Any) -> str:
    if hint is _Plain:
        return "plain data"
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    if get_origin(hint) is None and isinstance(hint, type):
        return str(hint.__name__)
    text = str(hint)
    for module in ("typing.", "collections.abc.", "harness.descriptors.", "harness.guard."):
        text = text.replace(module, "")
    return text.replace("_Plain", "plain data")
