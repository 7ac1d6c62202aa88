"""Read one YAML document from a stranger: plain data, with the place of every key and value.

The core schema of YAML 1.2 decides what a plain word is, so ``no``, ``on`` and ``12:30`` stay
text, whichever loader reads the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from harness.descriptors import Json
from harness.errors import UserError
from harness.jsonfiles import read_file

MAX_BYTES = 1024 * 1024
MAX_NODES = 50_000
MAX_DEPTH = 32
_KEPT = 32 * 1024  # characters: every command and call reads all specs, which are shorter

Key = str | int
Path_ = tuple[Key, ...]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_WORDS: dict[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Place(NamedTuple):
    """Where something stands: line and column from 1; ``block`` marks a ``|`` text."""

    line: int
    column: int
    block: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    Attributes:
        data: Plain data: what JSON can say.
        name: The file as messages name it.
        keys: Path to the place of the key (of the item, in a list).
        values: Path to the place of the value.
        path: The file, when the text came from one.
    """

    data: Json
    name: str
    keys: dict[Path_, Place]
    values: dict[Path_, Place]
    path: Path | None = None

    def where(
        self, path: Path_ = (), part: Literal["key", "value"] = "value", *, down: int = 0
    ) -> str:
        """Return ``file:line:column`` of a path, or of the nearest thing that holds it.

        Args:
            path: Keys and indices from the top.
            part: The key itself, or its value.
            down: Lines below the first line of a ``|`` text.
        """
        places = self.keys if part == "key" else self.values
        for end in range(len(path), -1, -1):
            start = places.get(path[:end])
            if start is not None:
                line = start.line + (down if start.block and end == len(path) else 0)
                return f"{self.name}:{line}:{start.column}"
        return f"{self.name}:1:1"


def read_yaml(path: Path) -> Document:
    """Read a file.

    Raises:
        UserError: not there, too large, not UTF-8, or not one plain YAML document.
    """
    raw = read_file(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise UserError(f"the file is over {MAX_BYTES >> 20} MiB", where=path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise UserError("the file is not UTF-8 text", where=f"{path}:{line}:{column}") from None
    return parse_yaml(text, name=str(path), path=path)


def parse_yaml(text: str, *, name: str = "<text>", path: Path | None = None) -> Document:
    """Parse text that holds exactly one document.

    Raises:
        UserError: at ``name:line:column``: bad syntax, a repeated key, a tag, a second document,
            a merge key, a key that is not text, a number that is not finite, aliases that expand
            beyond the bound.
    """
    if len(text) > _KEPT:
        return _Builder(text, name, path).document()
    document = _parsed(text, name, path)
    # What the caller has is its own to change.
    data, keys, values = deepcopy(document.data), {**document.keys}, {**document.values}
    return replace(document, data=data, keys=keys, values=values)


@lru_cache(maxsize=512)
def _parsed(text: str, name: str, path: Path | None) -> Document:
    return _Builder(text, name, path).document()


@dataclass(slots=True)
class _Node:
    """A parsed value before aliases are expanded."""

    kind: Literal["scalar", "list", "map"]
    place: Place
    value: Json = None
    items: list[_Node] = field(default_factory=list)
    keys: list[tuple[str, Place]] = field(default_factory=list)


class _Builder:
    """Builds a document from parser events; nothing is constructed from tags."""

    def __init__(self, text: str, name: str, path: Path | None) -> None:
        self._name, self._path, self._text = name, path, text
        self._anchors: dict[str, _Node] = {}
        self._nodes = 0
        self._keys: dict[Path_, Place] = {}
        self._values: dict[Path_, Place] = {}

    def document(self) -> Document:
        self._events = self._checked_events()
        root: _Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._error("a second document starts here", _place(event))
                root = self._node(next(self._events), 0)
        if root is None:
            raise UserError("the file is empty", where=f"{self._name}:1:1")
        data = self._expand(root, (), 0)
        return Document(data, self._name, self._keys, self._values, self._path)

    def _checked_events(self) -> Iterator[yaml.Event]:
        try:
            for event in yaml.parse(self._text, Loader=_LOADER):
                tag = getattr(event, "tag", None)
                if tag is not None:
                    raise self._error(f"tags are not allowed: {tag}", _place(event))
                yield event
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            position = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
            problem = ", ".join(part for part in (error.context, error.problem) if part)
            raise self._error(f"not YAML: {problem}", position) from None
        except yaml.reader.ReaderError as error:
            before = self._text[: error.position]
            position = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
            raise self._error("not YAML: a character that is not allowed", position) from None

    def _node(self, event: yaml.Event, depth: int) -> _Node:
        position = _place(event)
        if depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH} levels", position)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(f"alias *{event.anchor} has no anchor before it", position)
            return self._anchors[event.anchor]
        node = self._fresh(event, position, depth)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            # Only now: an alias inside its own anchor would never end, and finds none.
            self._anchors[anchor] = node
        return node

    def _fresh(self, event: yaml.Event, position: Place, depth: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            return _Node("scalar", position, self._scalar(event, position))
        if isinstance(event, yaml.SequenceStartEvent):
            node = _Node("list", position)
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                node.items.append(self._node(inner, depth + 1))
            return node
        assert isinstance(event, yaml.MappingStartEvent)
        node = _Node("map", position)
        first_keys: dict[str, Place] = {}
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key, at = self._key(inner)
            if key in first_keys:
                first = first_keys[key]
                raise self._error(f"key {key!r} is repeated; it stands on line {first.line}", at)
            first_keys[key] = at
            node.keys.append((key, at))
            node.items.append(self._node(next(self._events), depth + 1))
        return node

    def _key(self, event: yaml.Event) -> tuple[str, Place]:
        position = _place(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error("a key must be plain text", position)
        plain = event.style in {None, ""}
        if plain and event.value == "<<":
            raise self._error("merge keys (<<) are not allowed", position)
        return event.value, position

    def _scalar(self, event: yaml.ScalarEvent, position: Place) -> Json:
        text = event.value
        if event.style not in {None, ""}:
            return str(text)
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_FINITE.fullmatch(text):
            raise self._error(f"{text} is not a finite number", position)
        if _INT.fullmatch(text):
            if len(text) > 300:
                raise self._error("a number of over 300 digits", position)
            return int(text)
        if _FLOAT.fullmatch(text) and not _LEADING_ZERO.fullmatch(text):
            number = float(text)
            if number in {float("inf"), float("-inf")}:
                raise self._error(f"{text} is too large a number", position)
            return number
        return str(text)

    def _expand(self, node: _Node, path: Path_, depth: int) -> Json:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(f"aliases expand to over {MAX_NODES} values", node.place)
        if depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH} levels", node.place)
        self._values[path] = node.place
        if node.kind == "list":
            items: list[Json] = []
            for index, item in enumerate(node.items):
                inner = (*path, index)
                self._keys[inner] = item.place
                items.append(self._expand(item, inner, depth + 1))
            return items
        if node.kind == "map":
            table: dict[str, Json] = {}
            for (key, at), item in zip(node.keys, node.items, strict=True):
                inner = (*path, key)
                self._keys[inner] = at
                table[key] = self._expand(item, inner, depth + 1)
            return table
        return node.value

    def _error(self, message: str, position: Place) -> UserError:
        return UserError(message, where=f"{self._name}:{position.line}:{position.column}")


def _place(event: yaml.Event) -> Place:
    mark: Any = event.start_mark
    return Place(mark.line + 1, mark.column + 1, getattr(event, "style", None) == "|")
